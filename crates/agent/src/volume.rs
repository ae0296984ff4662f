//! The actor of a volume: makes its file, grows it, holds it to its limits, and removes it.

use std::sync::Arc;
use std::time::Duration;

use novacron_host::Handle;
use novacron_host::storage::Base;
use novacron_model::event::Level;
use novacron_model::task::step;
use novacron_model::volume::{VolumeData, VolumeSpec};
use novacron_model::{Bytes, Code, Error, Image, Object, Result, Volume};
use novacron_store::{Key, Snapshot, object};
use tokio::time::sleep;
use uuid::Uuid;

use crate::actors::Seat;
use crate::copy::{self, Copied};
use crate::node::{Node, project_of};
use crate::pool::VolumeOrder;
use crate::report;

const RETRY_MAX: Duration = Duration::from_secs(30);

const SECTION: &str = "data";

/// Whether nothing is to be done for a volume until its object changes.
pub(crate) fn at_rest(volume: &Object<Volume>) -> bool {
    let data = volume.status.data.as_ref();
    volume.meta.deleting.is_none()
        && data.is_some_and(|data| {
            data.ready.is_some()
                && data.observed_generation >= volume.meta.generation
                && !data.is_short_of(volume.spec.size)
                && data.limit_error.is_none()
        })
}

/// How a look at the volume ended.
enum Turn {
    Rest,
    /// Look again after a pause.
    Retry,
}

pub(crate) async fn run(node: Arc<Node>, mut seat: Seat) {
    let mut pause = Duration::from_secs(1);
    while !node.ending.is_cancelled() {
        seat.look();
        let turn = look(&node, &seat).await.unwrap_or_else(|error| {
            tracing::warn!(family = %seat.family(), %error, "volume not done; trying again");
            Turn::Retry
        });
        match turn {
            Turn::Rest if seat.leave() => return,
            Turn::Rest => pause = Duration::from_secs(1),
            Turn::Retry => {
                tokio::select! {
                    () = node.ending.cancelled() => return,
                    () = sleep(pause) => {}
                    () = seat.woken() => {}
                }
                pause = (pause * 2).min(RETRY_MAX);
            }
        }
    }
}

async fn look(node: &Node, seat: &Seat) -> Result<Turn> {
    let at = node.store.snapshot();
    let Some(volume) = object::by_key::<Volume>(&at, seat.family().as_str())? else {
        return Ok(Turn::Rest);
    };
    let here = volume.status.location.as_ref();
    if here.is_none_or(|location| location.node != node.config.node) || at_rest(&volume) {
        return Ok(Turn::Rest);
    }
    if volume.meta.deleting.is_some() {
        return delete(node, seat, &at, &volume).await;
    }
    make(node, seat, &at, &volume).await
}

async fn delete(node: &Node, seat: &Seat, at: &Snapshot, volume: &Object<Volume>) -> Result<Turn> {
    if report::is_cleaned(at, seat.family()) {
        return Ok(Turn::Rest);
    }
    let pool = node.pool(at, volume.spec.pool.as_str()).await?;
    pool.delete_volume(volume.meta.uid).await?;
    if let (Some(_), Some(attachment)) = (&volume.spec.source, &volume.status.attachment) {
        // The copy may have brought this along after its VM had gone.
        node.config.hypervisor.forget(attachment.vm_uid).await?;
    }
    let txn = report::cleaned(node, at, seat.family(), volume.meta.uid, SECTION)?;
    let turn = committed(seat, node.commit(txn).await);
    node.board.clear(volume.meta.uid);
    node.turns.forget(volume.meta.uid);
    Ok(turn)
}

