//! Events as entries of their stream.

use novacron_model::event::{KEEP, STREAM};
use novacron_model::{Error, Event, Result};
use serde_json::value::to_raw_value;

use crate::Txn;
use crate::txn::Append;

/// Tells of what the transaction does, if it is done.
pub fn append(txn: &mut Txn, event: &Event) -> Result<()> {
    let value = to_raw_value(event).map_err(|error| Error::internal(error.to_string()))?;
    txn.appends.push(Append { stream: STREAM.to_owned(), value, keep: KEEP });
    Ok(())
}
