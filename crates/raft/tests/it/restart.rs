//! What was committed is there after a restart, with and without snapshots in between.

use novacron_raft::{OpenError, Options, RaftStore};
use novacron_store::{CounterAdd, Put, Store, Txn};
use serde_json::value::RawValue;

fn put(key: &str, value: u64) -> Txn {
    let value = RawValue::from_string(format!("{{\"n\":{value}}}")).expect("is JSON");
    let index = vec![("tier".to_owned(), "web".to_owned())];
    Txn { puts: vec![Put { key: key.into(), value, index }], ..Txn::new() }
}

/// Everything in the store, as text.
fn content(store: &RaftStore) -> String {
    let at = store.snapshot();
    let items: Vec<_> = at.state().dump().collect();
    format!("{} {}", at.revision(), serde_json::to_string(&items).expect("serialises"))
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let mut before = String::new();
    for round in 0..4 {
        let store = RaftStore::open(dir.path(), Options::default()).await.expect("opens");
        if round > 0 {
            assert_eq!(content(&store), before);
        }
        for n in 0..20 {
            let add = CounterAdd { name: "cpu".to_owned(), delta: 1, min: None, max: None };
            let txn = put(&format!("vm/{round}-{n}"), n).count(add);
            store.commit(txn).await.expect("commits");
        }
        before = content(&store);
        store.shutdown().await;
    }
}

#[tokio::test]
async fn a_restart_after_many_snapshots_keeps_everything() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let options = Options {
        segment_bytes: 16 << 10,
        snapshot_entries: 50,
        reserve_bytes: 1 << 20,
        ..Options::default()
    };
    let mut before = String::new();
    for round in 0..4 {
        let store = RaftStore::open(dir.path(), options.clone()).await.expect("opens");
        if round > 0 {
            assert_eq!(content(&store), before);
        }
        for n in 0..300 {
            store.commit(put(&format!("vm/{}", n % 100), n)).await.expect("commits");
        }
        before = content(&store);
        store.shutdown().await;
    }
    let files: Vec<_> = std::fs::read_dir(dir.path()).expect("reads").collect();
    assert!(files.len() < 30, "old segments are removed: {files:?}");
    assert!(dir.path().join("snapshot").exists());
}

#[tokio::test]
async fn a_second_store_on_the_directory_is_refused() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let store = RaftStore::open(dir.path(), Options::default()).await.expect("opens");
    let second = RaftStore::open(dir.path(), Options::default()).await;
    let Err(OpenError::Locked { .. }) = second else { panic!("opened twice") };
    store.shutdown().await;
    let third = RaftStore::open(dir.path(), Options::default()).await.expect("opens");
    third.shutdown().await;
}
