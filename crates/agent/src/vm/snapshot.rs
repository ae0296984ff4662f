//! Takes and deletes snapshots of a VM's disks, and reports what they show.

use novacron_host::Handle;
use novacron_host::hypervisor::{Drive, Snapshots, while_frozen};
use novacron_model::snapshot::{Consistency, SnapshotData};
use novacron_model::task::step;
use novacron_model::vm::{Disk, Exit, ExitCause, Runtime};
use novacron_model::{Bytes, Error, Result, Snapshot as VmSnapshot, key};
use novacron_store::Key;
use uuid::Uuid;

use super::effect::{Scene, no_snapshots};
use super::machine;
use super::view::SnapshotWork;
use crate::node::project_of;
use crate::report;

/// A snapshot that was taken.
struct Taken {
    /// Whether all file systems were whole.
    whole: Result<()>,
    size: Option<Bytes>,
}

/// What fails is said in the snapshot itself; a deletion is tried again.
pub(super) async fn perform(scene: Scene<'_>, work: &SnapshotWork) -> Result<()> {
    let Scene { node, at, family, .. } = scene;
    let key = Key::from(key::object::<VmSnapshot>(Some(project_of(family)?), &work.name));
    let step = if work.delete { step::DELETE_SNAPSHOT } else { step::TAKE_SNAPSHOT };
    node.board.step(work.uid, step);
    let txn = if work.delete {
        if let Err(error) = delete(scene, work.uid).await {
            node.board.write(work.uid, error.to_string());
            node.board.pause(work.uid);
            return Err(error);
        }
        report::cleaned(node, at, &key, work.uid, "data")?
    } else {
        let data = data(scene, take(scene, work.uid).await);
        let mut txn = report::section(at, &key, "data", &data)?;
        report::add_log(&mut txn, node, at, &key, work.uid)?;
        txn
    };
    node.board.pause(work.uid);
    node.commit(txn).await.map_err(|error| {
        report::warn(&key, &error);
        Error::unavailable(error.to_string())
    })?;
    node.board.clear(work.uid);
    Ok(())
}

/// The disks that a snapshot covers: those that the spec asks for, without those that a live guest
/// does not have.
pub(super) fn disks(scene: Scene<'_>) -> Vec<Disk> {
    let mut disks = scene.vm.spec.disks.clone();
    if let Some(has) = scene.runtime.hardware.as_ref().filter(|_| scene.handle.is_some()) {
        disks.retain(|disk| has.disks.iter().any(|had| had.volume == disk.volume));
    }
    disks
}

async fn drives(scene: Scene<'_>) -> Result<Vec<Drive>> {
    let Scene { node, at, family, vm, .. } = scene;
    machine::drives(node, at, family, vm, &disks(scene)).await
}

fn snapshots(scene: Scene<'_>) -> Result<&dyn Snapshots> {
    scene.node.config.hypervisor.snapshots().ok_or_else(no_snapshots)
}

async fn delete(scene: Scene<'_>, tag: Uuid) -> Result<()> {
    let snapshots = snapshots(scene)?;
    snapshots.delete(scene.handle, &drives(scene).await?, tag).await
}

async fn take(scene: Scene<'_>, tag: Uuid) -> Result<Taken> {
    let (snapshots, drives) = (snapshots(scene)?, drives(scene).await?);
    let whole = if let Some(handle) = scene.handle {
        take_live(scene, handle, &drives, tag).await?
    } else {
        snapshots.take(None, &drives, tag).await?;
        shut_down(&scene.vm.status.runtime.clone().unwrap_or_default())
    };
    let size = snapshots.size(&drives, tag).await;
    if let Err(error) = &size {
        scene.node.board.write(tag, format!("not measured: {error}"));
    }
    Ok(Taken { whole, size: size.ok() })
}

async fn take_live(
    scene: Scene<'_>,
    handle: &Handle,
    drives: &[Drive],
    tag: Uuid,
) -> Result<Result<()>> {
    let snapshots = snapshots(scene)?;
    // One that a daemon took that has died since may not show what this one is going to say.
    snapshots.delete(Some(handle), drives, tag).await?;
    let take = snapshots.take(Some(handle), drives, tag);
    let (taken, whole) = while_frozen(&*scene.node.config.hypervisor, handle, take).await;
    taken?;
    if let Err(error) = &whole {
        scene.node.board.write(tag, format!("not frozen: {error}"));
    }
    Ok(whole)
}

/// Whether the last guest has left its file systems whole.
fn shut_down(runtime: &Runtime) -> Result<()> {
    let cut = |exit: &Exit| match exit.cause {
        ExitCause::Guest => false,
        // The only word on a stop that was asked for is that it was forced.
        ExitCause::Requested => exit.detail.is_some(),
        ExitCause::Crash | ExitCause::HostBoot => true,
    };
    match &runtime.exit {
        Some(exit) if cut(exit) => {
            Err(Error::conflict("the guest did not shut itself down when it last ran"))
        }
        _ => Ok(()),
    }
}

fn data(scene: Scene<'_>, done: Result<Taken>) -> SnapshotData {
    let volumes = disks(scene).into_iter().filter_map(|disk| disk.volume);
    let mut data = SnapshotData {
        taken: None,
        volumes: volumes.collect(),
        size: None,
        consistency: None,
        crash_reason: None,
        error: None,
    };
    match done {
        Ok(Taken { whole, size }) => {
            data.taken = Some(scene.node.now());
            data.size = size;
            data.consistency = Some(match whole {
                Ok(()) => Consistency::Filesystem,
                Err(_) => Consistency::Crash,
            });
            data.crash_reason = whole.err().map(|error| error.message);
        }
        Err(error) => data.error = Some(error),
    }
    data
}

#[cfg(test)]
mod tests {
    use novacron_model::Time;

    use super::*;

    #[test]
    fn only_an_orderly_end_leaves_file_systems_whole() {
        let after = |cause, detail: Option<&str>| {
            let detail = detail.map(str::to_owned);
            let exit = Exit { cause, time: Time(0), generation: 1, detail, refused: None };
            shut_down(&Runtime { exit: Some(exit), ..Runtime::default() }).is_ok()
        };
        assert!(shut_down(&Runtime::default()).is_ok(), "it never ran");
        assert!(after(ExitCause::Guest, None) && after(ExitCause::Requested, None));
        assert!(!after(ExitCause::Requested, Some("the power was cut")));
        assert!(!after(ExitCause::Crash, None) && !after(ExitCause::HostBoot, None));
    }
}
