//! The log: what openraft must find again after a crash.
//!
//! ```text
//!  meta          vote, purged, which segments there are; replaced as a whole
//!  log-000007    a segment: preallocated, zero-filled, overwritten from the front with frames
//!  log-000008    the segment that is written now
//!  log-spare     the next one, filled ahead by `space`
//! ```
//!
//! `frame` is the format, `scan` reads a segment and tells a torn tail from damage, `recover`
//! opens the whole, `writer` is the thread that writes and syncs, and this file is the face that
//! openraft sees. Entries live on disk; only the last few are also kept in memory, for openraft
//! reads each entry once more when it is committed.

mod frame;
mod index;
mod meta;
mod recover;
mod scan;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard};

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{EntryPayload, LogState, OptionalSend, RaftLogReader};
use tokio::sync::oneshot;

pub use index::Index;
pub use meta::{META, Meta};
pub use recover::{Recovered, continue_from, recover};
pub use writer::Writer;

use crate::disk::Disk;
use crate::types::{Entry, LogId, StorageError, StorageIOError, TypeConfig, Vote};
use frame::{Frame, Kind};
use writer::Command;

/// How segment files are called.
pub fn segment_name(number: u32) -> String {
    format!("log-{number:06}")
}

/// openraft's view of the log. Clones share it.
#[derive(Clone)]
pub struct Log {
    disk: Arc<dyn Disk>,
    index: Arc<Mutex<Index>>,
    writer: Writer,
}

impl Log {
    pub fn new(disk: Arc<dyn Disk>, index: Arc<Mutex<Index>>, writer: Writer) -> Self {
        Self { disk, index, writer }
    }

    pub fn last_log_id(&self) -> Option<LogId> {
        self.index().last()
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        index::lock(&self.index)
    }

    async fn ask(
        &self,
        command: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Command,
    ) -> io::Result<()> {
        let (done, result) = oneshot::channel();
        self.writer.send(command(done))?;
        result.await.map_err(io::Error::other)?
    }
}

impl RaftLogReader<TypeConfig> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end + 1,
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        let index::Found { on_disk, in_memory } = self.index().find(start, end);
        if on_disk.is_empty() {
            return Ok(in_memory);
        }
        let disk = self.disk.clone();
        let read = tokio::task::spawn_blocking(move || recover::read_entries(&*disk, &on_disk));
        let read = read.await.map_err(|error| StorageIOError::read_logs(&error))?;
        let mut entries = read.map_err(|error| StorageIOError::read_logs(&error))?;
        entries.extend(in_memory);
        Ok(entries)
    }

    /// No more than what fits into one message to a member, but one entry at least.
    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, StorageError> {
        let mut entries = self.try_get_log_entries(start..end).await?;
        let mut bytes = 0;
        let fits = entries.iter().take_while(|entry| {
            let fits = bytes <= MESSAGE_BYTES;
            bytes += entry_bytes(entry);
            fits
        });
        let count = fits.count();
        entries.truncate(count);
        Ok(entries)
    }
}

/// Entries of this many bytes together go into one message to a member, roughly: it must be there
/// and on disk within the time of a heartbeat.
const MESSAGE_BYTES: u64 = 512 << 10;

fn entry_bytes(entry: &Entry) -> u64 {
    match &entry.payload {
        EntryPayload::Normal(batch) => batch.bytes(),
        EntryPayload::Blank | EntryPayload::Membership(_) => 64,
    }
}

impl RaftLogStorage<TypeConfig> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        let index = self.index();
        Ok(LogState { last_purged_log_id: index.purged(), last_log_id: index.last() })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let vote = *vote;
        let saved = self.ask(|done| Command::Vote { vote, done }).await;
        saved.map_err(|error| StorageIOError::write_vote(&error))?;
        self.index().vote = Some(vote);
        Ok(())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.index().vote)
    }

    /// Kept in memory; it becomes durable with the next entry, which is early enough: it only
    /// spares a restart from asking the quorum again.
    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        self.index().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        Ok(self.index().committed)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<TypeConfig>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut frames = Vec::new();
        let committed = self.index().newly_committed();
        if let Some(committed) = committed {
            let payload = encode(&committed).map_err(|error| StorageIOError::write_logs(&error))?;
            frames.push(Frame { kind: Kind::Committed, index: committed.index, payload });
        }
        let entries: Vec<Entry> = entries.into_iter().collect();
        for entry in &entries {
            let payload = encode(entry).map_err(|error| StorageIOError::write_logs(&error))?;
            frames.push(Frame { kind: Kind::Entry, index: entry.log_id.index, payload });
        }
        self.index().remember(entries);
        let sent = self.writer.send(Command::Append { frames, callback });
        Ok(sent.map_err(|error| StorageIOError::write_logs(&error))?)
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let cut = self.ask(|done| Command::Truncate { from: log_id.index, done }).await;
        Ok(cut.map_err(|error| StorageIOError::write_logs(&error))?)
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let purged = self.ask(|done| Command::Purge { upto: log_id, done }).await;
        Ok(purged.map_err(|error| StorageIOError::write_logs(&error))?)
    }
}

fn encode(value: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}
