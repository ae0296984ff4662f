//! Nodes: register themselves; users tune what may be promised on them.

use novacron_model::node::{NodeSpec, NodeStatus};
use novacron_model::request::Draft;
use novacron_model::{Error, Level, Meta, Node, Object, Result, Time, name::Name};
use novacron_store::{Snapshot, Txn, object};
use uuid::Uuid;

use crate::admission::{Admitted, DeleteOptions, Request, Resource};
use crate::capacity;
use crate::journal::{self, Note};

const OVERCOMMIT: std::ops::RangeInclusive<f64> = 0.1..=64.0;

/// Creates the node's object when it is not there yet; otherwise the transaction is empty.
pub fn register(at: &Snapshot, now: Time, uid: Uuid, name: &Name, spec: NodeSpec) -> Result<Txn> {
    let mut txn = Txn::new();
    if object::get::<Node>(at, None, name.as_str())?.is_some() {
        return Ok(txn);
    }
    check(&spec)?;
    let meta = Meta {
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
    };
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
        let message = format!("node \"{}\" cannot be removed by this version", old.name());
        Err(Error::unsupported(message))
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
