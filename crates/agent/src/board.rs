//! The board: how far running work has come, by the uid of the object worked on. Never stored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use novacron_model::task::Live;
use tokio::sync::watch;
use uuid::Uuid;

/// A cheap handle on the one board of an agent.
#[derive(Debug, Clone)]
pub struct Board {
    lines: Arc<Mutex<HashMap<Uuid, Live>>>,
    changes: watch::Sender<u64>,
}

impl Default for Board {
    fn default() -> Self {
        Self { lines: Arc::default(), changes: watch::Sender::new(0) }
    }
}

impl Board {
    pub fn get(&self, target: Uuid) -> Option<Live> {
        self.lock().get(&target).cloned()
    }

    /// Raised with every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn set(&self, target: Uuid, live: Live) {
        let mut lines = self.lock();
        let changed = lines.get(&target) != Some(&live);
        lines.insert(target, live);
        drop(lines);
        if changed {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// A step whose length is not known.
    pub(crate) fn step(&self, target: Uuid, step: &str) {
        self.set(target, Live { step: step.to_owned(), done: 0, total: 0 });
    }

    pub(crate) fn clear(&self, target: Uuid) {
        if self.lock().remove(&target).is_some() {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Live>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_announced() {
        let board = Board::default();
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
}
