//! The types that openraft is made of here, and what a log entry carries.

use std::fmt;
use std::sync::Arc;

use novacron_store::{CommitError, Revision, Txn};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::snapshot::StoredSnapshot;

openraft::declare_raft_types!(
    pub TypeConfig:
        D = Batch,
        R = Outcomes,
        SnapshotData = StoredSnapshot,
);

pub type Entry = openraft::Entry<TypeConfig>;
pub type LogId = openraft::LogId<u64>;
pub type Vote = openraft::Vote<u64>;
pub type Membership = openraft::StoredMembership<u64, openraft::BasicNode>;
pub type SnapshotMeta = openraft::SnapshotMeta<u64, openraft::BasicNode>;
pub type StorageError = openraft::StorageError<u64>;
pub type StorageIOError = openraft::StorageIOError<u64>;
pub type Raft = openraft::Raft<TypeConfig>;

/// The transactions that ride in one entry, in the order in which they are applied.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Batch {
    pub txns: Arc<[Proposal]>,
}

impl Batch {
    /// Roughly what it takes in the log.
    pub fn bytes(&self) -> u64 {
        let values = self.txns.iter().flat_map(|proposal| &proposal.txn.puts);
        values.map(|put| put.value.get().len() as u64 + 64).sum::<u64>() + 64
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch of {}", self.txns.len())
    }
}

/// What became of each transaction of a batch; empty for entries that carry none.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Outcomes(pub Vec<Result<Revision, CommitError>>);

/// A transaction with its stored form, which its writer has made on its own time.
pub struct Proposal {
    pub txn: Txn,
    json: Option<Box<RawValue>>,
}

impl Proposal {
    pub fn new(txn: Txn) -> Result<Self, serde_json::Error> {
        let json = Some(serde_json::value::to_raw_value(&txn)?);
        Ok(Self { txn, json })
    }

    /// Size of the stored form in bytes.
    pub fn bytes(&self) -> usize {
        self.json.as_ref().map_or(0, |json| json.get().len())
    }
}

impl Serialize for Proposal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.json {
            Some(json) => json.serialize(to),
            None => self.txn.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Proposal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self { txn: Txn::deserialize(from)?, json: None })
    }
}
