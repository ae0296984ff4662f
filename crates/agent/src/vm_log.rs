//! What the agent has done and met with each VM since it was started, line by line and in memory.
//! The daemon's own log has what came before.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::watch;
use uuid::Uuid;

use crate::config::Clock;
use crate::pool::ByteStream;

/// Lines kept for each VM.
const LINES: usize = 256;

/// A cheap handle on the logs of one agent.
#[derive(Clone)]
pub(crate) struct VmLogs {
    logs: Arc<Mutex<HashMap<Uuid, Log>>>,
    /// Raised with every line of any VM.
    changes: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Log {
    lines: VecDeque<String>,
    /// Lines ever written.
    written: u64,
}

impl Log {
    /// The lines from number `from` on that are still there.
    fn since(&self, from: u64) -> impl Iterator<Item = &String> {
        let kept = self.written - self.lines.len() as u64;
        let skipped = usize::try_from(from.saturating_sub(kept)).unwrap_or(usize::MAX);
        self.lines.iter().skip(skipped)
    }
}

impl VmLogs {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { logs: Arc::default(), changes: watch::Sender::new(0), clock }
    }

    pub fn write(&self, vm: Uuid, text: &str) {
        // One line each: what a guest or a program said may have several.
        let line = format!("{} {}\n", self.clock.now(), text.replace('\n', " "));
        let mut logs = self.lock();
        let log = logs.entry(vm).or_default();
        if log.lines.len() == LINES {
            log.lines.pop_front();
        }
        log.lines.push_back(line);
        log.written += 1;
        drop(logs);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Of a VM that is gone.
    pub fn forget(&self, vm: Uuid) {
        self.lock().remove(&vm);
    }

    /// The newest lines that fit into `tail` bytes, then, if `follow`, what is written until the
    /// reader goes.
    pub fn read(&self, vm: Uuid, tail: u64, follow: bool) -> ByteStream {
        let (before, next) = self.newest(vm, tail);
        let first = futures::stream::iter([Ok(before)]);
        if !follow {
            return first.boxed();
        }
        let changes = self.changes.subscribe();
        let after = futures::stream::unfold(
            (self.clone(), changes, next),
            move |(logs, mut changes, next)| async move {
                loop {
                    changes.borrow_and_update();
                    let (fresh, next) = logs.since(vm, next);
                    if !fresh.is_empty() {
                        return Some((Ok(fresh), (logs, changes, next)));
                    }
                    changes.changed().await.ok()?;
                }
            },
        );
        first.chain(after).boxed()
    }

    /// And the number of the line that comes next.
    fn newest(&self, vm: Uuid, tail: u64) -> (Bytes, u64) {
        let logs = self.lock();
        let Some(log) = logs.get(&vm) else { return (Bytes::new(), 0) };
        let mut room = tail;
        let fits = |line: &&String| {
            let left = room.checked_sub(line.len() as u64);
            room = left.unwrap_or_default();
            left.is_some()
        };
        let count = log.lines.iter().rev().take_while(fits).count() as u64;
        (joined(log.since(log.written - count)), log.written)
    }

    fn since(&self, vm: Uuid, from: u64) -> (Bytes, u64) {
        let logs = self.lock();
        logs.get(&vm).map_or((Bytes::new(), from), |log| (joined(log.since(from)), log.written))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Log>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn joined<'a>(lines: impl Iterator<Item = &'a String>) -> Bytes {
    lines.map(String::as_str).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use novacron_model::Time;

    use super::*;
    use crate::config::Noon;

    const WEB: Uuid = Uuid::from_u128(7);

    fn next(log: &mut ByteStream) -> Option<String> {
        let chunk = log.next().now_or_never()??;
        Some(String::from_utf8(chunk.unwrap().to_vec()).unwrap())
    }

    fn line(text: &str) -> String {
        format!("{} {text}\n", Time::default())
    }

    #[test]
    fn what_fits_is_replayed_whole_line_by_whole_line() {
        let logs = VmLogs::new(Arc::new(Noon));
        for text in ["one", "two", "three"] {
            logs.write(WEB, text);
        }
        let two = (line("two").len() + line("three").len()) as u64;
        for (tail, expected) in [
            (two, line("two") + &line("three")),
            (two - 1, line("three")),
            (u64::MAX, line("one") + &line("two") + &line("three")),
            (3, String::new()),
        ] {
            assert_eq!(next(&mut logs.read(WEB, tail, false)), Some(expected), "{tail}");
        }
        assert_eq!(next(&mut logs.read(Uuid::nil(), 99, false)), Some(String::new()));
    }

    #[test]
    fn a_follower_gets_each_line_once_and_waits() {
        let logs = VmLogs::new(Arc::new(Noon));
        logs.write(WEB, "before");
        let mut log = logs.read(WEB, 0, true);
        assert_eq!(next(&mut log), Some(String::new()));
        assert_eq!(next(&mut log), None);
        logs.write(Uuid::nil(), "of another");
        assert_eq!(next(&mut log), None);
        logs.write(WEB, "in two\nlines");
        assert_eq!(next(&mut log), Some(line("in two lines")));
        assert_eq!(next(&mut log), None);
    }

    #[test]
    fn only_the_newest_are_kept() {
        let logs = VmLogs::new(Arc::new(Noon));
        for number in 0..=LINES {
            logs.write(WEB, &number.to_string());
        }
        let all = next(&mut logs.read(WEB, u64::MAX, false)).unwrap();
        assert_eq!(all.lines().count(), LINES);
        assert!(all.starts_with(&line("1")), "{all}");
        logs.forget(WEB);
        assert_eq!(next(&mut logs.read(WEB, u64::MAX, false)), Some(String::new()));
    }
}
