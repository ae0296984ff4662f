//! The newest lines of the daemon's log, in memory and since its start, for who reads a node's log
//! over the API.
//!
//! One ring serves all nodes of the process. A line belongs to the node whose agent wrote it, or to
//! none: those of the API, the planners and the store are part of every node's log.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use novacron_api::gateway::ByteStream;
use tokio::sync::watch;

/// What is kept: whichever is reached first.
const LINES: usize = 10_000;
const BYTES: usize = 4 << 20;
/// Longer lines are cut.
const LINE_BYTES: usize = 8 << 10;
/// Stands where a reader was too slow.
const GAP: &str = "(lines are missing here: they came faster than they were read)\n";

/// A cheap handle.
#[derive(Clone)]
pub struct LogRing {
    ring: Arc<Mutex<Ring>>,
    /// Raised with every line.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    lines: VecDeque<Line>,
    bytes: usize,
    /// Lines ever written.
    written: u64,
}

struct Line {
    node: Option<Arc<str>>,
    text: String,
}

impl Line {
    fn is_of(&self, node: &str) -> bool {
        self.node.as_deref().is_none_or(|of| of == node)
    }
}

impl LogRing {
    pub fn new() -> Self {
        Self { ring: Arc::default(), changes: watch::Sender::new(0) }
    }

    /// `node`: whose line it is; nobody's is everybody's.
    pub fn write(&self, node: Option<Arc<str>>, text: &str) {
        let text = one_line(text);
        let mut ring = self.lock();
        ring.bytes += text.len();
        ring.written += 1;
        ring.lines.push_back(Line { node, text });
        while ring.lines.len() > LINES || ring.bytes > BYTES {
            let gone = ring.lines.pop_front().map_or(0, |line| line.text.len());
            ring.bytes -= gone;
        }
        drop(ring);
        self.changes.send_modify(|count| *count += 1);
    }

    /// The newest lines of the node that fit into `tail` bytes, then, if `follow`, what is written
    /// until the reader goes.
    pub fn read(&self, node: &str, tail: u64, follow: bool) -> ByteStream {
        let (before, next) = self.newest(node, tail);
        let first = futures::stream::iter([Ok(before)]);
        if !follow {
            return first.boxed();
        }
        let reader = Reader {
            ring: self.clone(),
            changes: self.changes.subscribe(),
            node: node.to_owned(),
            next,
        };
        first.chain(futures::stream::unfold(reader, Reader::more)).boxed()
    }

    /// And the number of the line that comes next.
    fn newest(&self, node: &str, tail: u64) -> (Bytes, u64) {
        let ring = self.lock();
        let mut room = tail;
        let fits = |line: &&Line| {
            let left = room.checked_sub(line.text.len() as u64);
            room = left.unwrap_or_default();
            left.is_some()
        };
        let lines = ring.lines.iter().rev().filter(|line| line.is_of(node)).take_while(fits);
        let newest: Vec<_> = lines.map(|line| line.text.as_str()).collect();
        (newest.into_iter().rev().collect::<String>().into(), ring.written)
    }

