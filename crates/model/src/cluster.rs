//! The cluster as one look at it: who is there, who leads, and what may be lost.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::member::MemberRole;

/// `GET /v1/cluster`, as the node that answers sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClusterView {
    /// Never changes; absent as long as the cluster has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The node that leads; absent while there is none or it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// Raised with every election.
    pub term: u64,
    /// In the order of their numbers.
    pub members: Vec<MemberView>,
    /// How many vote.
    pub voters: u64,
    /// How many more voters may be lost before the cluster stops.
    pub tolerates: u64,
    /// What may be lost and what to do about it, in a sentence.
    pub summary: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberView {
    pub name: String,
    pub number: u64,
    #[serde(default)]
    pub address: String,
    pub role: MemberRole,
    /// It votes now.
    pub voter: bool,
    pub leader: bool,
    /// Absent: not known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reachable: Option<bool>,
    /// Entries of the log that it has yet to receive; known to the leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
}

impl ClusterView {
    /// What follows from its members is derived.
    pub fn of(id: Option<Uuid>, term: u64, mut members: Vec<MemberView>) -> Self {
        members.sort_by_key(|member| member.number);
        let quorum = Quorum::of(&members);
        Self {
            id,
            leader: members.iter().find(|member| member.leader).map(|leader| leader.name.clone()),
            term,
            voters: quorum.voters.len() as u64,
            tolerates: quorum.spare().unwrap_or(0) as u64,
            summary: summary(&members),
            members,
        }
    }
}

/// Who votes, and who of them is there.
struct Quorum<'a> {
    voters: Vec<&'a str>,
    lost: Vec<&'a str>,
}

impl<'a> Quorum<'a> {
    fn of(members: &'a [MemberView]) -> Self {
        let voters = members.iter().filter(|member| member.voter);
        let lost = voters.clone().filter(|member| member.reachable == Some(false));
        Self {
            lost: lost.map(|member| member.name.as_str()).collect(),
            voters: voters.map(|member| member.name.as_str()).collect(),
        }
    }

    fn there(&self) -> usize {
        self.voters.len() - self.lost.len()
    }

    fn needed(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// How many more may be lost; `None`: too many are.
    fn spare(&self) -> Option<usize> {
        self.there().checked_sub(self.needed())
    }
}

/// What may be lost and what to do about it.
pub fn summary(members: &[MemberView]) -> String {
    let quorum = Quorum::of(members);
    let Some(spare) = quorum.spare() else { return stopped(&quorum) };
    if let [_] = members {
        return "one node; add two more (or one and a witness) to survive the loss of one".into();
    }
    let said = match (quorum.lost.as_slice(), spare) {
        ([], 0) => fragile(&quorum.voters, members.len()),
        ([], spare) => format!("any {} of {} voters may be lost", word(spare), quorum.voters.len()),
        (lost, 0) => format!(
            "{} cannot be reached; losing another voter stops the cluster",
            nodes(lost, "and")
        ),
        (lost, spare) => format!(
            "{} cannot be reached; any {} of the other {} voters may still be lost",
            nodes(lost, "and"),
            word(spare),
            quorum.there(),
        ),
    };
    let away = members.iter().filter(|member| !member.voter && member.reachable == Some(false));
    let away: Vec<&str> = away.map(|member| member.name.as_str()).collect();
    match away.as_slice() {
        [] => said,
        away => format!("{said}; {}, without a vote, cannot be reached", nodes(away, "and")),
    }
}

/// Too few voters are there.
fn stopped(quorum: &Quorum<'_>) -> String {
    let (there, all, needed) = (quorum.there(), quorum.voters.len(), quorum.needed());
    if all == 0 {
        return "no node votes here: nothing can be changed".into();
    }
    let back = match needed - there {
        1 => format!("{} is back", nodes(&quorum.lost, "or")),
        more => format!("{} of {} are back", word(more), nodes(&quorum.lost, "and")),
    };
    format!(
        "only {there} of {all} voters can be reached and {needed} are needed: nothing can be \
         changed until {back}"
    )
}

/// Every voter is needed.
fn fragile(voters: &[&str], members: usize) -> String {
    let cure = match (voters.len(), members) {
        (_, ..=2) => "add a third node or a witness",
        (1, _) => "let two more nodes vote",
        _ => "let a third node vote",
    };
    format!("losing {} stops the cluster; {cure}", nodes(voters, "or"))
}

/// `node "a"`, `node "a" or "b"`, `nodes "a", "b" and "c"`.
fn nodes(names: &[&str], last: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => format!("node {only}"),
        Some((end, rest)) => {
            let noun = if last == "and" { "nodes" } else { "node" };
            format!("{noun} {} {last} {end}", rest.join(", "))
        }
    }
}

