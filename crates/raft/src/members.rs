//! Who belongs to the cluster: what the leader sees, and how it brings about what is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::{BasicNode, ChangeMembers, RaftMetrics, ServerState};
use serde::{Deserialize, Serialize};

use crate::network::Heard;
use crate::types::Raft;

/// A member that has not answered for this long counts as out of reach.
const REACH: Duration = Duration::from_secs(3);
/// A new voter may lack this many log entries at most, so that commits need not wait for it.
const CAUGHT_UP: u64 = 100;

/// One member, as the leader sees it, or, where nobody leads, as this one does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub number: u64,
    /// `host:port`.
    pub address: String,
    pub voter: bool,
    pub leader: bool,
    pub reachable: bool,
    /// Log entries that it has not confirmed yet; the leader alone knows.
    pub lag: Option<u64>,
}

/// Who should belong to the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Addresses by number.
    pub members: BTreeMap<u64, String>,
    /// Some of them.
    pub voters: BTreeSet<u64>,
}

/// The members, if this node leads.
pub fn seen(now: &RaftMetrics<u64, BasicNode>, heard: &Heard) -> Option<Vec<Member>> {
    let confirmed = now.replication.as_ref().filter(|_| now.state == ServerState::Leader)?;
    let membership = now.membership_config.membership();
    let voters: BTreeSet<u64> = membership.voter_ids().collect();
    let last = now.last_log_index.map_or(0, |index| index + 1);
    let member = |(number, node): (&u64, &BasicNode)| {
        let leader = *number == now.id;
        let confirmed = confirmed.get(number).copied().flatten();
        let upto = confirmed.map_or(0, |id| id.index + 1);
        Member {
            number: *number,
            address: node.addr.clone(),
            voter: voters.contains(number),
            leader,
            reachable: leader || heard.within(*number, REACH),
            lag: Some(if leader { 0 } else { last.saturating_sub(upto) }),
        }
    };
    Some(membership.nodes().map(member).collect())
}

/// The next step from what is to what is wanted; `None`: nothing to do, or something to wait for.
///
/// Members come first as learners, vote once all wanted voters have caught up, and go when they
/// vote no more. So no voter is given up for one that is not ready.
pub fn next_step(
    is: &[Member],
    joint: bool,
    wanted: &Wanted,
) -> Option<ChangeMembers<u64, BasicNode>> {
    let have: BTreeMap<u64, &Member> = is.iter().map(|member| (member.number, member)).collect();
    let node = |address: &String| BasicNode { addr: address.clone() };
    // First where the old ones are: who comes must be able to reach them.
    let moved = |(number, address): &(&u64, &String)| {
        have.get(*number).is_some_and(|known| known.address != **address)
    };
    if let Some((number, address)) = wanted.members.iter().find(moved) {
        return Some(ChangeMembers::SetNodes(BTreeMap::from([(*number, node(address))])));
    }
    let missing = |(number, _): &(&u64, &String)| !have.contains_key(*number);
    if let Some((number, address)) = wanted.members.iter().find(missing) {
        return Some(ChangeMembers::AddNodes(BTreeMap::from([(*number, node(address))])));
    }
    let voters: BTreeSet<u64> =
        is.iter().filter(|member| member.voter).map(|member| member.number).collect();
    let ready = |number: &u64| {
        let member = have.get(number);
        member.is_some_and(|member| {
            member.voter || (member.reachable && member.lag.is_some_and(|lag| lag <= CAUGHT_UP))
        })
    };
    if (joint || voters != wanted.voters) && !wanted.voters.is_empty() {
        let all = wanted.voters.iter().all(ready);
        return all.then(|| ChangeMembers::ReplaceAllVoters(wanted.voters.clone()));
    }
    let gone: BTreeSet<u64> =
        have.keys().filter(|number| !wanted.members.contains_key(number)).copied().collect();
    (!gone.is_empty()).then_some(ChangeMembers::RemoveNodes(gone))
}

/// Takes one step, if one is due; returns whether it did.
pub async fn step(raft: &Raft, heard: &Heard, wanted: &Wanted) -> Result<bool, String> {
    let change = {
        let metrics = raft.metrics();
        let now = metrics.borrow();
        let joint = now.membership_config.membership().get_joint_config().len() > 1;
        seen(&now, heard).and_then(|is| next_step(&is, joint, wanted))
    };
    let Some(change) = change else { return Ok(false) };
    raft.change_membership(change, true).await.map_err(|error| error.to_string())?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: u64, voter: bool, lag: u64) -> Member {
        let address = format!("h{number}:7601");
        Member { number, address, voter, leader: number == 1, reachable: true, lag: Some(lag) }
    }

    fn wanted(members: &[u64], voters: &[u64]) -> Wanted {
        let address = |number: &u64| (*number, format!("h{number}:7601"));
        Wanted {
            members: members.iter().map(address).collect(),
            voters: voters.iter().copied().collect(),
        }
    }

    fn voters(numbers: &[u64]) -> ChangeMembers<u64, BasicNode> {
        ChangeMembers::ReplaceAllVoters(numbers.iter().copied().collect())
    }

    #[test]
    fn nobody_votes_before_all_new_voters_have_caught_up() {
        let three = wanted(&[1, 2, 3], &[1, 2, 3]);
        let alone = [member(1, true, 0)];
        let added = next_step(&alone, false, &three);
        assert!(matches!(added, Some(ChangeMembers::AddNodes(nodes)) if nodes.contains_key(&2)));
        let behind = [member(1, true, 0), member(2, false, 0), member(3, false, 5000)];
        assert_eq!(next_step(&behind, false, &three), None);
        let ready = [member(1, true, 0), member(2, false, 0), member(3, false, 7)];
        assert_eq!(next_step(&ready, false, &three), Some(voters(&[1, 2, 3])));
    }

    #[test]
    fn a_voter_leaves_once_its_successor_votes() {
        let lost = Member { reachable: false, ..member(3, true, 900) };
        let successor = wanted(&[1, 2, 4], &[1, 2, 4]);
        let behind = [member(1, true, 0), member(2, true, 0), lost.clone(), member(4, false, 5000)];
        assert_eq!(next_step(&behind, false, &successor), None);
        let ready = [member(1, true, 0), member(2, true, 0), lost.clone(), member(4, false, 0)];
        assert_eq!(next_step(&ready, false, &successor), Some(voters(&[1, 2, 4])));
        let voting = [
            member(1, true, 0),
            member(2, true, 0),
            Member { voter: false, ..lost },
            member(4, true, 0),
        ];
        let removed = next_step(&voting, false, &successor);
        assert_eq!(removed, Some(ChangeMembers::RemoveNodes(BTreeSet::from([3]))));
    }

    #[test]
    fn a_change_that_broke_off_half_way_is_finished() {
        let is = [member(1, true, 0), member(2, true, 0), member(3, true, 0)];
        let all = wanted(&[1, 2, 3], &[1, 2, 3]);
        assert_eq!(next_step(&is, true, &all), Some(voters(&[1, 2, 3])));
        assert_eq!(next_step(&is, false, &all), None);
    }

    #[test]
    fn an_address_follows_its_member() {
        let mut all = wanted(&[1, 2], &[1]);
        all.members.insert(2, "elsewhere:7601".to_owned());
        let step = next_step(&[member(1, true, 0), member(2, false, 0)], false, &all);
        assert!(
            matches!(step, Some(ChangeMembers::SetNodes(nodes)) if nodes[&2].addr == "elsewhere:7601")
        );
    }
}
