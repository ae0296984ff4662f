//! Who votes.

use std::collections::BTreeSet;

use novacron_control::member::{Candidate, voters};
use novacron_model::member::MemberRole;
use proptest::prelude::*;

/// `a`uto, `v`oter, `w`itness or wor`k`er, numbered from 1; a digit behind it is its zone, `!` one
/// that cannot be reached.
fn members(text: &str) -> Vec<Candidate<'_>> {
    let mut members: Vec<Candidate<'_>> = Vec::new();
    for (at, letter) in text.char_indices() {
        let role = match letter {
            'a' => MemberRole::Auto,
            'v' => MemberRole::Voter,
            'w' => MemberRole::Witness,
            'k' => MemberRole::Worker,
            '!' => {
                members.last_mut().unwrap().reachable = false;
                continue;
            }
            _ => {
                members.last_mut().unwrap().zone = Some(&text[at..=at]);
                continue;
            }
        };
        let number = members.len() as u64 + 1;
        members.push(Candidate { number, role, zone: None, reachable: true });
    }
    members
}

#[test]
fn voters_fit_the_cluster() {
    for (cluster, current, wanted) in [
        ("a", &[1][..], &[1][..]),
        ("a", &[], &[1]),
        ("aa", &[1], &[1]),
        ("av", &[1], &[1, 2]),
        ("vv", &[1], &[1, 2]),
        ("vw", &[1], &[1, 2]),
        ("aw", &[1], &[1, 2]),
        ("aaw", &[1], &[1, 2, 3]),
        ("aaa", &[1], &[1, 2, 3]),
        ("aaaa", &[2], &[1, 2, 3]),
        ("aaaaa", &[1, 2, 3], &[1, 2, 3, 4, 5]),
        ("aaaaaaaaa", &[], &[1, 2, 3, 4, 5, 6, 7]),
        ("akkkk", &[1], &[1]),
        ("kaaka", &[2], &[2, 3, 5]),
        ("vvvv", &[1], &[1, 2, 3, 4]),
        ("vvvva", &[1], &[1, 2, 3, 4, 5]),
        // Who votes goes on; who does not, votes only if it can be reached.
        ("aa!aa", &[1, 2, 3], &[1, 2, 3]),
        ("aaa!", &[1], &[1]),
        ("aaa!a", &[1], &[1, 2, 4]),
        ("av!", &[1], &[1]),
        // When fewer are to vote, who cannot be reached goes first.
        ("a!aak", &[1, 2, 3, 4], &[1, 2, 3]),
        ("a!aaa", &[1, 2, 3, 4, 5], &[2, 3, 4]),
        // Zones.
        ("a1a1a1a2a3", &[], &[1, 2, 3, 4, 5]),
        ("a1a1a2a3", &[], &[1, 3, 4]),
        ("a1a1a1a2", &[1], &[1, 2, 4]),
        ("a1a1a2a3", &[1, 2], &[1, 2, 3]),
        // Nobody may vote: who does goes on.
        ("kk", &[1], &[1]),
        ("", &[1], &[1]),
    ] {
        let current = current.iter().copied().collect();
        let chosen: Vec<u64> = voters(&members(cluster), &current).into_iter().collect();
        assert_eq!(chosen, wanted, "{cluster} after {current:?}");
    }
}

fn candidates() -> impl Strategy<Value = Vec<Candidate<'static>>> {
    let role = prop_oneof![
        6 => Just(MemberRole::Auto),
        1 => Just(MemberRole::Voter),
        1 => Just(MemberRole::Witness),
        2 => Just(MemberRole::Worker),
    ];
    let zone = proptest::option::of(proptest::sample::select(vec!["a", "b", "c"]));
    let each = (role, zone, proptest::bool::weighted(0.8));
    proptest::collection::vec(each, 1..12).prop_map(|each| {
        let numbered = each.into_iter().zip(1..);
        let candidate =
            |((role, zone, reachable), number)| Candidate { number, role, zone, reachable };
        numbered.map(candidate).collect()
    })
}

proptest! {
    #[test]
    fn voters_are_few_odd_and_lasting(
        members in candidates(),
        current in proptest::collection::btree_set(1_u64..12, 0..8),
    ) {
        let chosen = voters(&members, &current);
        let fit: Vec<&Candidate<'_>> = members
            .iter()
            .filter(|it| it.role.may_vote() && (it.reachable || current.contains(&it.number)))
            .collect();
        if fit.is_empty() {
            prop_assert_eq!(&chosen, &current);
            return Ok(());
        }
        prop_assert!(!chosen.is_empty() && chosen.len() <= 7);
        let forced: BTreeSet<u64> =
            fit.iter().filter(|it| it.role.must_vote()).map(|it| it.number).collect();
        let spare: BTreeSet<u64> =
            fit.iter().filter(|it| !it.role.must_vote()).map(|it| it.number).collect();
        prop_assert!(chosen.iter().all(|number| forced.contains(number) || spare.contains(number)));
        prop_assert!(forced.len() > 7 || forced.is_subset(&chosen));
        let witnesses = |set: &BTreeSet<u64>| {
            set.iter().all(|number| {
                members.iter().any(|it| it.number == *number && it.role == MemberRole::Witness)
            })
        };
        prop_assert!(spare.is_empty() || forced.len() >= 7 || !witnesses(&chosen));
        // Odd, unless only those that must vote do, or they needed company.
        let padded = forced.len() == 1 || (!forced.is_empty() && witnesses(&forced));
        prop_assert!(chosen.len() % 2 == 1 || chosen.is_subset(&forced) || padded);
        // Who votes goes on, but for those who must and for a smaller number.
        let before: BTreeSet<u64> =
            fit.iter().map(|it| it.number).filter(|it| current.contains(it)).collect();
        let new = forced.difference(&before).count();
        if chosen.len() >= before.len() + new {
            prop_assert!(before.is_subset(&chosen));
        }
        // What was chosen stays chosen, in whatever order members are listed.
        let mut reversed = members.clone();
        reversed.reverse();
        prop_assert_eq!(&voters(&reversed, &current), &chosen);
        prop_assert_eq!(&voters(&members, &chosen), &chosen);
    }
}
