//! Nodes: register themselves; users tune what may be promised on them.

use novacron_model::node::{Hold, NodeSpec, NodeStatus};
use novacron_model::request::{Draft, StopRequest};
use novacron_model::{Error, Level, Meta, Node, Object, Result, Time, key, name::Name};
use novacron_store::{Key, Precondition, Snapshot, Txn, object};
use uuid::Uuid;

use crate::admission::{Admitted, DeleteOptions, Request, Resource};
use crate::journal::{self, Note};
use crate::{capacity, vm};

const OVERCOMMIT: std::ops::RangeInclusive<f64> = 0.1..=64.0;

/// Creates the node's object when it is not there yet; otherwise the transaction is empty.
pub fn register(at: &Snapshot, now: Time, uid: Uuid, name: &Name, spec: NodeSpec) -> Result<Txn> {
    let mut txn = Txn::new();
    if object::get::<Node>(at, None, name.as_str())?.is_some() {
        return Ok(txn);
    }
    check(&spec)?;
    let meta = registered(name, uid, now);
    let node = Object::<Node> { meta, spec, status: NodeStatus::default() };
    object::create(&mut txn, None, &node, Vec::new())?;
    let joined = Note {
        actor: &node.meta.owner,
        level: Level::Info,
        kind: "node.joined",
        object: Some(node.reference()),
        text: format!("node \"{name}\" joined"),
    };
    journal::note(&mut txn, now, joined)?;
    Ok(txn)
}

/// Of an object that a node makes of itself.
pub(crate) fn registered(name: &Name, uid: Uuid, now: Time) -> Meta {
    Meta {
        name: name.to_string(),
        project: None,
        uid,
        owner: format!("node {name}"),
        revision: 0,
        generation: 1,
        created: now,
        deleting: None,
        labels: std::collections::BTreeMap::new(),
        annotations: std::collections::BTreeMap::new(),
    }
}

/// Status section that holds the node's guests down.
const HOLD: &str = "hold";

/// Shuts the node's guests down and keeps them down until its host's next boot, or
/// [`start_guests`]. What their VMs should be doing stays as it is.
pub fn stop_guests(
    request: &mut Request<'_>,
    node: &Object<Node>,
    body: &StopRequest,
) -> Result<Admitted> {
    let name = node.name();
    let unknown = || Error::unavailable(format!("node \"{name}\" has not reported yet"));
    let report = node.status.report.as_ref().ok_or_else(unknown)?;
    let number = node.status.hold.as_ref().map_or(0, |hold| hold.number) + 1;
    let (boot_id, stop) = (report.boot_id.clone(), vm::stop_order(body)?);
    let hold = Hold { number, boot_id, since: request.now, stop, released: false };
    put_hold(request, node, &hold, "node.stop_guests", "is to shut its guests down")
}

/// Lets the node's guests start that [`stop_guests`] keeps down.
pub fn start_guests(request: &mut Request<'_>, node: &Object<Node>) -> Result<Admitted> {
    let Some(hold) = node.status.held() else { return Ok(Admitted::done(Txn::new())) };
    let hold = Hold { released: true, ..hold.clone() };
    put_hold(request, node, &hold, "node.start_guests", "may start its guests again")
}

fn put_hold(
    request: &Request<'_>,
    node: &Object<Node>,
    hold: &Hold,
    kind: &str,
    what: &str,
) -> Result<Admitted> {
    let family = key::object::<Node>(None, node.name());
    let mut txn = Txn::new().require(Precondition::Present(Key::new(&family)));
    object::put_section(&mut txn, request.at, &family, HOLD, hold, Vec::new())?;
    let text = format!("node \"{}\" {what}", node.name());
    request.note(&mut txn, kind, &node.reference(), text)?;
    Ok(Admitted::done(txn))
}

impl Resource for Node {
    fn create(_request: &mut Request<'_>, _draft: Draft<Self>) -> Result<Admitted> {
        Err(Error::unsupported("nodes are not created by hand")
            .hint("start `novacron server` on a machine: it joins by itself"))
    }

    fn update(
        request: &mut Request<'_>,
        old: &Object<Self>,
        new: Object<Self>,
    ) -> Result<Admitted> {
        check(&new.spec)?;
        let mut txn = Txn::new();
        request.put_changed(&mut txn, old, &new, None)?;
        Ok(Admitted::done(txn))
    }

    fn delete(
        _request: &mut Request<'_>,
        old: &Object<Self>,
        _options: DeleteOptions,
    ) -> Result<Admitted> {
        let name = old.name();
        let message = format!("node \"{name}\" goes together with its member");
        Err(Error::unsupported(message).hint(format!("`novacron cluster remove {name}`")))
    }

    fn complete(at: &Snapshot, node: &mut Object<Self>) {
        node.status.allocated = capacity::allocated(at, node.name());
    }
}

fn check(spec: &NodeSpec) -> Result<()> {
    let factors = [
        ("spec.cpu_overcommit", spec.cpu_overcommit),
        ("spec.memory_overcommit", spec.memory_overcommit),
    ];
    for (field, factor) in factors {
        if !OVERCOMMIT.contains(&factor) {
            let (min, max) = (OVERCOMMIT.start(), OVERCOMMIT.end());
            return Err(Error::invalid(field, format!("{field} lies between {min} and {max}")));
        }
    }
    Ok(())
}
