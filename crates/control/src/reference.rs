//! What specs refer to by name: looked up in the snapshot, with errors that name the field, and
//! held still until the transaction is applied.

use novacron_model::catalogue::ImageName;
use novacron_model::image::{ImageSource, ImageState};
use novacron_model::{Error, Image, Kind, Name, Network, Object, Pool, Result, key};
use novacron_store::{Snapshot, Txn, object};
use uuid::Uuid;

use crate::admission::{Home, Request, unchanged};
use crate::coming;

pub(crate) fn pool(at: &Snapshot, txn: &mut Txn, name: &Name, field: &str) -> Result<()> {
    find::<Pool>(at, txn, None, name.as_str(), field).map(drop)
}

pub(crate) fn network(
    at: &Snapshot,
    txn: &mut Txn,
    home: &Home,
    name: &Name,
    field: &str,
) -> Result<Object<Network>> {
    find(at, txn, Some(home.uid), name.as_str(), field)
}

/// An image that can be used now.
pub(crate) fn image(
    at: &Snapshot,
    txn: &mut Txn,
    home: &Home,
    name: &Name,
    field: &str,
) -> Result<Object<Image>> {
    let image: Object<Image> = find(at, txn, Some(home.uid), name.as_str(), field)?;
    check_ready(&image, field)?;
    Ok(image)
}

/// An image that can be used now, or that is on its way from the catalogue: who uses it waits.
pub(crate) fn image_to_come(
    request: &Request<'_>,
    txn: &mut Txn,
    home: &Home,
    name: &ImageName,
    field: &str,
) -> Result<Object<Image>> {
    if let Some(brought) = request.published.brought(name.as_str()) {
        return Ok(brought.clone());
    }
    let image: Object<Image> = find(request.at, txn, Some(home.uid), name.as_str(), field)?;
    let published = matches!(image.spec.source, ImageSource::Catalogue(_));
    if !(published && coming::is_awaited(&image)) {
        check_ready(&image, field)?;
    }
    Ok(image)
}

fn check_ready(image: &Object<Image>, field: &str) -> Result<()> {
    let state = match image.status.state {
        ImageState::Ready => return Ok(()),
        ImageState::Importing => "still being imported",
        ImageState::Failed => "not usable: its import failed",
        ImageState::Deleting => "being deleted",
    };
    Err(Error::conflict(format!("image \"{}\" is {state}", image.name())).at(field))
}

fn find<K: Kind>(
    at: &Snapshot,
    txn: &mut Txn,
    scope: Option<Uuid>,
    name: &str,
    field: &str,
) -> Result<Object<K>> {
    let Some(found) = object::get::<K>(at, scope, name)? else {
        let kind = key::display_kind(K::KIND);
        return Err(Error::invalid(field, format!("{kind} \"{name}\" does not exist"))
            .hint(format!("`novacron {} list` shows what there is", K::KIND)));
    };
    unchanged(txn, scope, &found);
    Ok(found)
}
