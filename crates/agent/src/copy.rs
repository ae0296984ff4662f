//! Copies of volumes: when one may be made, and what waits for it.
//!
//! The present content is copied while nobody writes into it: the source's turn is held, and its VM
//! is not started before the last copy of its disks is ready. A snapshot stays as it is while its
//! VM runs, so that nobody waits.

use novacron_model::key::COPIES_INDEX;
use novacron_model::task::{Live, step};
use novacron_model::vm::Disk;
use novacron_model::volume::{Attachment, Copying, VolumeSource};
use novacron_model::{Error, Object, Result, Vm, Volume};
use novacron_store::{Key, Snapshot, object};
use uuid::Uuid;

use crate::actors::Seat;
use crate::image::progress;
use crate::node::{Node, project_of};
use crate::pool::{Original, Pool, VolumeOrder};

pub(crate) enum Copied {
    Whole,
    /// A guest still has what is to be copied.
    InUse,
    /// The copy is no longer wanted, or the agent ends.
    GivenUp,
}

/// Makes the volume's file.
pub(crate) async fn make(
    node: &Node,
    seat: &Seat,
    pool: &dyn Pool,
    volume: &Object<Volume>,
    order: &VolumeOrder,
) -> Result<Copied> {
    let (source, copying) = parts(volume)?;
    let original = Original { uid: copying.volume_uid, snapshot: copying.snapshot_uid };
    let _turn = match original.snapshot {
        None => node.turns.take(vec![original.uid]).await,
        Some(_) => Vec::new(),
    };
    let source = source_of(node, seat.family(), source, copying)?;
    if original.snapshot.is_none() && is_in_use(node, &source).await? {
        return Ok(Copied::InUse);
    }
    inherit(node, seat.family(), &source, volume).await?;
    node.board.set(order.uid, Live::at(step::COPY_DISK, 0, order.size.0));
    let copied = tokio::select! {
        copied = pool.ensure_copy(order, &original, progress(node, order.uid)) => {
            copied.map(|()| Copied::Whole)
        }
        () = deleted(node, seat, order.uid) => Ok(Copied::GivenUp),
        () = node.ending.cancelled() => Ok(Copied::GivenUp),
    };
    node.board.pause(order.uid);
    copied
}

/// Returns once the copy is to go.
async fn deleted(node: &Node, seat: &Seat, uid: Uuid) {
    loop {
        let volume = object::by_key::<Volume>(&node.store.snapshot(), seat.family().as_str());
        let volume = volume.ok().flatten().filter(|volume| volume.meta.uid == uid);
        if volume.is_none_or(|volume| volume.meta.deleting.is_some()) {
            return;
        }
        seat.woken().await;
    }
}

fn parts(volume: &Object<Volume>) -> Result<(&VolumeSource, &Copying)> {
    let parts = volume.spec.source.as_ref().zip(volume.status.copying.as_ref());
    parts.ok_or_else(|| {
        // An empty disk in its place would look like lost data.
        Error::conflict(format!("it is not known what volume \"{}\" is copied from", volume.name()))
    })
}

/// The volume that is copied.
fn source_of(
    node: &Node,
    family: &Key,
    source: &VolumeSource,
    copying: &Copying,
) -> Result<Object<Volume>> {
    let (at, project) = (node.store.snapshot(), project_of(family)?);
    let found = object::expect::<Volume>(&at, Some(project), source.volume.as_str())?;
    if found.meta.uid == copying.volume_uid {
        return Ok(found);
    }
    let message = format!("volume \"{}\" is another one than was to be copied", source.volume);
    Err(Error::conflict(message))
}

/// Whether a guest has the source, though its VM was stopped when the copy was asked for: it is
/// still on its way down, or was just being started.
async fn is_in_use(node: &Node, source: &Object<Volume>) -> Result<bool> {
    match &source.status.attachment {
        Some(attachment) => Ok(node.config.hypervisor.find(attachment.vm_uid).await?.is_some()),
        None => Ok(false),
    }
}

/// A disk that is cloned with its VM takes along what belongs to it: the source's VM stays until the
/// copy is ready.
async fn inherit(
    node: &Node,
    family: &Key,
    source: &Object<Volume>,
    copy: &Object<Volume>,
) -> Result<()> {
    let ends = source.status.attachment.as_ref().zip(copy.status.attachment.as_ref());
    let Some((from, to)) = ends else { return Ok(()) };
    if !is_owned(node, family, to, copy)? {
        return Ok(());
    }
    node.config.hypervisor.inherit(from.vm_uid, to.vm_uid).await
}

/// Whether the copy was made with its VM; one that was attached since brings nothing else along.
fn is_owned(
    node: &Node,
    family: &Key,
    attachment: &Attachment,
    copy: &Object<Volume>,
) -> Result<bool> {
    let at = node.store.snapshot();
    let vm = object::get::<Vm>(&at, Some(project_of(family)?), attachment.vm.as_str())?;
    let disks = vm.map(|vm| vm.spec.disks).unwrap_or_default();
    let made_with = |disk: &Disk| {
        disk.owned && disk.volume.as_ref().is_some_and(|name| name.as_str() == copy.name())
    };
    Ok(disks.iter().any(made_with))
}

/// The name of the volume that this one's present content is being copied into.
pub(crate) fn under_way(at: &Snapshot, volume: &Object<Volume>) -> Option<String> {
    let uid = volume.meta.uid.to_string();
    let copies = object::indexed::<Volume>(at, COPIES_INDEX, &uid);
    let present = |copy: &&Object<Volume>| {
        copy.status.copying.as_ref().is_some_and(|copying| copying.snapshot_uid.is_none())
    };
    copies.iter().find(present).map(|copy| copy.meta.name.clone())
}
