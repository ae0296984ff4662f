//! Exports: the content of a volume, of a whole VM, or of a snapshot, on its way to a client.
//!
//! It is read while the volume's turn is held, so that no guest starts on it and no snapshot goes
//! beneath it. What is sent then lies in the pool under no name and goes with the client.

pub(crate) mod vm;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use novacron_model::snapshot::SnapshotState;
use novacron_model::volume::DiskFormat;
use novacron_model::{Error, Kind, Object, Result, Snapshot as VmSnapshot, Volume, key};
use novacron_store::{Key, Snapshot, object};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use uuid::Uuid;

use crate::node::{EXPORTS, Node, family_of, project_of};
use crate::pool::{Content, ExportOrder};
use crate::volume::image_disk;

/// How long an export may wait for others.
const QUEUE_MAX: Duration = Duration::from_mins(5);

/// Waits for other exports of this node and for its turn.
pub(crate) async fn volume(
    node: &Arc<Node>,
    volume: &Object<Volume>,
    snapshot: Option<&str>,
    into: DiskFormat,
) -> Result<Content> {
    let family = family_of(&node.store.snapshot(), volume)?;
    let staged = async {
        // Before the turn, which keeps guests from starting.
        let permit = permit(node).await?;
        let _turn = node.turns.take(vec![volume.meta.uid]).await;
        // It may have been started or deleted meanwhile.
        let at = node.store.snapshot();
        let volume = now(&at, &family, volume)?;
        let tag = match snapshot {
            Some(name) => Some(tag(&at, &family, &volume, name)?),
            None => idle(node, &volume).await.map(|()| None)?,
        };
        let content = stage(node, &at, &family, &volume, tag, into).await?;
        Ok(with(permit, content))
    };
    tokio::select! {
        staged = staged => staged,
        () = node.ending.cancelled() => Err(ending()),
    }
}

/// One of the exports that may be under way.
async fn permit(node: &Node) -> Result<OwnedSemaphorePermit> {
    let permit = timeout(QUEUE_MAX, node.exports.clone().acquire_owned()).await;
    let busy = || {
        let message = format!("{EXPORTS} exports of node \"{}\" are under way", node.name());
        Error::unavailable(message).hint("try again when one of them is done")
    };
    permit.map_err(|_| busy())?.map_err(|_| ending())
}

/// Keeps the permit until the content has been read or nobody wants it any more.
fn with(permit: OwnedSemaphorePermit, content: Content) -> Content {
    let bytes = content.bytes.inspect(move |_| {
        let _held = &permit;
    });
    Content { size: content.size, bytes: bytes.boxed() }
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
    check_ready(&volume)?;
    Ok(volume)
}

fn check_ready(volume: &Object<Volume>) -> Result<()> {
    if volume.status.data.as_ref().is_some_and(|data| data.ready.is_some()) {
        return Ok(());
    }
    let name = volume.name();
    Err(Error::conflict(format!("volume \"{name}\" is not ready"))
        .hint(format!("`novacron volume show {name}` says why")))
}

/// No guest writes the volume.
async fn idle(node: &Node, volume: &Object<Volume>) -> Result<()> {
    let Some(attachment) = &volume.status.attachment else { return Ok(()) };
    match node.config.hypervisor.find(attachment.vm_uid).await? {
        None => Ok(()),
        Some(_) => Err(running(attachment.vm.as_str())),
    }
}

fn running(vm: &str) -> Error {
    Error::conflict(format!("VM \"{vm}\" is running"))
        .hint("stop it first, or name a snapshot with --snapshot")
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
