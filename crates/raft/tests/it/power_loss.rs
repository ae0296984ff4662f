//! Power cuts at any operation, on a simulated disk; failing syncs; and the proof that the oracle
//! sees a store that does not sync.

use std::sync::Arc;

use novacron_raft::{NoPeers, Options, RaftStore};
use novacron_store::{CommitError, Store};

use crate::ledger::{Ledger, raise};
use crate::sim_disk::{Chance, Faults, SimDisk};

const WRITERS: usize = 4;

/// Small, so that segments roll and snapshots are taken all the time.
pub fn small() -> Options {
    Options {
        segment_bytes: 16 << 10,
        snapshot_entries: 15,
        snapshot_bytes: 64 << 10,
        reserve_bytes: 64 << 10,
        low_water_bytes: 32 << 10,
        ..Options::default()
    }
}

/// Lets writers write while the power is cut again and again. `Err` says what was lost.
async fn live_through_power_cuts(seed: u64, cuts: u64, ignore_syncs: bool) -> Result<(), String> {
    let mut chance = Chance::new(seed);
    let mut disk = SimDisk::new(seed);
    let mut ledger = Ledger::new(WRITERS);
    for _ in 0..cuts {
        let power_off_after = Some(1 + chance.below(600));
        disk.set_faults(Faults { power_off_after, ignore_syncs, ..Faults::default() });
        match RaftStore::open_on(Arc::new(disk.clone()), small(), Arc::new(NoPeers)).await {
            Ok(store) => {
                ledger.check(&store)?;
                ledger.write(&store, 1_000_000).await;
            }
            Err(error) if !disk.is_off() => return Err(error.to_string()),
            Err(_) => {}
        }
        disk = disk.power_cycle();
    }
    let store = RaftStore::open_on(Arc::new(disk), small(), Arc::new(NoPeers)).await;
    let store = store.map_err(|error| error.to_string())?;
    ledger.check(&store)?;
    store.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_lose_nothing_that_was_acknowledged() {
    for seed in 0..40 {
        let lived = live_through_power_cuts(seed, 6, false).await;
        assert_eq!(lived, Ok(()), "seed {seed}");
    }
}

/// Planted fault: without syncs the oracle must cry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_ignores_syncs_is_caught() {
    for seed in 0..20 {
        if live_through_power_cuts(seed, 6, true).await.is_err() {
            return;
        }
    }
    panic!("nobody noticed that nothing was synced");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_stops_the_store_for_good() {
    let disk = SimDisk::new(1);
    let mut ledger = Ledger::new(WRITERS);
    let store = RaftStore::open_on(Arc::new(disk.clone()), Options::default(), Arc::new(NoPeers))
        .await
        .expect("opens");
    assert!(ledger.write(&store, 20).await.is_empty());
    assert_eq!(store.health().failed, None);

    disk.set_faults(Faults { fail_sync_after: Some(3), ..Faults::default() });
    let errors = ledger.write(&store, 1000).await;
    assert_eq!(errors.len(), WRITERS, "{errors:?}");
    let is_unknown = |error: &CommitError| matches!(error, CommitError::Unknown(_));
    assert!(errors.iter().all(is_unknown), "{errors:?}");
    let failed = store.health().failed.expect("is reported");
    assert!(failed.contains("sim/log-000001"), "{failed}");

    // The disk works again, but what it holds is not known: nothing more is written.
    let again = store.commit(raise(0, 1)).await;
    assert!(again.as_ref().is_err_and(is_unknown), "{again:?}");
    store.shutdown().await;

    let store = RaftStore::open_on(Arc::new(disk.power_cycle()), small(), Arc::new(NoPeers))
        .await
        .expect("opens");
    assert_eq!(ledger.check(&store), Ok(()));
    assert!(ledger.write(&store, 20).await.is_empty());
    store.shutdown().await;
}
