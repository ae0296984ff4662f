//! Streams: sequence numbers, the hash chain, the bound.

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{Fixture, commit};
use crate::Txn;
use crate::txn::Append;

fn append(n: u64, keep: u64) -> Txn {
    let value = RawValue::from_string(format!("{{\"n\":{n}}}")).expect("is JSON");
    let append = Append { stream: "events".to_owned(), value, keep };
    Txn { appends: vec![append], ..Txn::new() }
}

pub async fn a_stream_numbers_and_chains_its_entries(fixture: &impl Fixture) {
    let store = fixture.store();
    let mut two = append(1, 100);
    two.merge(append(2, 100));
    let revision = commit(&*store, two).await;
    commit(&*store, append(3, 100)).await;
    let at = store.snapshot();
    let entries: Vec<_> = at.stream("events", 0).collect();
    let numbers: Vec<_> = entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(entries[1].revision, revision);
    let mut hash = [0; 32];
    for entry in entries {
        let mut hasher = Sha256::new();
        hasher.update(hash);
        hasher.update(entry.value.get());
        hash = hasher.finalize().into();
        assert_eq!(entry.hash, hash, "entry {}", entry.sequence);
    }
    assert_eq!(at.stream("other", 0).count(), 0);
    assert_eq!((at.stream_next("events"), at.stream_next("other")), (4, 1));
}

pub async fn a_stream_keeps_only_what_it_may(fixture: &impl Fixture) {
    let store = fixture.store();
    for n in 0..10 {
        commit(&*store, append(n, 4)).await;
    }
    let at = store.snapshot();
    let numbers: Vec<_> = at.stream("events", 0).map(|entry| entry.sequence).collect();
    assert_eq!(numbers, [7, 8, 9, 10]);
    commit(&*store, append(10, 0)).await;
    let at = store.snapshot();
    assert_eq!(at.stream("events", 0).count(), 0);
    commit(&*store, append(11, 4)).await;
    let at = store.snapshot();
    let numbers: Vec<_> = at.stream("events", 0).map(|entry| entry.sequence).collect();
    assert_eq!(numbers, [12]);
}

pub async fn a_stream_can_be_read_from_a_number(fixture: &impl Fixture) {
    let store = fixture.store();
    for n in 0..5 {
        commit(&*store, append(n, 100)).await;
    }
    let at = store.snapshot();
    let numbers: Vec<_> = at.stream("events", 4).map(|entry| entry.sequence).collect();
    assert_eq!(numbers, [4, 5]);
    let newest: Vec<_> = at.stream("events", 0).rev().take(2).map(|entry| entry.sequence).collect();
    assert_eq!(newest, [5, 4]);
}