async fn make(node: &Node, seat: &Seat, at: &Snapshot, volume: &Object<Volume>) -> Result<Turn> {
    let old = volume.status.data.clone();
    let made = ensure(node, seat, at, volume).await;
    let generation = volume.meta.generation;
    let (data, turn) = match made {
        Ok(Ensured::Later(turn)) => return Ok(turn),
        Ok(Ensured::Now(data)) if data.grow_error.is_some() || data.limit_error.is_some() => {
            (*data, Turn::Retry)
        }
        Ok(Ensured::Now(data)) => (*data, Turn::Rest),
        Err(error) => {
            let again = worth_another_try(&error);
            let used = old.as_ref().map(|old| old.used).unwrap_or_default();
            let ready = old.as_ref().and_then(|old| old.ready);
            let size = old.as_ref().and_then(|old| old.size);
            let data = VolumeData {
                ready,
                used,
                size,
                grow_error: None,
                limit_error: None,
                error: Some(error),
                observed_generation: generation,
            };
            (data, if again { Turn::Retry } else { Turn::Rest })
        }
    };
    if old.as_ref() == Some(&data) {
        node.board.clear(volume.meta.uid);
        return Ok(turn);
    }
    let mut txn = report::section(at, seat.family(), SECTION, &data)?;
    if let Some(error) = &data.error {
        let text = format!("volume \"{}\" could not be made: {error}", volume.name());
        report::add_event(&mut txn, node, volume, Level::Error, "volume.failed", text)?;
    }
    if let Some(error) = &data.grow_error {
        let text = format!("volume \"{}\" could not be grown: {error}", volume.name());
        report::add_event(&mut txn, node, volume, Level::Warning, "volume.not_grown", text)?;
    }
    if let Some(error) = &data.limit_error {
        let text = format!("volume \"{}\" could not be limited: {error}", volume.name());
        report::add_event(&mut txn, node, volume, Level::Warning, "volume.not_limited", text)?;
    }
    report::add_log(&mut txn, node, at, seat.family(), volume.meta.uid)?;
    match committed(seat, node.commit(txn).await) {
        Turn::Rest => {
            node.board.clear(volume.meta.uid);
            Ok(turn)
        }
        Turn::Retry => Ok(Turn::Retry),
    }
}

enum Ensured {
    Now(Box<VolumeData>),
    /// Nothing is wrong, nothing is there: look again so.
    Later(Turn),
}

async fn ensure(
    node: &Node,
    seat: &Seat,
    at: &Snapshot,
    volume: &Object<Volume>,
) -> Result<Ensured> {
    let pool = node.pool(at, volume.spec.pool.as_str()).await?;
    let (uid, format) = (volume.meta.uid, volume.spec.format);
    let old = volume.status.data.as_ref();
    if old.is_some_and(|old| old.ready.is_some()) {
        // A file that was lost must not come back empty.
        pool.volume(uid, format).await?;
    } else {
        let image = image_disk(node, at, seat.family(), &volume.spec).await?;
        let order = VolumeOrder { uid, size: volume.spec.size, format, image };
        if volume.spec.source.is_none() {
            node.board.step(uid, step::MAKE_DISK);
            let made = pool.ensure_volume(&order).await;
            node.board.pause(uid);
            made?;
        } else {
            match copy::make(node, seat, pool.as_ref(), volume, &order).await? {
                Copied::Whole => {}
                Copied::InUse => return Ok(Ensured::Later(Turn::Retry)),
                Copied::GivenUp => return Ok(Ensured::Later(Turn::Rest)),
            }
        }
    }
    let (grown, limited) = follow(node, seat, uid).await?;
    let (size, grow_error) = match grown {
        Ok(size) => (Some(size), None),
        Err(error) => (old.and_then(|old| old.size), Some(error)),
    };
    Ok(Ensured::Now(Box::new(VolumeData {
        size,
        grow_error,
        limit_error: limited.err(),
        ready: Some(old.and_then(|old| old.ready).unwrap_or_else(|| node.now())),
        used: pool.volume_used(uid).await?,
        error: None,
        observed_generation: volume.meta.generation,
    })))
}

