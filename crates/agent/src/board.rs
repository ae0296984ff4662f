//! The board: how far running work has come, and what was done so far, by the uid of the object
//! worked on. Never stored as it is; a report takes the log along when the work ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use novacron_model::Time;
use novacron_model::task::{LOG_LINES, Live, LogLine};
use tokio::sync::watch;
use uuid::Uuid;

use crate::config::Clock;

/// A cheap handle on the one board of an agent.
#[derive(Clone)]
pub struct Board {
    entries: Arc<Mutex<HashMap<Uuid, Entry>>>,
    changes: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Entry {
    /// None while nothing is being done.
    live: Option<Live>,
    log: Vec<LogLine>,
}

impl Entry {
    fn write(&mut self, time: Time, text: String) {
        if self.log.len() == LOG_LINES {
            self.log.remove(0);
        }
        self.log.push(LogLine { time, text });
    }
}

impl Board {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { entries: Arc::default(), changes: watch::Sender::new(0), clock }
    }

    /// What happens now, with the log up to here.
    pub fn get(&self, target: Uuid) -> Option<Live> {
        let entries = self.lock();
        let entry = entries.get(&target)?;
        entry.live.clone().map(|live| Live { log: entry.log.clone(), ..live })
    }

    /// Raised with every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// A step that begins is written into the log.
    pub(crate) fn set(&self, target: Uuid, live: Live) {
        let now = self.clock.now();
        let mut entries = self.lock();
        let entry = entries.entry(target).or_default();
        let changed = entry.live.as_ref() != Some(&live);
        if entry.live.as_ref().is_none_or(|old| old.step != live.step) {
            entry.write(now, live.step.clone());
        }
        entry.live = Some(live);
        drop(entries);
        if changed {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// A step whose length is not known.
    pub(crate) fn step(&self, target: Uuid, step: &str) {
        self.set(target, Live::at(step, 0, 0));
    }

    /// Writes into the log of what is going on; of what rests there is none.
    pub(crate) fn write(&self, target: Uuid, text: String) {
        let now = self.clock.now();
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(&target) else { return };
        entry.write(now, text);
        let shown = entry.live.is_some();
        drop(entries);
        if shown {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// Nothing is being done just now; the log goes on.
    pub(crate) fn pause(&self, target: Uuid) {
        let paused = self.lock().get_mut(&target).and_then(|entry| entry.live.take());
        if paused.is_some() {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// What was done since the work began, oldest first.
    pub(crate) fn log(&self, target: Uuid) -> Vec<LogLine> {
        self.lock().get(&target).map(|entry| entry.log.clone()).unwrap_or_default()
    }

    /// The work has ended and was reported.
    pub(crate) fn clear(&self, target: Uuid) {
        if self.lock().remove(&target).is_some() {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Noon;

    fn texts(log: &[LogLine]) -> Vec<&str> {
        log.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn only_changes_are_announced() {
        let board = Board::new(Arc::new(Noon));
        let changes = board.changes();
        let uid = Uuid::from_u128(7);
        board.step(uid, "downloading");
        board.step(uid, "downloading");
        assert_eq!(*changes.borrow(), 1);
        assert_eq!(board.get(uid).map(|live| live.step), Some("downloading".into()));
        board.clear(uid);
        board.clear(uid);
        assert_eq!((*changes.borrow(), board.get(uid)), (2, None));
    }

    #[test]
    fn the_log_has_a_line_for_each_step_and_outlives_a_pause() {
        let board = Board::new(Arc::new(Noon));
        let uid = Uuid::from_u128(7);
        board.set(uid, Live::at("downloading", 1, 9));
        board.set(uid, Live::at("downloading", 2, 9));
        board.pause(uid);
        assert_eq!(board.get(uid), None);
        board.write(uid, "the server has gone".to_owned());
        board.step(uid, "downloading");
        let log = board.get(uid).map(|live| live.log).unwrap_or_default();
        assert_eq!(texts(&log), ["downloading", "the server has gone", "downloading"]);
        assert_eq!(board.log(uid), log);
        board.clear(uid);
        assert!(board.log(uid).is_empty());
    }

    #[test]
    fn the_log_is_bounded() {
        let board = Board::new(Arc::new(Noon));
        let uid = Uuid::from_u128(7);
        board.step(uid, "downloading");
        (0..LOG_LINES).for_each(|number| board.write(uid, number.to_string()));
        let log = board.log(uid);
        assert_eq!((log.len(), log[0].text.as_str()), (LOG_LINES, "0"));
    }
}
