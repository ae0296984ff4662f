//! Where files go: which nodes take part, and who waits for one.

use novacron_model::member::MemberRole;
use novacron_model::node::NodeState;
use novacron_model::volume::Location;
use novacron_model::{Kind, Member, Name, Node, Object, Result, key};
use novacron_store::{Key, Precondition, Snapshot, Txn, object};

use crate::admission::unchanged;
use crate::index::{self, row};

/// Status section with the node that holds an image or a volume.
pub(crate) const LOCATION: &str = "location";

pub(crate) fn ready_nodes(at: &Snapshot) -> Vec<Object<Node>> {
    let mut nodes = object::list::<Node>(at, None);
    nodes.retain(|node| node.status.state == NodeState::Ready && !is_witness(at, node.name()));
    nodes
}

/// Whether a node votes and does nothing else.
pub(crate) fn is_witness(at: &Snapshot, node: &str) -> bool {
    let member = object::get::<Member>(at, None, node).ok().flatten();
    member.is_some_and(|member| member.spec.role == MemberRole::Witness)
}

/// The ready node that holds the least, by number of VMs and files; the first by name among equals.
pub(crate) fn emptiest_node(at: &Snapshot) -> Option<Name> {
    let nodes = ready_nodes(at);
    let name = |node: &Object<Node>| Name::new(node.name()).ok();
    if let [only] = nodes.as_slice() {
        return name(only);
    }
    let load = |node: &&Object<Node>| at.indexed(index::NODE, node.name(), "").len();
    nodes.iter().min_by_key(load).and_then(name)
}

/// Gives an image or a volume its node, once.
pub(crate) fn locate<K: Kind>(
    txn: &mut Txn,
    at: &Snapshot,
    object: &Object<K>,
    family: &str,
    node: &Name,
) -> Result<()> {
    let section = key::section(family, LOCATION);
    txn.preconditions.push(Precondition::Absent(Key::new(&section)));
    txn.preconditions.push(Precondition::At(Key::new(family), object.meta.revision));
    let there = key::object::<Node>(None, node.as_str());
    txn.preconditions.push(Precondition::Present(Key::from(there)));
    let location = Location { node: node.clone() };
    object::put_section(txn, at, family, LOCATION, &location, vec![row(index::NODE, node)])
}

/// Nothing of a deleted object is left on its node: the node has said so, or is gone itself.
pub(crate) fn is_cleaned(at: &Snapshot, family: &str, node: &Name) -> bool {
    at.get(&key::section(family, key::CLEANED)).is_some()
        || at.get(&key::object::<Node>(None, node.as_str())).is_none()
}

/// Families of a kind that have no record for a section.
pub(crate) fn families_without<K: Kind>(at: &Snapshot, section: &str) -> Vec<Key> {
    let prefix = format!("{}/", K::KIND);
    let mut without: Vec<Key> = Vec::new();
    for record in at.scan(&prefix, &prefix) {
        match record.key.section() {
            None => without.push(record.key.clone()),
            Some(found) if found == section => {
                let family = record.key.family();
                if without.last().is_some_and(|last| last.as_str() == family) {
                    without.pop();
                }
            }
            Some(_) => {}
        }
    }
    without
}

/// Removes a deleting image or volume once its agent has cleaned up, or if none was ever told of
/// it.
pub(crate) fn finalise<K: Kind>(
    at: &Snapshot,
    object: &Object<K>,
    family: &str,
    location: Option<&Location>,
) -> Result<Option<Txn>> {
    if location.is_some_and(|location| !is_cleaned(at, family, &location.node)) {
        return Ok(None);
    }
    let mut txn = Txn { frees: true, ..Txn::new() };
    let scope = crate::admission::Home::of(at, object)?.uid;
    object::remove(&mut txn, at, Some(scope), object);
    if location.is_none() {
        txn.preconditions.push(Precondition::Absent(Key::from(key::section(family, LOCATION))));
    }
    Ok(Some(txn))
}

/// A deleting object's first step: marked, and a task that waits until it is gone.
pub(crate) fn begin_deletion<K: Kind>(
    request: &mut crate::Request<'_>,
    txn: &mut Txn,
    old: &Object<K>,
) -> Result<uuid::Uuid> {
    let marked = mark(request, txn, old)?;
    let about = old.reference();
    let text = format!("deletion of {} was asked for", crate::journal::called(&about));
    request.note(txn, &format!("{}.deleting", K::KIND), &about, text)?;
    crate::task::begin(request, txn, novacron_model::task::Action::Delete, &marked, 0)
}

/// Marks an object for deletion.
pub(crate) fn mark<K: Kind>(
    request: &crate::Request<'_>,
    txn: &mut Txn,
    old: &Object<K>,
) -> Result<Object<K>> {
    txn.frees = true;
    let marked = object::mark_deleting(old, request.now);
    let scope = request.home()?.uid;
    unchanged(txn, Some(scope), old);
    crate::admission::rewrite(txn, request.at, Some(scope), old, &marked, None)?;
    Ok(marked)
}
