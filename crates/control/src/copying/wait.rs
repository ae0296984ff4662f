//! Copies that wait until what they are made from can be read.

use novacron_model::snapshot::SnapshotState;
use novacron_model::{Error, Object, Result, Snapshot, Volume};
use novacron_store::{Snapshot as At, object};

use super::{failure, snapshot_name, source};
use crate::admission::Home;
use crate::coming::Coming;

/// Whether what a copy in the making is made from can be read yet; `None` for what is none.
pub(crate) fn coming(at: &At, home: &Home, volume: &Object<Volume>) -> Result<Option<Coming>> {
    let from = match source(at, home, volume) {
        Ok(Some(from)) => from,
        Ok(None) => return Ok(None),
        Err(error) => return Ok(Some(Coming::Failed(error))),
    };
    if let Some(error) = failure(&from) {
        return Ok(Some(Coming::Failed(error)));
    }
    if from.status.data.as_ref().is_none_or(|data| data.ready.is_none()) {
        return Ok(Some(Coming::Waiting(format!("waiting for volume \"{}\"", from.name()))));
    }
    of_snapshot(at, home, volume, &from).map(Some)
}

/// How the snapshot that is copied stands, if it is one.
fn of_snapshot(
    at: &At,
    home: &Home,
    volume: &Object<Volume>,
    from: &Object<Volume>,
) -> Result<Coming> {
    let uid = volume.status.copying.as_ref().and_then(|copying| copying.snapshot_uid);
    let (Some(source), Some(uid)) = (&volume.spec.source, uid) else { return Ok(Coming::Here) };
    let name = snapshot_name(from, source).unwrap_or_default();
    let found = object::get::<Snapshot>(at, Some(home.uid), &name)?;
    let Some(snapshot) = found.filter(|found| found.meta.uid == uid) else {
        let message = format!("snapshot \"{name}\", the source of the copy, is gone");
        return Ok(Coming::Failed(Error::conflict(message)));
    };
    let held = snapshot.status.data.as_ref().map_or(&[][..], |data| &data.volumes);
    let lacks = !held.is_empty() && held.iter().all(|held| held.as_str() != from.name());
    if lacks {
        let message = format!("snapshot \"{name}\" does not hold volume \"{}\"", from.name());
        return Ok(Coming::Failed(
            Error::conflict(message).hint("the guest did not have it when that was taken"),
        ));
    }
    Ok(match snapshot.status.state {
        SnapshotState::Ready => Coming::Here,
        SnapshotState::Creating => Coming::Waiting(format!("waiting for snapshot \"{name}\"")),
        SnapshotState::Failed | SnapshotState::Deleting => {
            let data = snapshot.status.data;
            let error = data.and_then(|data| data.error);
            let why = error.as_ref().map_or("it is being deleted", |error| error.message.as_str());
            let message = format!("snapshot \"{name}\" cannot be copied: {why}");
            Coming::Failed(Error {
                message,
                ..error.clone().unwrap_or_else(|| Error::conflict(""))
            })
        }
    })
}
