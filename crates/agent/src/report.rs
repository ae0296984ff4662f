//! How the agent writes into the store: its own sections, with events beside them.
//!
//! Every write requires that the object's spec record still exists, so that a late report cannot
//! bring back a piece of what was removed.

use novacron_model::event::{self, Event, Level};
use novacron_model::{Error, Kind, Object, Result, key};
use novacron_store::txn::Append;
use novacron_store::{CommitError, Key, Precondition, Snapshot, Txn, object};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

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
pub(crate) fn cleaned(at: &Snapshot, family: &Key, own_section: &str) -> Result<Txn> {
    let mut txn = section(at, family, key::CLEANED, &serde_json::json!({}))?;
    txn.frees = true;
    let own = key::section(family.as_str(), own_section);
    if at.get(&own).is_some() {
        txn = txn.delete(own);
    }
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
    let text = serde_json::to_string(&event).map_err(|error| Error::internal(error.to_string()))?;
    let value = RawValue::from_string(text).map_err(|error| Error::internal(error.to_string()))?;
    txn.appends.push(Append { stream: event::STREAM.to_owned(), value, keep: event::KEEP });
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
