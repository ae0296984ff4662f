//! The state machine: pure, deterministic, shared by every implementation.
//!
//! All maps are persistent (`imbl`), so a clone is O(1) and snapshots cost nothing to readers.

use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::Revision;
use crate::hub::{FamilyChange, Touched};
use crate::key::{Key, SECTION_MARK};
use crate::snapshot::Record;
use crate::txn::{Append, CommitError, CounterAdd, Precondition, Put, Txn};

#[derive(Debug, Clone, Default)]
pub struct State {
    revision: Revision,
    records: OrdMap<Key, Record>,
    /// (name, value, key), in order.
    index: OrdSet<(String, String, Key)>,
    counters: OrdMap<String, i64>,
    streams: OrdMap<String, Stream>,
}

#[derive(Debug, Clone, Default)]
struct Stream {
    /// Sequence number of the next entry; the first is 1.
    next: u64,
    /// Hash over all entries so far, kept ones and dropped ones.
    hash: [u8; 32],
    entries: OrdMap<u64, StreamEntry>,
}

/// One entry of a stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StreamEntry {
    pub sequence: u64,
    /// The revision that appended it.
    pub revision: Revision,
    /// JSON.
    pub value: Arc<RawValue>,
    /// SHA-256 over the former entry's hash and this value.
    #[serde(with = "hex")]
    pub hash: [u8; 32],
}

/// One line of a serialised state; see [`State::dump`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    Record(Record),
    Counter(String, i64),
    Stream {
        name: String,
        next: u64,
        #[serde(with = "hex")]
        hash: [u8; 32],
    },
    Entry(String, StreamEntry),
}

impl State {
    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub(crate) fn records(&self) -> &OrdMap<Key, Record> {
        &self.records
    }

    pub fn counter(&self, name: &str) -> i64 {
        self.counters.get(name).copied().unwrap_or(0)
    }

