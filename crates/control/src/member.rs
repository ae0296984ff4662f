//! Members: who belongs to the cluster, who votes, and how nodes come and go.
//!
//! ```text
//!  register ─▶ first member ──┐
//!  join token ─▶ join ────────┼─▶ role: promote, demote ─▶ remove: member and node go together
//! ```
//!
//! What stands here is what should be: the server makes the voters of Raft those that [`voters`]
//! names. Every change of membership writes the roll, so that of two that are decided on the same
//! state one is decided anew.

mod join;
mod remove;
mod roll;
mod voters;

pub use join::{Joined, Joining, join};
pub use voters::{Candidate, voters};

use novacron_model::member::{MemberRole, MemberSpec, MemberStatus, check_address};
use novacron_model::request::{DeletePreview, Draft};
use novacron_model::{Error, Level, Member, Name, Node, Object, Result, Time};
use novacron_store::{Snapshot, Txn, object};
use uuid::Uuid;

use crate::admission::{Admitted, DeleteOptions, Request, Resource, fixed, rewrite};
use crate::journal::{self, Note};
use crate::node;

/// Makes a node's own member when there is none at all yet, and follows its address; otherwise the
/// transaction is empty. An empty address says nothing. Refused for a node that the cluster does
/// not know by this name and number.
pub fn register(
    at: &Snapshot,
    now: Time,
    uid: Uuid,
    name: &Name,
    number: u64,
    address: &str,
) -> Result<Txn> {
    if !address.is_empty() {
        check_address("address", address)?;
    }
    let members = object::list::<Member>(at, None);
    if members.is_empty() {
        return first(at, now, uid, name, number, address);
    }
    let Some(own) = members.iter().find(|member| member.spec.number == number) else {
        return Err(Error::conflict(format!("node \"{name}\" does not belong to the cluster"))
            .hint("it was removed; let it join anew with an empty data directory"));
    };
    if own.name() != name.as_str() {
        return Err(Error::conflict(format!("this node is member \"{}\"", own.name()))
            .hint(format!("a member keeps its name: start it with --name {}", own.name())));
    }
    let mut txn = Txn::new();
    if !address.is_empty() && own.spec.address != address {
        let mut moved = own.clone();
        address.clone_into(&mut moved.spec.address);
        rewrite(&mut txn, at, None, own, &moved, None)?;
    }
    Ok(txn)
}

/// Makes the state a node's own that was restored from a backup: of the members that the backup
/// knows none is there. Their nodes stay listed, with what lies on them.
pub fn start_over(at: &Snapshot, now: Time, uid: Uuid, name: &Name, number: u64) -> Result<Txn> {
    let members = object::list::<Member>(at, None);
    let is_own =
        |member: &Object<Member>| member.name() == name.as_str() && member.spec.number == number;
    if members.iter().all(is_own) && members.len() == 1 {
        return Ok(Txn::new());
    }
    let namesake = members.iter().find(|member| member.name() == name.as_str());
    let mut txn = match namesake {
        Some(namesake) => {
            let mut txn = Txn::new();
            roll::leap(&mut txn, at)?;
            let mut own = namesake.clone();
            own.spec = MemberSpec { number, address: String::new(), role: MemberRole::Auto };
            rewrite(&mut txn, at, None, namesake, &own, None)?;
            txn
        }
        None => first(at, now, uid, name, number, "")?,
    };
    for member in members.iter().filter(|member| member.name() != name.as_str()) {
        object::remove(&mut txn, at, None, member);
    }
    Ok(txn)
}

fn first(
    at: &Snapshot,
    now: Time,
    uid: Uuid,
    name: &Name,
    number: u64,
    address: &str,
) -> Result<Txn> {
    let mut txn = Txn::new();
    if object::list::<Member>(at, None).is_empty() {
        roll::enter(&mut txn, at, number)?;
    } else {
        roll::leap(&mut txn, at)?;
    }
    let meta = node::registered(name, uid, now);
    let spec = MemberSpec { number, address: address.to_owned(), role: MemberRole::Auto };
    let member = Object::<Member> { meta, spec, status: MemberStatus::default() };
    object::create(&mut txn, None, &member, Vec::new())?;
    let formed = Note {
        actor: &member.meta.owner,
        level: Level::Info,
        kind: "member.joined",
        object: Some(member.reference()),
        text: format!("node \"{name}\" formed the cluster"),
    };
    journal::note(&mut txn, now, formed)?;
    Ok(txn)
}

/// Lets a member vote whatever the others do.
pub fn promote(request: &mut Request<'_>, member: &Object<Member>) -> Result<Admitted> {
    give(request, member, MemberRole::Voter)
}

/// Takes a member's vote.
pub fn demote(request: &mut Request<'_>, member: &Object<Member>) -> Result<Admitted> {
    give(request, member, MemberRole::Worker)
}

fn give(request: &mut Request<'_>, member: &Object<Member>, role: MemberRole) -> Result<Admitted> {
    let spec = MemberSpec { role, ..member.spec.clone() };
    Member::update(request, member, Object { spec, ..member.clone() })
}

impl Resource for Member {
    fn create(_request: &mut Request<'_>, _draft: Draft<Self>) -> Result<Admitted> {
        Err(Error::unsupported("members are not created by hand")
            .hint("`novacron cluster token create` prints what `novacron server --join` takes"))
    }

    fn update(
        request: &mut Request<'_>,
        old: &Object<Self>,
        new: Object<Self>,
    ) -> Result<Admitted> {
        if old.spec.number != new.spec.number {
            return Err(fixed("spec.number"));
        }
        if old.spec.address != new.spec.address {
            return Err(fixed("spec.address").hint("a node tells its address when it starts"));
        }
        let mut txn = Txn::new();
        if old.spec.role != new.spec.role {
            check_role(request, &mut txn, old, new.spec.role)?;
            roll::touch(&mut txn, request.at)?;
        }
        request.put_changed(&mut txn, old, &new, None)?;
        Ok(Admitted::done(txn))
    }

    fn delete(
        request: &mut Request<'_>,
        old: &Object<Self>,
        options: DeleteOptions,
    ) -> Result<Admitted> {
        remove::remove(request, old, options)
    }

    fn preview_delete(at: &Snapshot, object: &Object<Self>) -> DeletePreview {
        let node = object::get::<Node>(at, None, object.name()).ok().flatten();
        DeletePreview {
            goes: node.iter().map(Object::reference).collect(),
            stays: remove::vms_on(at, object.name()).iter().map(Object::reference).collect(),
        }
    }
}

fn check_role(
    request: &Request<'_>,
    txn: &mut Txn,
    member: &Object<Member>,
    role: MemberRole,
) -> Result<()> {
    if !role.may_vote() {
        check_others(request.at, member, "spec.role")?;
    }
    if role == MemberRole::Witness {
        remove::check_empty(request.at, txn, member.name())?;
    }
    Ok(())
}

/// Refuses to do without a member that no other could vote in place of.
fn check_others(at: &Snapshot, member: &Object<Member>, field: &str) -> Result<()> {
    let members = object::list::<Member>(at, None);
    let mut others = members.iter().filter(|other| other.spec.number != member.spec.number);
    if others.any(|other| other.spec.role.may_vote()) {
        return Ok(());
    }
    let message = format!("no other member than \"{}\" may vote", member.name());
    Err(Error::conflict(message)
        .at(field)
        .hint("let a node join, or promote a worker with `novacron cluster promote`"))
}