    /// What was written since line number `from`.
    fn since(&self, node: &str, from: u64) -> (Bytes, u64) {
        let ring = self.lock();
        let kept = ring.written - ring.lines.len() as u64;
        let gap = if from < kept { GAP } else { "" };
        let skipped = usize::try_from(from.saturating_sub(kept)).unwrap_or(usize::MAX);
        let fresh = ring.lines.range(skipped.min(ring.lines.len())..);
        let lines = fresh.filter(|line| line.is_of(node)).map(|line| line.text.as_str());
        (std::iter::once(gap).chain(lines).collect::<String>().into(), ring.written)
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Reader {
    ring: LogRing,
    changes: watch::Receiver<u64>,
    node: String,
    /// Number of the first line that was not read yet.
    next: u64,
}

impl Reader {
    /// Waits for lines of the node.
    async fn more(mut self) -> Option<(novacron_model::Result<Bytes>, Self)> {
        loop {
            self.changes.borrow_and_update();
            let (fresh, next) = self.ring.since(&self.node, self.next);
            self.next = next;
            if !fresh.is_empty() {
                return Some((Ok(fresh), self));
            }
            self.changes.changed().await.ok()?;
        }
    }
}

/// What guests and programs say may have several lines, and codes that act on a terminal.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 1);
    for char in text.chars() {
        if line.len() > LINE_BYTES {
            line.push('…');
            break;
        }
        match char {
            '\n' | '\t' => line.push(' '),
            // Writing to a string cannot fail.
            _ if char.is_control() => _ = write!(line, "{}", char.escape_default()),
            _ => line.push(char),
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn next(log: &mut ByteStream) -> Option<String> {
        let chunk = log.next().now_or_never()??;
        Some(String::from_utf8(chunk.unwrap().to_vec()).unwrap())
    }

    fn all(ring: &LogRing, node: &str) -> String {
        next(&mut ring.read(node, u64::MAX, false)).unwrap()
    }

    fn write(ring: &LogRing, node: &str, text: &str) {
        ring.write(Some(Arc::from(node)), text);
    }

    #[test]
    fn what_fits_is_replayed_whole_line_by_whole_line() {
        let ring = LogRing::new();
        for text in ["one", "two", "three"] {
            write(&ring, "n1", text);
        }
        for (tail, expected) in
            [(10, "two\nthree\n"), (9, "three\n"), (99, "one\ntwo\nthree\n"), (3, ""), (0, "")]
        {
            assert_eq!(next(&mut ring.read("n1", tail, false)).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_node_shows_its_own_lines_and_those_of_nobody() {
        let ring = LogRing::new();
        write(&ring, "n1", "one");
        ring.write(None, "ready");
        write(&ring, "n2", "two");
        assert_eq!(all(&ring, "n1"), "one\nready\n");
        assert_eq!(all(&ring, "n2"), "ready\ntwo\n");
        // The room is for lines that are shown.
        assert_eq!(next(&mut ring.read("n1", 6, false)).unwrap(), "ready\n");
    }

    #[test]
    fn a_follower_gets_each_line_of_its_node_once_and_waits() {
        let ring = LogRing::new();
        write(&ring, "n1", "before");
        let mut log = ring.read("n1", 0, true);
        assert_eq!(next(&mut log), Some(String::new()));
        assert_eq!(next(&mut log), None);
        write(&ring, "n2", "of another");
        assert_eq!(next(&mut log), None);
        write(&ring, "n1", "in two\nlines");
        ring.write(None, "of all");
        assert_eq!(next(&mut log).unwrap(), "in two lines\nof all\n");
        assert_eq!(next(&mut log), None);
    }

    #[test]
    fn only_the_newest_are_kept_and_a_slow_reader_is_told() {
        let ring = LogRing::new();
        let mut log = ring.read("n1", 0, true);
        for number in 0..=LINES {
            write(&ring, "n2", &number.to_string());
        }
        let kept = all(&ring, "n2");
        assert_eq!(kept.lines().count(), LINES);
        assert!(kept.starts_with("1\n"));
        assert_eq!(next(&mut log), Some(String::new()), "nothing was asked for");
        assert_eq!(next(&mut log).unwrap(), GAP, "whose lines were lost is not known");
        assert_eq!(next(&mut log), None);
    }

    #[test]
    fn long_lines_are_cut_and_bytes_are_bounded() {
        let ring = LogRing::new();
        for _ in 0..2 * BYTES / LINE_BYTES {
            ring.write(None, &"ö".repeat(LINE_BYTES));
        }
        let kept = all(&ring, "n1");
        assert!(kept.len() <= BYTES && kept.len() > BYTES - 2 * LINE_BYTES, "{}", kept.len());
        assert!(kept.lines().all(|line| line.len() < LINE_BYTES + 8 && line.ends_with('…')));
    }

    #[test]
    fn nothing_acts_on_the_readers_terminal() {
        let ring = LogRing::new();
        ring.write(None, "a\x1b[2Jb\r\u{9b}c");
        assert_eq!(all(&ring, "n1"), "a\\u{1b}[2Jb\\r\\u{9b}c\n");
    }
}
