//! Immutable views of the store.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Revision;
use crate::key::Key;
use crate::state::{self, State, StreamEntry};

/// One stored record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub key: Key,
    /// JSON.
    pub value: Arc<RawValue>,
    /// The revision that wrote it last.
    pub revision: Revision,
    pub index: Arc<[(String, String)]>,
}

/// The store at one revision. Cloning is O(1).
#[derive(Debug, Clone)]
pub struct Snapshot {
    state: Arc<State>,
}

impl Snapshot {
    pub fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    pub fn revision(&self) -> Revision {
        self.state.revision()
    }

    pub fn get(&self, key: &str) -> Option<&Record> {
        self.state.records().get(key)
    }

    /// Records whose key starts with `prefix`, in key order, from `start` (itself included) on.
    pub fn scan<'a>(&'a self, prefix: &'a str, start: &'a str) -> impl Iterator<Item = &'a Record> {
        let start = start.max(prefix);
        self.state
            .records()
            .range::<_, str>(state::from(start))
            .map(|(_, record)| record)
            .take_while(move |record| record.key.as_str().starts_with(prefix))
    }

    /// All records of a family.
    pub fn family(&self, family: &str) -> Vec<&Record> {
        self.state.family(family)
    }

    /// Families (each once, in order) that carry the index row, after family `after`.
    pub fn indexed(&self, name: &str, value: &str, after: &str) -> Vec<Key> {
        self.state.indexed(name, value, after)
    }

    /// Keys of records that carry the index row, in order, from key `start` on; read as they are
    /// asked for.
    pub fn index_keys<'a>(
        &'a self,
        name: &'a str,
        value: &'a str,
        start: &str,
    ) -> impl Iterator<Item = &'a Key> {
        self.state.rows(name, value, start)
    }

    pub fn counter(&self, name: &str) -> i64 {
        self.state.counter(name)
    }

    /// Entries of a stream from sequence number `from` on.
    pub fn stream(&self, name: &str, from: u64) -> impl DoubleEndedIterator<Item = &StreamEntry> {
        self.state.stream(name, from)
    }

    /// Sequence number that a stream's next entry gets; what lies below the first kept entry has
    /// been dropped.
    pub fn stream_next(&self, name: &str) -> u64 {
        self.state.stream_next(name)
    }

    /// The state itself, for implementations that persist it.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }
}
