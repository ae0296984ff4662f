//! A member leaves: it and its node go together.
//!
//! What lies on the node keeps it from going. By force it goes all the same, for a machine that
//! will not come back: its VMs, volumes and images stay listed where they were, are deleted without
//! it, and give their share of its counters back one by one.

use novacron_model::{Error, Member, Network, Node, Object, Pool, Result, Vm, key, network, pool};
use novacron_store::{Precondition, Snapshot, Txn, object};

use super::{check_others, roll};
use crate::admission::{Admitted, DeleteOptions, Request, named};
use crate::index::{self, row};
use crate::journal::called;

pub(super) fn remove(
    request: &mut Request<'_>,
    member: &Object<Member>,
    options: DeleteOptions,
) -> Result<Admitted> {
    let (at, name) = (request.at, member.name());
    check_others(at, member, "name")?;
    let mut txn = Txn::new().freeing();
    if !options.force {
        check_empty(at, &mut txn, name)?;
    }
    roll::touch(&mut txn, at)?;
    object::remove(&mut txn, at, None, member);
    if let Some(node) = object::get::<Node>(at, None, name)? {
        object::remove(&mut txn, at, None, &node);
    }
    forget_reports(&mut txn, at, name);
    let about = member.reference();
    let text = format!("{} was removed with its node", called(&about));
    request.note(&mut txn, "member.removed", &about, text)?;
    Ok(Admitted::done(txn))
}

/// Refuses while something lies on the node, and until the transaction is applied.
pub(super) fn check_empty(at: &Snapshot, txn: &mut Txn, node: &str) -> Result<()> {
    let held = at.indexed(index::NODE, node, "");
    if held.is_empty() {
        let (key, value) = row(index::NODE, node);
        txn.preconditions.push(Precondition::NoIndex(key, value));
        return Ok(());
    }
    let message = match vms_on(at, node).len() {
        0 => format!("node \"{node}\" holds {}", named(&held)),
        1 => format!("node \"{node}\" runs 1 VM"),
        vms => format!("node \"{node}\" runs {vms} VMs"),
    };
    let them = if held.len() == 1 { "it" } else { "them" };
    Err(Error::conflict(message).hint(format!("move or delete {them} first")))
}

pub(super) fn vms_on(at: &Snapshot, node: &str) -> Vec<Object<Vm>> {
    object::indexed::<Vm>(at, index::NODE, node)
}

/// What the node said of networks and pools.
fn forget_reports(txn: &mut Txn, at: &Snapshot, node: &str) {
    let told =
        [(network::NODES, key::prefix::<Network>(None)), (pool::NODES, key::prefix::<Pool>(None))];
    for (list, prefix) in told {
        let section = format!("{list}/{node}");
        let reports = at.scan(&prefix, &prefix);
        let reports = reports.filter(|record| record.key.section() == Some(&section));
        txn.deletes.extend(reports.map(|record| record.key.clone()));
    }
}
