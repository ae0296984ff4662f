//! What specs refer to by name: looked up in the snapshot, with errors that name the field, and
//! held still until the transaction is applied.

use novacron_model::image::ImageState;
use novacron_model::{Error, Image, Kind, Name, Network, Object, Pool, Result, key};
use novacron_store::{Snapshot, Txn, object};
use uuid::Uuid;

use crate::admission::{Home, unchanged};

pub(crate) fn pool(at: &Snapshot, txn: &mut Txn, name: &Name, field: &str) -> Result<()> {
    find::<Pool>(at, txn, None, name, field).map(drop)
}

pub(crate) fn network(
    at: &Snapshot,
    txn: &mut Txn,
    home: &Home,
    name: &Name,
    field: &str,
) -> Result<Object<Network>> {
    find(at, txn, Some(home.uid), name, field)
}

/// An image that can be used now.
pub(crate) fn image(
    at: &Snapshot,
    txn: &mut Txn,
    home: &Home,
    name: &Name,
    field: &str,
) -> Result<Object<Image>> {
    let image: Object<Image> = find(at, txn, Some(home.uid), name, field)?;
    let state = match image.status.state {
        ImageState::Ready => return Ok(image),
        ImageState::Importing => "still being imported",
        ImageState::Failed => "not usable: its import failed",
        ImageState::Deleting => "being deleted",
    };
    Err(Error::conflict(format!("image \"{name}\" is {state}")).at(field))
}

fn find<K: Kind>(
    at: &Snapshot,
    txn: &mut Txn,
    scope: Option<Uuid>,
    name: &Name,
    field: &str,
) -> Result<Object<K>> {
    let Some(found) = object::get::<K>(at, scope, name.as_str())? else {
        let kind = key::display_kind(K::KIND);
        return Err(Error::invalid(field, format!("{kind} \"{name}\" does not exist"))
            .hint(format!("`novacron {} list` shows what there is", K::KIND)));
    };
    unchanged(txn, scope, &found);
    Ok(found)
}
