//! Who votes.
//!
//! Who must, does. Members that may fill the number up to the largest of 1, 3, 5 and 7 that there
//! are candidates for: an even number would bear no more losses than the odd one below it.

use std::collections::{BTreeMap, BTreeSet};

use novacron_model::member::MemberRole;

/// A group of more than seven decides slower and bears more losses than anybody plans for.
const MOST: usize = 7;

/// What counts of a member when voters are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    pub number: u64,
    pub role: MemberRole,
    pub zone: Option<&'a str>,
    /// One that cannot be reached gets no vote, which would only raise the quorum; who has one
    /// keeps it until the member is removed.
    pub reachable: bool,
}

/// The numbers of the members that should vote, `current` being those that do. Voters of now come
/// first, then zones with the fewest voters, then the lowest number. Never empty unless `current` is
/// and nobody may vote.
pub fn voters(members: &[Candidate<'_>], current: &BTreeSet<u64>) -> BTreeSet<u64> {
    let votes = |member: &Candidate<'_>| current.contains(&member.number);
    let fit = members.iter().filter(|member| member.role.may_vote());
    let fit = fit.filter(|member| member.reachable || votes(member));
    let (forced, spare): (Vec<_>, Vec<_>) = fit.copied().partition(|it| it.role.must_vote());
    let target = largest(forced.len() + spare.len());
    let mut chosen = Chosen::default();
    chosen.fill(forced, MOST, current);
    chosen.fill(spare, target.max(chosen.company()), current);
    if chosen.members.is_empty() {
        return current.clone();
    }
    chosen.members.iter().map(|member| member.number).collect()
}

/// The largest number of voters that so many candidates fill.
fn largest(candidates: usize) -> usize {
    let most = candidates.min(MOST);
    most - usize::from(most.is_multiple_of(2) && most > 0)
}

#[derive(Default)]
struct Chosen<'a> {
    members: Vec<Candidate<'a>>,
    zones: BTreeMap<Option<&'a str>, usize>,
}

impl<'a> Chosen<'a> {
    /// How many are to vote at least, beside those who must. Witnesses alone never decide while
    /// another may vote; and a vote that was asked for adds to that of a single node, in whose
    /// place it would bear no more losses.
    fn company(&self) -> usize {
        let witnesses = self.members.iter().all(|member| member.role == MemberRole::Witness);
        let more = self.members.len() == 1 || (witnesses && !self.members.is_empty());
        (self.members.len() + usize::from(more)).min(MOST)
    }

    /// Adds the best of `from`, one after the other, until there are `target`.
    fn fill(&mut self, mut from: Vec<Candidate<'a>>, target: usize, current: &BTreeSet<u64>) {
        while self.members.len() < target {
            let rank = |member: &Candidate<'a>| {
                let in_zone = self.zones.get(&member.zone).copied().unwrap_or(0);
                let new = !current.contains(&member.number);
                (new, !member.reachable, in_zone, member.number)
            };
            let best = from.iter().enumerate().min_by_key(|(_, member)| rank(member));
            let Some((place, _)) = best else { return };
            let best = from.swap_remove(place);
            *self.zones.entry(best.zone).or_default() += 1;
            self.members.push(best);
        }
    }
}