    /// All counters whose name starts with `prefix`, in order.
    pub fn counters<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, i64)> {
        self.counters
            .range::<_, str>(from(prefix))
            .map(|(name, value)| (name.as_str(), *value))
            .take_while(move |(name, _)| name.starts_with(prefix))
    }

    pub fn stream(&self, name: &str, from: u64) -> impl DoubleEndedIterator<Item = &StreamEntry> {
        let entries = self.streams.get(name).map(|stream| stream.entries.range(from..));
        entries.into_iter().flatten().map(|(_, entry)| entry)
    }

    /// Sequence number that a stream's next entry gets; what lies below the first kept entry has
    /// been dropped.
    pub fn stream_next(&self, name: &str) -> u64 {
        self.streams.get(name).map_or(1, |stream| stream.next.max(1))
    }

    pub fn family(&self, family: &str) -> Vec<&Record> {
        let sections = format!("{family}{SECTION_MARK}");
        let own = self.records.get(family);
        let rest = self.records.range::<_, str>(from(&sections)).map(|(_, record)| record);
        own.into_iter()
            .chain(rest.take_while(|record| record.key.as_str().starts_with(&sections)))
            .collect()
    }

    /// Families that carry the index row, in order, after family `after`.
    pub fn indexed(&self, name: &str, value: &str, after: &str) -> Vec<Key> {
        let mut families: Vec<Key> = Vec::new();
        for key in self.rows(name, value, after) {
            let family = key.family();
            let known = families.last().is_some_and(|last| last.as_str() == family);
            if family > after && !known {
                families.push(Key::new(family));
            }
        }
        families
    }

    /// Keys of the records that carry the index row, in order, from `start` on.
    pub(crate) fn rows<'a>(
        &'a self,
        name: &'a str,
        value: &'a str,
        start: &str,
    ) -> impl Iterator<Item = &'a Key> {
        let start = (name.to_owned(), value.to_owned(), Key::new(start));
        self.index
            .range(start..)
            .take_while(move |(row_name, row_value, _)| row_name == name && row_value == value)
            .map(|(_, _, key)| key)
    }

    /// Applies a transaction as the next revision. On `Err` nothing has changed.
    pub fn apply(&mut self, txn: &Txn) -> Result<Touched, CommitError> {
        self.check(txn)?;
        let revision = self.revision + 1;
        self.revision = revision;
        let families = self.touched_families(txn);
        let before: Vec<_> = families.iter().map(|family| self.index_rows(family)).collect();
        for key in &txn.deletes {
            self.remove(key);
        }
        for put in &txn.puts {
            self.put(revision, put);
        }
        for add in &txn.counters {
            self.add(add);
        }
        let entries = txn.appends.iter().map(|append| self.append(revision, append)).collect();
        let families = families.into_iter().zip(before).map(|(family, before)| FamilyChange {
            records: self.family(family.as_str()).into_iter().cloned().collect(),
            after: self.index_rows(&family),
            family,
            before,
        });
        Ok(Touched { revision, families: families.collect(), entries })
    }

    fn check(&self, txn: &Txn) -> Result<(), CommitError> {
        let holds = |precondition: &Precondition| match precondition {
            Precondition::Absent(key) => !self.records.contains_key(key),
            Precondition::Present(key) => self.records.contains_key(key),
            Precondition::At(key, revision) => {
                self.records.get(key).is_some_and(|record| record.revision == *revision)
            }
            Precondition::NoIndex(name, value) => self.rows(name, value, "").next().is_none(),
            Precondition::NoIndexBeside(name, value, family) => {
                self.rows(name, value, "").all(|key| key.family() == family.as_str())
            }
        };
        if let Some(index) = txn.preconditions.iter().position(|each| !holds(each)) {
            return Err(CommitError::Precondition { index });
        }
        let mut sums: OrdMap<&str, i64> = OrdMap::new();
        for add in &txn.counters {
            let sum =
                sums.get(add.name.as_str()).copied().unwrap_or_else(|| self.counter(&add.name));
            let would_be = sum.saturating_add(add.delta);
            let above = add.max.filter(|max| add.delta > 0 && would_be > *max);
            let below = add.min.filter(|min| add.delta < 0 && would_be < *min);
            if let Some(limit) = above.or(below) {
                return Err(CommitError::Limit { name: add.name.clone(), would_be, limit });
            }
            sums.insert(&add.name, would_be);
        }
        Ok(())
    }

    /// Families of all puts and of the deletes that meet a record, each once, in order.
    fn touched_families(&self, txn: &Txn) -> Vec<Key> {
        let deleted = txn.deletes.iter().filter(|key| self.records.contains_key(*key));
        let keys = txn.puts.iter().map(|put| &put.key).chain(deleted);
        let mut families: Vec<Key> = keys.map(|key| Key::new(key.family())).collect();
        families.sort();
        families.dedup();
        families
    }

    fn index_rows(&self, family: &Key) -> Vec<(String, String)> {
        let records = self.family(family.as_str());
        records.iter().flat_map(|record| record.index.iter().cloned()).collect()
    }

    fn remove(&mut self, key: &Key) {
        if let Some(record) = self.records.remove(key) {
            for (name, value) in record.index.iter() {
                self.index.remove(&(name.clone(), value.clone(), key.clone()));
            }
        }
    }

    fn put(&mut self, revision: Revision, put: &Put) {
        self.remove(&put.key);
        self.insert(Record {
            key: put.key.clone(),
            value: put.value.clone().into(),
            revision,
            index: put.index.clone().into(),
        });
    }

    fn insert(&mut self, record: Record) {
        for (name, value) in record.index.iter() {
            self.index.insert((name.clone(), value.clone(), record.key.clone()));
        }
        self.records.insert(record.key.clone(), record);
    }

    fn add(&mut self, add: &CounterAdd) {
        let sum = self.counter(&add.name).saturating_add(add.delta);
        if sum == 0 {
            self.counters.remove(&add.name);
        } else {
            self.counters.insert(add.name.clone(), sum);
        }
    }

    fn append(&mut self, revision: Revision, append: &Append) -> (String, StreamEntry) {
        let stream = self.streams.entry(append.stream.clone()).or_default();
        let sequence = stream.next.max(1);
        let mut hasher = Sha256::new();
        hasher.update(stream.hash);
        hasher.update(append.value.get().as_bytes());
        let hash = hasher.finalize().into();
        let value: Arc<RawValue> = append.value.clone().into();
        let entry = StreamEntry { sequence, revision, value, hash };
        stream.next = sequence + 1;
        stream.hash = hash;
        stream.entries.insert(sequence, entry.clone());
        while stream.entries.len() as u64 > append.keep {
            let Some(oldest) = stream.entries.get_min().map(|(oldest, _)| *oldest) else { break };
            stream.entries.remove(&oldest);
        }
        (append.stream.clone(), entry)
    }

    /// Everything, item by item, in an order that [`State::load`] takes.
    pub fn dump(&self) -> impl Iterator<Item = Item> + '_ {
        let records = self.records.values().cloned().map(Item::Record);
        let counters = self.counters.iter().map(|(name, n)| Item::Counter(name.clone(), *n));
        let streams = self.streams.iter().flat_map(|(name, stream)| {
            let head = Item::Stream { name: name.clone(), next: stream.next, hash: stream.hash };
            let entries = stream.entries.values().cloned();
            std::iter::once(head).chain(entries.map(|entry| Item::Entry(name.clone(), entry)))
        });
        records.chain(counters).chain(streams)
    }

    /// Rebuilds a state from what [`State::dump`] gave.
    pub fn load(revision: Revision, items: impl IntoIterator<Item = Item>) -> Self {
        let mut state = Self { revision, ..Self::default() };
        for item in items {
            match item {
                Item::Record(record) => state.insert(record),
                Item::Counter(name, value) => {
                    state.counters.insert(name, value);
                }
                Item::Stream { name, next, hash } => {
                    state.streams.insert(name, Stream { next, hash, entries: OrdMap::new() });
                }
                Item::Entry(name, entry) => {
                    let stream = state.streams.entry(name).or_default();
                    stream.entries.insert(entry.sequence, entry);
                }
            }
        }
        state
    }
}

/// The range of everything at or after `start`.
pub(crate) fn from(start: &str) -> (Bound<&str>, Bound<&str>) {
    (Bound::Included(start), Bound::Unbounded)
}

/// Hashes as hex text.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    pub fn serialize<S: Serializer>(hash: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(64);
        for byte in hash {
            text.extend([byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)] as char));
        }
        to.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let mut hash = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(D::Error::custom("a hash has 64 hex digits"));
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(D::Error::custom)?;
            *byte = u8::from_str_radix(digits, 16).map_err(D::Error::custom)?;
        }
        Ok(hash)
    }
}
