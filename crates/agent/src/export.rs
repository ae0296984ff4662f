//! Exports: the content of a volume, or of a snapshot of it, on its way to a client.
//!
//! It is read while the volume's turn is held, so that no guest starts on it and no snapshot goes
//! beneath it. What is sent then lies in the pool under no name and goes with the client.

use std::sync::Arc;

use novacron_model::snapshot::SnapshotState;
use novacron_model::volume::DiskFormat;
use novacron_model::{Error, Kind, Object, Result, Snapshot as VmSnapshot, Volume, key};
use novacron_store::{Key, Snapshot, object};
use uuid::Uuid;

use crate::node::{Node, family_of, project_of};
use crate::pool::{Content, ExportOrder};
use crate::volume::image_disk;

/// Waits for its turn, and for other exports of this node: each takes the room of a copy.
pub(crate) async fn volume(
    node: &Arc<Node>,
    volume: &Object<Volume>,
    snapshot: Option<&str>,
    into: DiskFormat,
) -> Result<Content> {
    let family = family_of(&node.store.snapshot(), volume)?;
    let staged = async {
        let _turn = node.turns.take(vec![volume.meta.uid]).await;
        let permit = node.exports.acquire().await;
        let _permit = permit.map_err(|_| ending())?;
        // It may have been started or deleted meanwhile.
        let at = node.store.snapshot();
        let volume = now(&at, &family, volume)?;
        let tag = match snapshot {
            Some(name) => Some(tag(&at, &family, &volume, name)?),
            None => idle(node, &volume).await.map(|()| None)?,
        };
        stage(node, &at, &family, &volume, tag, into).await
    };
    tokio::select! {
        staged = staged => staged,
        () = node.ending.cancelled() => Err(ending()),
    }
}

async fn stage(
    node: &Node,
    at: &Snapshot,
    family: &Key,
    volume: &Object<Volume>,
    snapshot: Option<Uuid>,
    into: DiskFormat,
) -> Result<Content> {
    let format = volume.spec.format;
    // A raw volume is a copy of its image, not an overlay.
    let backing = match format {
        DiskFormat::Qcow2 => image_disk(node, at, family, &volume.spec).await?,
        DiskFormat::Raw => None,
    };
    let pool = node.pool(at, volume.spec.pool.as_str()).await?;
    let order = ExportOrder { uid: volume.meta.uid, format, backing, snapshot, into };
    pool.export_volume(&order).await
}

/// The volume as it is now, if there is anything to read.
fn now(at: &Snapshot, family: &Key, asked: &Object<Volume>) -> Result<Object<Volume>> {
    let name = asked.name();
    let volume = object::by_key::<Volume>(at, family.as_str())?;
    let volume = volume.filter(|volume| volume.meta.uid == asked.meta.uid);
    let volume = volume.filter(|volume| volume.meta.deleting.is_none());
    let volume = volume.ok_or_else(|| Error::not_found(Volume::KIND, name))?;
    if volume.status.data.as_ref().is_some_and(|data| data.ready.is_some()) {
        return Ok(volume);
    }
    Err(Error::conflict(format!("volume \"{name}\" is not ready"))
        .hint(format!("`novacron volume show {name}` says why")))
}

/// No guest writes the volume.
async fn idle(node: &Node, volume: &Object<Volume>) -> Result<()> {
    let Some(attachment) = &volume.status.attachment else { return Ok(()) };
    match node.config.hypervisor.find(attachment.vm_uid).await? {
        None => Ok(()),
        Some(_) => Err(Error::conflict(format!("VM \"{}\" is running", attachment.vm))
            .hint("stop it first, or name a snapshot with --snapshot")),
    }
}

/// The snapshot of the volume's VM with this name, or of any VM as `VM.SNAPSHOT`.
fn tag(at: &Snapshot, family: &Key, volume: &Object<Volume>, name: &str) -> Result<Uuid> {
    let full = match (&volume.status.attachment, name.contains('.')) {
        (_, true) => name.to_owned(),
        (Some(attachment), false) => format!("{}.{name}", attachment.vm),
        (None, false) => {
            let message = format!("volume \"{}\" is no VM's", volume.name());
            return Err(Error::invalid("snapshot", message)
                .hint("name the snapshot with its VM: VM.SNAPSHOT"));
        }
    };
    let snapshot = taken(at, family, &full)?;
    let volumes = snapshot.status.data.map(|data| data.volumes).unwrap_or_default();
    if volumes.iter().any(|covered| covered.as_str() == volume.name()) {
        return Ok(snapshot.meta.uid);
    }
    let message = format!("snapshot \"{full}\" does not hold volume \"{}\"", volume.name());
    Err(Error::conflict(message).at("snapshot"))
}

/// A snapshot that can be read, of the project that a family belongs to.
fn taken(at: &Snapshot, family: &Key, name: &str) -> Result<Object<VmSnapshot>> {
    let key = key::object::<VmSnapshot>(Some(project_of(family)?), name);
    let snapshot = object::by_key::<VmSnapshot>(at, &key)?;
    let snapshot = snapshot.ok_or_else(|| Error::not_found(VmSnapshot::KIND, name))?;
    match snapshot.status.state {
        SnapshotState::Ready => Ok(snapshot),
        state => {
            let state = serde_json::to_value(state).unwrap_or_default();
            let state = state.as_str().unwrap_or_default();
            Err(Error::conflict(format!("snapshot \"{name}\" is {state}")).at("snapshot"))
        }
    }
}

fn ending() -> Error {
    Error::unavailable("the server is ending").hint("export it again")
}
