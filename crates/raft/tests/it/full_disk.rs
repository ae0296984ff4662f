//! The disk runs full: clear refusals, deletions that still work, recovery by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use novacron_raft::{NoPeers, Options, RaftStore};
use novacron_store::{CommitError, Store, Txn};

use crate::ledger::{Ledger, raise};
use crate::power_loss::small;
use crate::sim_disk::SimDisk;

async fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_mins(1), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn open(disk: &SimDisk) -> Arc<RaftStore> {
    let options = Options { reserve_bytes: 256 << 10, ..small() };
    RaftStore::open_on(Arc::new(disk.clone()), options, Arc::new(NoPeers)).await.expect("opens")
}

fn deletion(n: u64) -> Txn {
    // A step of a deletion that writes first, as marking an object for deletion does.
    if n.is_multiple_of(2) { raise(0, n + 1).freeing() } else { Txn::new().delete("writer/none") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_takes_deletions_only_and_recovers() {
    let disk = SimDisk::new(1);
    let store = open(&disk).await;
    let mut ledger = Ledger::new(4);
    assert!(ledger.write(&store, 50).await.is_empty());
    assert!(!store.health().full);

    // Somebody else fills the disk: nothing is left beside what the store has.
    disk.set_capacity(disk.used_bytes());
    until("the disk is seen to be full", || store.health().full).await;
    let refused = ledger.write(&store, 1).await;
    assert_eq!(refused, vec![CommitError::StorageFull; 4]);
    for n in 0..200 {
        store.commit(Txn::new().delete(format!("writer/none-{n}"))).await.expect("is taken");
    }
    store.shutdown().await;

    let store = open(&disk).await;
    assert!(store.health().full, "a restart does not forget");
    assert_eq!(store.commit(raise(0, 51)).await, Err(CommitError::StorageFull));
    for n in 0..20 {
        store.commit(Txn::new().delete(format!("writer/none-{n}"))).await.expect("is taken");
    }

    disk.set_capacity(u64::MAX);
    until("there is space again", || !store.health().full).await;
    assert!(store.health().free_bytes > 0);
    store.commit(raise(0, 51)).await.expect("is taken again");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_that_outlast_the_reserve_are_refused_not_lost() {
    let disk = SimDisk::new(2);
    let store = open(&disk).await;
    disk.set_capacity(disk.used_bytes());
    until("the disk is seen to be full", || store.health().full).await;
    let mut taken = 0;
    let refused = loop {
        match store.commit(deletion(taken)).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        if taken == 5_000 {
            // Snapshots freed the log faster than it grew.
            break CommitError::StorageFull;
        }
    };
    assert_eq!(refused, CommitError::StorageFull);
    assert!(taken > 20, "only {taken} were taken");
    assert_eq!(store.health().failed, None);
    let before = store.snapshot().revision();
    disk.set_capacity(u64::MAX);
    until("there is space again", || !store.health().full).await;
    store.shutdown().await;
    let store = open(&disk).await;
    assert_eq!(store.snapshot().revision(), before);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_too_small_for_the_reserve_starts_full() {
    let disk = SimDisk::new(3);
    disk.set_capacity(40 << 10);
    let options = Options { reserve_bytes: 1 << 20, ..small() };
    let store =
        RaftStore::open_on(Arc::new(disk), options, Arc::new(NoPeers)).await.expect("opens");
    assert!(store.health().full);
    assert_eq!(store.commit(raise(0, 1)).await, Err(CommitError::StorageFull));
    store.shutdown().await;
}
