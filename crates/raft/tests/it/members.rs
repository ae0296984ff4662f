//! Several members: what one commits all have, whoever leads, goes, comes back or is cut off.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use novacron_raft::{Options, RaftStore};
use novacron_store::contract::Fixture;
use novacron_store::{CommitError, Put, Store, Txn};

use crate::cluster::{Cluster, quick};
use crate::ledger::{Ledger, raise};
use crate::sim_disk::Chance;

/// A follower keeps the contract of every store.
struct Follower {
    store: Arc<RaftStore>,
    cluster: Cluster,
}

impl Fixture for Follower {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            for store in self.cluster.members.values() {
                store.shutdown().await;
            }
        })
    }
}

async fn follower() -> Follower {
    let cluster = Cluster::of(3, quick()).await;
    let number = cluster.follower().await;
    Follower { store: cluster.members[&number].clone(), cluster }
}

novacron_store::contract_tests!(follower);

#[tokio::test(flavor = "multi_thread")]
async fn every_member_takes_transactions_and_has_them_all() {
    let cluster = Cluster::of(3, quick()).await;
    for (writer, store) in (0_usize..).zip(cluster.members.values()) {
        let revision = store.commit(raise(writer, 1)).await.expect("commits");
        let here = store.snapshot();
        assert!(here.revision() >= revision, "who commits reads what he wrote");
        assert!(here.get(&format!("writer/{writer}")).is_some());
    }
    assert_eq!(cluster.level().await, 3);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_the_leader_loses_nothing() {
    let mut cluster = Cluster::of(3, quick()).await;
    let mut ledger = Ledger::new(4);
    let leader = cluster.leader().await;
    ledger.write(&cluster.members[&leader].clone(), 10).await;
    cluster.stop(leader).await;
    let next = cluster.leader().await;
    assert_ne!(next, leader);
    let follower = cluster.follower().await;
    let errors = ledger.write(&cluster.members[&follower].clone(), 10).await;
    assert!(errors.is_empty(), "{errors:?}");
    cluster.start(leader).await;
    cluster.level().await;
    for store in cluster.members.values() {
        ledger.check(store).expect("holds what it must");
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_promises_nothing() {
    let cluster = Cluster::of(3, quick()).await;
    let old = cluster.leader().await;
    cluster.members[&old].commit(raise(0, 1)).await.expect("commits");
    cluster.board.isolate(old);
    let cut_off = cluster.members[&old].commit(raise(0, 2)).await;
    assert!(matches!(cut_off, Err(CommitError::Unknown(_) | CommitError::NoLeader)), "{cut_off:?}");
    let rest = cluster.members.iter().find(|(number, _)| **number != old).expect("others run").1;
    rest.commit(raise(1, 1)).await.expect("the majority goes on");
    cluster.board.heal();
    cluster.level().await;
    let at = cluster.members[&old].snapshot();
    assert!(at.get("writer/1").is_some(), "what the majority did reaches it");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_answer_is_lost_is_not_sent_again() {
    let cluster = Cluster::of(3, quick()).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    cluster.board.mute(follower, leader);
    let lost = cluster.members[&follower].commit(raise(0, 1)).await;
    assert!(matches!(lost, Err(CommitError::Unknown(_))), "{lost:?}");
    cluster.board.heal();
    assert_eq!(cluster.level().await, 1, "it was committed once");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_nothing_is_done_and_it_is_said() {
    let mut cluster = Cluster::of(3, quick()).await;
    let follower = cluster.follower().await;
    let others: Vec<u64> =
        cluster.members.keys().copied().filter(|number| *number != follower).collect();
    for other in others {
        cluster.stop(other).await;
    }
    let refused = cluster.members[&follower].commit(raise(0, 1)).await;
    let named = matches!(refused, Err(CommitError::NoLeader | CommitError::Unknown(_)));
    assert!(named, "{refused:?}");
    assert_eq!(cluster.members[&follower].snapshot().revision(), 0);
    let seen = cluster.members[&follower].members().await;
    let there: Vec<u64> =
        seen.iter().filter(|member| member.reachable).map(|member| member.number).collect();
    assert_eq!((seen.len(), there), (3, vec![follower]), "it says who is there");
    assert!(seen.iter().all(|member| !member.leader), "nobody leads");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_far_behind_is_brought_up_by_a_snapshot() {
    let options = Options { snapshot_entries: 20, ..quick() };
    let mut cluster = Cluster::of(3, options).await;
    let mut ledger = Ledger::new(2);
    let away = cluster.follower().await;
    cluster.stop(away).await;
    let leader = cluster.leader().await;
    ledger.write(&cluster.members[&leader].clone(), 120).await;
    cluster.start(away).await;
    cluster.level().await;
    ledger.check(&cluster.members[&away]).expect("holds what it must");
    cluster.stop(away).await;
    cluster.start(away).await;
    cluster.level().await;
    ledger.check(&cluster.members[&away]).expect("and from its own disk");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_that_is_gone_is_replaced() {
    let mut cluster = Cluster::of(3, quick()).await;
    let dead = cluster.follower().await;
    cluster.stop(dead).await;
    cluster.start(4).await;
    let wanted: Vec<u64> = cluster.members.keys().copied().collect();
    cluster.want(&wanted).await;
    let newest = &cluster.members[&4];
    newest.commit(raise(0, 1)).await.expect("commits");
    cluster.level().await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_go_on_across_a_change_of_leaders() {
    let mut cluster = Cluster::of(3, quick()).await;
    let leader = cluster.leader().await;
    let watcher = cluster.follower().await;
    let store = cluster.members[&watcher].clone();
    let mut watch = store.watch(novacron_store::Selection::Prefix("writer/".to_owned()), 0);
    store.commit(raise(0, 1)).await.expect("commits");
    cluster.stop(leader).await;
    cluster.leader().await;
    store.commit(raise(1, 1)).await.expect("commits");
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let changes = tokio::time::timeout(Duration::from_secs(30), watch.next()).await;
        let changes = changes.expect("in time").expect("open").expect("not compacted");
        seen.extend(changes.into_iter().map(|change| format!("{change:?}")));
    }
    assert!(seen[0].contains("writer/0") && seen[1].contains("writer/1"), "{seen:?}");
    cluster.shutdown().await;
}

/// A record that makes a snapshot travel in several parts.
fn bulky(number: usize) -> Txn {
    let value = serde_json::value::to_raw_value(&"x".repeat(256 << 10)).expect("is JSON");
    let put = Put { key: format!("bulk/{number}").into(), value, index: Vec::new() };
    Txn { puts: vec![put], ..Txn::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_several_parts_arrives_whole() {
    let options = Options { snapshot_entries: 5, snapshot_bytes: 1 << 20, ..quick() };
    let mut cluster = Cluster::of(3, options).await;
    let away = cluster.follower().await;
    cluster.stop(away).await;
    let leader = cluster.members[&cluster.leader().await].clone();
    for number in 0..20 {
        leader.commit(bulky(number)).await.expect("commits");
    }
    cluster.start(away).await;
    cluster.level().await;
    let at = cluster.members[&away].snapshot();
    let whole = |number: &usize| {
        let record = at.get(&format!("bulk/{number}"));
        record.is_some_and(|record| record.value.get().len() == (256 << 10) + 2)
    };
    assert_eq!((0..20).filter(whole).count(), 20);
    cluster.shutdown().await;
}

/// Members stop, start and are cut off while writers write through all of them.
async fn storm(seed: u64) {
    let mut chance = Chance::new(seed);
    let mut cluster = Cluster::of(3, Options { snapshot_entries: 40, ..quick() }).await;
    let mut ledger = Ledger::new(3);
    for _ in 0..6 {
        let victim = 1 + chance.below(3);
        let stopped = match chance.below(4) {
            0 => {
                cluster.stop(victim).await;
                true
            }
            1 => {
                cluster.board.isolate(victim);
                false
            }
            2 => {
                cluster.board.cut(victim, 1 + victim % 3);
                false
            }
            _ => {
                cluster.board.lose_one_in(4);
                false
            }
        };
        let through = cluster.members.values().nth(usize::try_from(chance.below(2)).expect("fits"));
        let through = through.expect("two run").clone();
        ledger.write(&through, 5).await;
        if stopped {
            cluster.start(victim).await;
        }
        cluster.board.heal();
        cluster.leader().await;
        cluster.level().await;
        for store in cluster.members.values() {
            ledger.check(store).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        }
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_in_a_storm() {
    let seeds = if std::env::var_os("NOVACRON_NIGHTLY").is_some() { 40 } else { 2 };
    for seed in 0..seeds {
        storm(seed).await;
    }
}
