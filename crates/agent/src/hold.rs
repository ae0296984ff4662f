//! The node's hold: while it is in force, guests are to be down. Each VM's actor decides for its
//! own guest; here they are woken when that changes.

use std::sync::Arc;

use novacron_model::node::Hold;
use novacron_model::{Kind, Node as NodeKind, Vm, key};
use novacron_store::{Key, Precondition, Selection, Snapshot};

use crate::node::Node;
use crate::selection;

/// Of the node, written by admission.
const SECTION: &str = "hold";

/// The hold that is in force on this node in this boot of its host.
pub(crate) fn of(node: &Node, at: &Snapshot) -> Option<Hold> {
    let family = key::object::<NodeKind>(None, node.name());
    let record = at.get(&key::section(&family, SECTION))?;
    let hold = serde_json::from_str::<Hold>(record.value.get());
    if let Err(error) = &hold {
        tracing::warn!(key = %record.key, %error, "the hold cannot be read by this version");
    }
    hold.ok().filter(|hold| hold.holds(&node.config.host.boot_id))
}

/// That the hold is still as `at` has it.
pub(crate) fn unchanged(node: &Node, at: &Snapshot) -> Precondition {
    let key = Key::from(key::section(&key::object::<NodeKind>(None, node.name()), SECTION));
    match at.get(key.as_str()) {
        Some(record) => Precondition::At(key, record.revision),
        None => Precondition::Absent(key),
    }
}

/// Wakes all VMs whenever the hold changes.
pub(crate) async fn follow(node: Arc<Node>) {
    let family = key::object::<NodeKind>(None, node.name());
    loop {
        let at = node.store.snapshot();
        let mut watch = node.store.watch(Selection::Prefix(family.clone()), at.revision());
        let mut known = of(&node, &at);
        wake_all(&node, &at);
        loop {
            let changes = tokio::select! {
                () = node.ending.cancelled() => return,
                changes = watch.next() => changes,
            };
            match changes {
                None => return,
                // Fallen behind: look again, and hear from now on.
                Some(Err(_)) => break,
                Some(Ok(_)) => {}
            }
            let at = node.store.snapshot();
            let now = of(&node, &at);
            if now != known {
                wake_all(&node, &at);
                known = now;
            }
        }
    }
}

fn wake_all(node: &Arc<Node>, at: &Snapshot) {
    let prefix = format!("{}/", Vm::KIND);
    let families = at.indexed(key::NODE_INDEX, node.name(), "");
    for family in families.iter().filter(|family| family.as_str().starts_with(&prefix)) {
        selection::wake(node, family);
    }
}
