//! What is known in memory about the log: where each entry lies, and the last few entries.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::types::{Entry, LogId, Vote};

/// How many entries stay in memory.
const KEEP: usize = 64;

/// Where an entry's payload lies.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub segment: u32,
    pub offset: u32,
    pub len: u32,
}

#[derive(Debug, Default)]
pub struct Index {
    pub vote: Option<Vote>,
    pub committed: Option<LogId>,
    /// The newest committed log id that a frame already carries.
    written_committed: Option<LogId>,
    purged: Option<LogId>,
    last: Option<LogId>,
    /// Log index of the first place.
    first: u64,
    /// Of entries that are durable.
    places: VecDeque<Place>,
    /// The newest entries, durable or not.
    recent: VecDeque<Entry>,
}

/// Entries of a range: the older ones must be read.
#[derive(Debug, Default)]
pub struct Found {
    pub on_disk: Vec<Place>,
    pub in_memory: Vec<Entry>,
}

pub fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Index {
    /// The log as it was found on disk; `places` begin behind `purged`.
    pub fn recovered(
        purged: Option<LogId>,
        last: Option<LogId>,
        committed: Option<LogId>,
        places: VecDeque<Place>,
    ) -> Self {
        Self {
            committed,
            written_committed: committed,
            purged,
            last: last.max(purged),
            first: purged.map_or(0, |purged| purged.index + 1),
            places,
            ..Self::default()
        }
    }

    pub fn purged(&self) -> Option<LogId> {
        self.purged
    }

    pub fn last(&self) -> Option<LogId> {
        self.last
    }

    /// The committed log id, if no frame carries it yet.
    pub fn newly_committed(&mut self) -> Option<LogId> {
        let newly = self.committed.filter(|_| self.committed > self.written_committed);
        self.written_committed = self.committed;
        newly
    }

    pub fn find(&self, start: u64, end: u64) -> Found {
        let recent = self.recent.front().map_or(u64::MAX, |entry| entry.log_id.index);
        let durable = self.first + self.places.len() as u64;
        let on_disk = start.max(self.first)..end.min(recent).min(durable);
        let places = on_disk.filter_map(|index| self.place(index));
        let entries = self.recent.iter();
        let inside = entries.filter(|entry| (start..end).contains(&entry.log_id.index));
        Found { on_disk: places.collect(), in_memory: inside.cloned().collect() }
    }

    pub fn place(&self, index: u64) -> Option<Place> {
        let position = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.places.get(position).copied()
    }

    /// Takes entries that are about to be written, and lets older durable ones go.
    pub fn remember(&mut self, entries: Vec<Entry>) {
        let durable = self.first + self.places.len() as u64;
        while self.recent.len() + entries.len() > KEEP
            && self.recent.front().is_some_and(|entry| entry.log_id.index < durable)
        {
            self.recent.pop_front();
        }
        if let Some(last) = entries.last() {
            self.last = Some(last.log_id);
        }
        self.recent.extend(entries);
    }

    /// The entries from `first` on have become durable at these places.
    pub fn placed(&mut self, first: Option<u64>, places: Vec<Place>) {
        if let Some(first) = first.filter(|_| self.places.is_empty()) {
            self.first = first;
        }
        self.places.extend(places);
    }

    /// Forgets entries from `from` on; `last` is what is then the last.
    pub fn truncate(&mut self, from: u64, last: Option<LogId>) {
        self.recent.retain(|entry| entry.log_id.index < from);
        let keep = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.places.truncate(keep);
        self.last = last.max(self.purged);
    }

    /// Forgets entries up to `upto`.
    pub fn purge(&mut self, upto: LogId) {
        if self.purged >= Some(upto) {
            return;
        }
        self.recent.retain(|entry| entry.log_id.index > upto.index);
        let gone = usize::try_from(upto.index + 1 - self.first).unwrap_or(usize::MAX);
        self.places.drain(..gone.min(self.places.len()));
        self.first = upto.index + 1;
        self.purged = Some(upto);
        self.last = self.last.max(Some(upto));
    }

    /// The oldest segment that still holds an entry.
    pub fn oldest_segment(&self) -> Option<u32> {
        self.places.front().map(|place| place.segment)
    }
}
