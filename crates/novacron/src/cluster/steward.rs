//! What the leader does for the cluster, and no one else: it plans, and it sees to it that those are
//! members and voters who should be.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use novacron_control::member::{Candidate, voters};
use novacron_model::{Member, Name, Node, Object};
use novacron_raft::{RaftStore, Wanted};
use novacron_store::{Snapshot, Store, object};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::control_loop;

/// How often it is looked whether members or voters have to change.
const LOOK: Duration = Duration::from_millis(500);
/// How long a member that was removed waits for the others to take its vote.
const VOTE_PATIENCE: Duration = Duration::from_mins(1);
/// How long one change may take; a majority may be out of reach.
const CHANGE_PATIENCE: Duration = Duration::from_secs(30);

/// Does the leader's work whenever this node leads. Should the control loop ever end by itself,
/// everything ends: a server that answers but plans nothing would look well.
pub async fn lead(store: Arc<RaftStore>, end: CancellationToken) -> Result<()> {
    let (mut leader, own) = (store.leader(), store.number());
    loop {
        let leads = leader.wait_for(|leader| *leader == Some(own));
        if end.run_until_cancelled(leads).await.is_none_or(|leads| leads.is_err()) {
            return Ok(());
        }
        info!("this node leads the cluster");
        let term = end.child_token();
        let shared: Arc<dyn Store> = store.clone();
        let mut planning = tokio::spawn(control_loop::run(shared, term.clone()));
        let tending = tokio::spawn(tend(store.clone(), term.clone()));
        let ended = tokio::select! {
            ended = &mut planning => Some(ended),
            _ = leader.wait_for(|leader| *leader != Some(own)) => None,
            () = end.cancelled() => None,
        };
        term.cancel();
        tending.await.context("the care of members has failed")?;
        match ended {
            None => planning.await.context("the control loop has failed")?,
            Some(_) if end.is_cancelled() => {}
            Some(ended) => {
                end.cancel();
                return ended.context("the control loop has ended");
            }
        }
    }
}

/// Brings members and voters to what they should be, step by step.
async fn tend(store: Arc<RaftStore>, term: CancellationToken) {
    while term.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        let wanted = wanted(&store).await;
        let step = tokio::time::timeout(CHANGE_PATIENCE, store.step_towards(&wanted));
        match term.run_until_cancelled(step).await {
            None | Some(Ok(Ok(_))) => {}
            Some(Ok(Err(why))) => warn!(%why, "the members were not changed"),
            Some(Err(_)) => {
                warn!("a change of members takes long: is a majority of the voters there?");
            }
        }
    }
}

async fn wanted(store: &RaftStore) -> Wanted {
    let seen = store.members().await;
    let at = store.snapshot();
    let members = object::list::<Member>(&at, None);
    let current: BTreeSet<u64> =
        seen.iter().filter(|member| member.voter).map(|member| member.number).collect();
    let zones: Vec<Option<Name>> = members.iter().map(|member| zone(&at, member)).collect();
    let candidates = members.iter().zip(&zones).map(|(member, zone)| {
        let number = member.spec.number;
        let reachable = seen.iter().any(|seen| seen.number == number && seen.reachable);
        Candidate {
            number,
            role: member.spec.role,
            zone: zone.as_ref().map(Name::as_str),
            reachable,
        }
    });
    let voters = voters(&candidates.collect::<Vec<_>>(), &current);
    let address = |member: &Object<Member>| (member.spec.number, member.spec.address.clone());
    Wanted { members: members.iter().map(address).collect(), voters }
}

fn zone(at: &Snapshot, member: &Object<Member>) -> Option<Name> {
    let node = object::get::<Node>(at, None, member.name()).ok().flatten()?;
    node.spec.zone
}

/// Ends everything once this node is no member any more, and the others can do without its vote: a
/// leader that was removed still hands it on.
pub async fn watch_own(store: Arc<RaftStore>, name: String, end: CancellationToken) {
    let mut watch = follow(&store);
    loop {
        let gone =
            object::get::<Member>(&store.snapshot(), None, &name).is_ok_and(|own| own.is_none());
        if gone {
            let rid = tokio::time::timeout(VOTE_PATIENCE, rid_of_vote(&store));
            // Others may be out of reach; then there is nothing to wait for.
            let _ = end.run_until_cancelled(rid).await;
            error!(
                "this node was removed from its cluster, and stops; to use it again, give it a new --data-dir"
            );
            end.cancel();
            return;
        }
        match end.run_until_cancelled(watch.next()).await {
            None | Some(None) => return,
            Some(Some(Ok(_))) => {}
            Some(Some(Err(_))) => watch = follow(&store),
        }
    }
}

async fn rid_of_vote(store: &RaftStore) {
    while store.known_voters().contains(&store.number()) {
        tokio::time::sleep(LOOK).await;
    }
}

fn follow(store: &RaftStore) -> novacron_store::Watch {
    let prefix = novacron_store::Selection::Prefix("member/".to_owned());
    store.watch(prefix, store.snapshot().revision())
}
