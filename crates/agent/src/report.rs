//! How the agent writes into the store: its own sections, with events beside them.
//!
//! Every write requires that the object's spec record still exists, so that a late report cannot
//! bring back a piece of what was removed.

use novacron_model::event::{Event, Level};
use novacron_model::task::LOG_LINES;
use novacron_model::{Kind, Object, Result, Task, key};
use novacron_store::{CommitError, Key, Precondition, Snapshot, Txn, events, object};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::node::Node;

/// A transaction that writes one section of an object.
pub(crate) fn section<T: Serialize + DeserializeOwned>(
    at: &Snapshot,
    family: &Key,
    name: &str,
    value: &T,
) -> Result<Txn> {
    let mut txn = Txn::new().require(Precondition::Present(family.clone()));
    object::put_section(&mut txn, at, family.as_str(), name, value, Vec::new())?;
    Ok(txn)
}

/// A transaction that says that nothing of a deleted object is left here.
pub(crate) fn cleaned(
    node: &Node,
    at: &Snapshot,
    family: &Key,
    target: Uuid,
    own_section: &str,
) -> Result<Txn> {
    let mut txn = section(at, family, key::CLEANED, &serde_json::json!({}))?;
    txn.frees = true;
    let own = key::section(family.as_str(), own_section);
    if at.get(&own).is_some() {
        txn = txn.delete(own);
    }
    add_log(&mut txn, node, at, family, target)?;
    Ok(txn)
}

/// Whether [`cleaned`] has been said already.
pub(crate) fn is_cleaned(at: &Snapshot, family: &Key) -> bool {
    at.get(&key::section(family.as_str(), key::CLEANED)).is_some()
}

/// Adds an event about `object`.
pub(crate) fn add_event<K: Kind>(
    txn: &mut Txn,
    node: &Node,
    object: &Object<K>,
    level: Level,
    kind: &str,
    text: String,
) -> Result<()> {
    let event = Event {
        sequence: 0,
        time: node.now(),
        level,
        kind: kind.to_owned(),
        object: Some(object.reference()),
        text,
        actor: format!("node {}", node.config.node),
    };
    events::append(txn, &event)
}

/// Adds to the open tasks about an object the log of the work that ends with this report. The caller
/// clears the board once the report is stored.
pub(crate) fn add_log(
    txn: &mut Txn,
    node: &Node,
    at: &Snapshot,
    family: &Key,
    target: Uuid,
) -> Result<()> {
    let log = node.board.log(target);
    if log.is_empty() {
        return Ok(());
    }
    for waiting in at.indexed(key::WAITS_ON, family.as_str(), "") {
        let task = Key::new(waiting.family());
        let Some(open) = object::by_key::<Task>(at, task.as_str()).ok().flatten() else { continue };
        if open.spec.target.uid == target {
            let mut lines = open.status.log;
            // What went on before it was asked for belongs to another task.
            lines.extend(log.iter().filter(|line| line.time >= open.meta.created).cloned());
            lines.drain(..lines.len().saturating_sub(LOG_LINES));
            txn.preconditions.push(Precondition::Present(task.clone()));
            object::put_section(txn, at, task.as_str(), "log", &lines, Vec::new())?;
        }
    }
    Ok(())
}

/// Says in the log why a report was not taken; a failed precondition is everyday life.
pub(crate) fn warn(family: &Key, error: &CommitError) {
    if matches!(error, CommitError::Precondition { .. }) {
        tracing::debug!(%family, %error, "report came late");
    } else {
        tracing::warn!(%family, %error, "report not stored; trying again");
    }
}