fn word(number: usize) -> String {
    match number {
        1 => "one".to_owned(),
        2 => "two".to_owned(),
        3 => "three".to_owned(),
        more => more.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `A` votes, `a` does not, `!` behind it: cannot be reached.
    fn members(text: &str) -> Vec<MemberView> {
        let mut members: Vec<MemberView> = Vec::new();
        for letter in text.chars() {
            if letter == '!' {
                let last = members.last_mut().unwrap();
                last.reachable = Some(false);
                continue;
            }
            let name = letter.to_ascii_lowercase().to_string();
            let (number, voter) = (members.len() as u64 + 1, letter.is_ascii_uppercase());
            members.push(MemberView { name, number, voter, ..MemberView::default() });
        }
        members
    }

    #[test]
    fn the_summary_says_what_may_be_lost() {
        for (cluster, said) in [
            ("A", "one node; add two more (or one and a witness) to survive the loss of one"),
            ("AB", r#"losing node "a" or "b" stops the cluster; add a third node or a witness"#),
            ("Ab", r#"losing node "a" stops the cluster; add a third node or a witness"#),
            ("Abc", r#"losing node "a" stops the cluster; let two more nodes vote"#),
            ("ABc", r#"losing node "a" or "b" stops the cluster; let a third node vote"#),
            ("ABC", "any one of 3 voters may be lost"),
            ("ABCD", "any one of 4 voters may be lost"),
            ("ABCDEf", "any two of 5 voters may be lost"),
            ("ABCDEFG", "any three of 7 voters may be lost"),
            ("ABC!", r#"node "c" cannot be reached; losing another voter stops the cluster"#),
            (
                "ABCD!E!",
                r#"nodes "d" and "e" cannot be reached; losing another voter stops the cluster"#,
            ),
            (
                "ABCDE!",
                r#"node "e" cannot be reached; any one of the other 4 voters may still be lost"#,
            ),
            (
                "ABCd!",
                r#"any one of 3 voters may be lost; node "d", without a vote, cannot be reached"#,
            ),
            (
                "AB!",
                r#"only 1 of 2 voters can be reached and 2 are needed: nothing can be changed until node "b" is back"#,
            ),
            (
                "AB!C!",
                r#"only 1 of 3 voters can be reached and 2 are needed: nothing can be changed until node "b" or "c" is back"#,
            ),
            (
                "A!B!C!",
                r#"only 0 of 3 voters can be reached and 2 are needed: nothing can be changed until two of nodes "a", "b" and "c" are back"#,
            ),
            ("", "no node votes here: nothing can be changed"),
        ] {
            assert_eq!(summary(&members(cluster)), said, "{cluster}");
        }
    }

    #[test]
    fn what_follows_from_the_members_is_derived() {
        for (cluster, voters, tolerates) in
            [("A", 1, 0), ("ABC", 3, 1), ("ABC!", 3, 0), ("ABCDEf", 5, 2), ("AB!C!", 3, 0)]
        {
            let view = ClusterView::of(None, 1, members(cluster));
            assert_eq!((view.voters, view.tolerates), (voters, tolerates), "{cluster}");
        }
        let mut two = members("AB");
        two[1].leader = true;
        two.reverse();
        let view = ClusterView::of(None, 7, two);
        assert_eq!((view.leader.as_deref(), view.members[0].name.as_str()), (Some("b"), "a"));
    }
}
