//! Transactions: preconditions, puts, deletes, counter adds, stream appends; whole or not at all.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Revision;
use crate::key::Key;

/// A transaction. Deletes are applied before puts, and of two puts of one key the later wins.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Txn {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preconditions: Vec<Precondition>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub puts: Vec<Put>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes: Vec<Key>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counters: Vec<CounterAdd>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub appends: Vec<Append>,
    /// A step of a deletion: taken also when only the store's reserve is left, although it writes.
    /// Whoever sets it promises that what it leads to frees more than it takes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frees: bool,
}

/// What must hold when the transaction is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precondition {
    Absent(Key),
    /// The record's last write was at this revision.
    At(Key, Revision),
    Present(Key),
    /// No record carries this index row.
    NoIndex(String, String),
    /// No record beside those of this family carries the index row.
    NoIndexBeside(String, String, Key),
}

/// Writes a record; its former index rows are replaced by these.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Put {
    pub key: Key,
    /// JSON.
    pub value: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub index: Vec<(String, String)>,
}

/// Adds to a counter within limits that are checked when applied. Absent counters are zero; a
/// counter that returns to zero is forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterAdd {
    pub name: String,
    pub delta: i64,
    /// The sum must be at least this; `None`: no limit. Not checked when `delta` is positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The sum must be at most this; `None`: no limit. Not checked when `delta` is negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
}

/// Appends to a stream; the sequence number is assigned when applied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Append {
    pub stream: String,
    /// JSON.
    pub value: Box<RawValue>,
    /// Drop the oldest entries beyond this many.
    pub keep: u64,
}

impl Txn {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn require(mut self, precondition: Precondition) -> Self {
        self.preconditions.push(precondition);
        self
    }

    pub fn delete(mut self, key: impl Into<Key>) -> Self {
        self.deletes.push(key.into());
        self
    }

    pub fn count(mut self, add: CounterAdd) -> Self {
        self.counters.push(add);
        self
    }

    /// Marks it as a step of a deletion: see [`Txn::frees`].
    pub fn freeing(mut self) -> Self {
        self.frees = true;
        self
    }

    /// Adds all of `other` behind what is here.
    pub fn merge(&mut self, other: Self) {
        self.preconditions.extend(other.preconditions);
        self.puts.extend(other.puts);
        self.deletes.extend(other.deletes);
        self.counters.extend(other.counters);
        self.appends.extend(other.appends);
        self.frees |= other.frees;
    }

    pub fn is_empty(&self) -> bool {
        self.puts.is_empty()
            && self.deletes.is_empty()
            && self.counters.is_empty()
            && self.appends.is_empty()
    }

    /// Whether it is taken when the disk is full: it only deletes, or is a step of a deletion.
    pub fn only_frees(&self) -> bool {
        self.frees || (self.puts.is_empty() && self.appends.is_empty())
    }
}

/// Why a transaction was not committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum CommitError {
    /// A precondition did not hold: read again, then decide.
    #[error("precondition {index} did not hold")]
    Precondition {
        /// Position in [`Txn::preconditions`].
        index: usize,
    },
    #[error("counter {name} would become {would_be}, beyond its limit {limit}")]
    Limit { name: String, would_be: i64, limit: i64 },
    /// Only the reserve is left on the store's disk: nothing but deletes is taken.
    #[error("the disk of the store is full")]
    StorageFull,
    /// The transaction is too large to be replicated.
    #[error("the transaction has {bytes} bytes; {max} are the limit")]
    TooLarge { bytes: usize, max: usize },
    /// Nothing was done: no node leads, or the leader cannot be reached.
    #[error("no node leads the cluster")]
    NoLeader,
    /// Not known whether it was or will be committed (shutting down, lost contact).
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
}