/// Makes the disk as large as the spec says and holds a running guest to its limits; does nothing
/// where that is so. A guest that has the disk open must do it itself.
async fn follow(node: &Node, seat: &Seat, uid: Uuid) -> Result<(Result<Bytes>, Result<()>)> {
    let _turn = node.turns.take(vec![uid]).await;
    // It may have been attached and started while its turn was waited for.
    let at = node.store.snapshot();
    let volume = object::by_key::<Volume>(&at, seat.family().as_str())?;
    let volume = volume.filter(|volume| volume.meta.uid == uid);
    let volume = volume.ok_or_else(|| Error::conflict("the volume is gone"))?;
    let hypervisor = &node.config.hypervisor;
    let guest = match &volume.status.attachment {
        Some(attachment) => hypervisor.find(attachment.vm_uid).await?,
        None => None,
    };
    if volume.status.data.as_ref().is_some_and(|data| data.is_short_of(volume.spec.size)) {
        node.board.step(uid, step::GROW_DISK);
    }
    let grown = grow(node, &at, &volume, guest.as_ref()).await;
    let limited = limit(node, &at, &volume, guest.as_ref()).await;
    node.board.pause(uid);
    Ok((grown, limited))
}

async fn grow(
    node: &Node,
    at: &Snapshot,
    volume: &Object<Volume>,
    guest: Option<&Handle>,
) -> Result<Bytes> {
    let pool = node.pool(at, volume.spec.pool.as_str()).await?;
    let (uid, format, size) = (volume.meta.uid, volume.spec.format, volume.spec.size);
    if let Some(handle) = guest {
        let Some(growth) = node.config.hypervisor.growth() else {
            return Err(Error::unsupported("this node's driver cannot grow a disk in use")
                .hint("stop the VM: it grows then"));
        };
        let path = pool.volume(uid, format).await?;
        if let Some(size) = growth.grow(handle, &path, size).await? {
            return Ok(size);
        }
    }
    pool.grow_volume(uid, format, size).await
}

/// A disk that is not (yet) the guest's gets its limits with it.
async fn limit(
    node: &Node,
    at: &Snapshot,
    volume: &Object<Volume>,
    guest: Option<&Handle>,
) -> Result<()> {
    let Some(handle) = guest else { return Ok(()) };
    let limits = volume.spec.limits.unwrap_or_default();
    let Some(hotplug) = node.config.hypervisor.hotplug() else {
        return match volume.spec.limits {
            None => Ok(()),
            Some(_) => Err(Error::unsupported("this node's driver cannot limit a disk")),
        };
    };
    let pool = node.pool(at, volume.spec.pool.as_str()).await?;
    let path = pool.volume(volume.meta.uid, volume.spec.format).await?;
    hotplug.limit(handle, &path, limits).await
}

/// The disk of the image that a volume starts from, where it does from any.
pub(crate) async fn image_disk(
    node: &Node,
    at: &Snapshot,
    family: &Key,
    spec: &VolumeSpec,
) -> Result<Option<Base>> {
    let Some(name) = &spec.image else { return Ok(None) };
    let image = object::expect::<Image>(at, Some(project_of(family)?), name.as_str())?;
    let pool = node.pool(at, image.spec.pool.as_str()).await?;
    let files = pool.image(image.meta.uid).await?;
    let Some(wanted) = &spec.image_disk else {
        let bare = || Error::conflict(format!("image \"{name}\" has no disk"));
        return files.disk.ok_or_else(bare).map(Some);
    };
    let absent = || Error::conflict(format!("image \"{name}\" has no disk \"{wanted}\""));
    files.disks.get(wanted).cloned().ok_or_else(absent).map(Some)
}

/// Disks become free and pools come back; a wrong order stays wrong until it is changed.
fn worth_another_try(error: &Error) -> bool {
    !matches!(error.code, Code::Invalid | Code::Unsupported | Code::TooLarge | Code::Conflict)
}

fn committed(seat: &Seat, result: Result<(), novacron_store::CommitError>) -> Turn {
    match result {
        Ok(()) => Turn::Rest,
        Err(error) => {
            report::warn(seat.family(), &error);
            Turn::Retry
        }
    }
}
