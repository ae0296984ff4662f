//! The oracle: writers who count, and a ledger of what was acknowledged to them. Each transaction
//! raises its writer's record, a counter and a stream together, so a lost, doubled or halved one
//! shows.

use std::sync::Arc;

use novacron_raft::RaftStore;
use novacron_store::txn::Append;
use novacron_store::{CommitError, CounterAdd, Precondition, Put, Revision, Store, Txn};
use serde_json::value::RawValue;

const TOTAL: &str = "total";
const STREAM: &str = "events";

/// For each writer: what was acknowledged last, and what was asked for last.
#[derive(Debug, Clone)]
pub struct Ledger {
    acknowledged: Vec<u64>,
    asked: Vec<u64>,
    /// By how much a restored store's revision is ahead of what was written.
    pub leapt: u64,
}

/// Raises the record of `writer` to `n`.
pub fn raise(writer: usize, n: u64) -> Txn {
    let padding = "x".repeat(usize::try_from(n * 37 % 700).expect("fits"));
    let json = |text: String| RawValue::from_string(text).expect("is JSON");
    let put = Put {
        key: format!("writer/{writer}").into(),
        value: json(format!("{{\"n\":{n},\"padding\":\"{padding}\"}}")),
        index: vec![("parity".to_owned(), (n % 2).to_string())],
    };
    let append = Append { stream: STREAM.to_owned(), value: json(n.to_string()), keep: 10 };
    let add = CounterAdd { name: TOTAL.to_owned(), delta: 1, min: None, max: None };
    Txn { puts: vec![put], counters: vec![add], appends: vec![append], ..Txn::new() }
}

impl Ledger {
    pub fn new(writers: usize) -> Self {
        Self { acknowledged: vec![0; writers], asked: vec![0; writers], leapt: 0 }
    }

    pub fn writers(&self) -> usize {
        self.asked.len()
    }

    pub fn asked(&mut self, writer: usize, n: u64) {
        self.asked[writer] = n;
    }

    pub fn acknowledged(&mut self, writer: usize, n: u64) {
        self.acknowledged[writer] = n;
    }

    /// Lets all writers count at once, each until it has made `count` steps or is refused.
    pub async fn write(&mut self, store: &Arc<RaftStore>, count: u64) -> Vec<CommitError> {
        let starts = stored(store, self.writers());
        let writers = starts.into_iter().enumerate().map(|(writer, start)| {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut done, mut at) = (start, written_at(&store, writer));
                while done < start + count {
                    match store.commit(raise(writer, done + 1).require(after(writer, at))).await {
                        Ok(revision) => at = Some(revision),
                        Err(error) => return (done, done + 1, Some(error)),
                    }
                    done += 1;
                }
                (done, done, None)
            })
        });
        let ended = futures::future::join_all(writers).await;
        let mut errors = Vec::new();
        for (writer, ended) in ended.into_iter().enumerate() {
            let (acknowledged, asked, error) = ended.expect("no panic");
            self.acknowledged[writer] = self.acknowledged[writer].max(acknowledged);
            self.asked[writer] = self.asked[writer].max(asked);
            errors.extend(error);
        }
        errors
    }

    /// Whether the store holds what it must: all that was acknowledged, nothing that was not asked
    /// for, nothing by halves.
    pub fn check(&self, store: &RaftStore) -> Result<(), String> {
        let stored = stored(store, self.writers());
        for (writer, n) in stored.iter().enumerate() {
            let (least, most) = (self.acknowledged[writer], self.asked[writer]);
            if !(least..=most).contains(n) {
                return Err(format!("writer {writer}: {n} is stored, {least} was acknowledged"));
            }
        }
        let at = store.snapshot();
        let sum: u64 = stored.iter().sum();
        let written = at.revision() - self.leapt;
        let seen = (at.counter(TOTAL).cast_unsigned(), at.stream_next(STREAM) - 1, written);
        if seen != (sum, sum, sum) {
            return Err(format!("{sum} were stored; counter, stream and revision say {seen:?}"));
        }
        Ok(())
    }
}

/// Nothing was written since: a step whose outcome was unknown and which comes after all cannot
/// be doubled by the one that takes its place.
fn after(writer: usize, at: Option<Revision>) -> Precondition {
    let key = format!("writer/{writer}").into();
    match at {
        None => Precondition::Absent(key),
        Some(at) => Precondition::At(key, at),
    }
}

fn written_at(store: &RaftStore, writer: usize) -> Option<Revision> {
    Some(store.snapshot().get(&format!("writer/{writer}"))?.revision)
}

/// What each writer's record says.
fn stored(store: &RaftStore, writers: usize) -> Vec<u64> {
    let at = store.snapshot();
    let n = |writer| {
        let record = at.get(&format!("writer/{writer}"))?;
        serde_json::from_str::<serde_json::Value>(record.value.get()).ok()?["n"].as_u64()
    };
    (0..writers).map(|writer| n(writer).unwrap_or(0)).collect()
}
