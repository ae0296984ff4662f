//! Takes and deletes snapshots of a VM's disks, and reports what they show.

use novacron_host::hypervisor::{Drive, Snapshots, while_frozen};
use novacron_model::snapshot::{Consistency, SnapshotData};
use novacron_model::task::step;
use novacron_model::vm::{Disk, Exit, ExitCause, Runtime};
use novacron_model::{Error, Result, Snapshot as VmSnapshot, key};
use novacron_store::Key;
use uuid::Uuid;

use super::effect::{Scene, no_snapshots};
use super::machine;
use super::view::SnapshotWork;
use crate::node::project_of;
use crate::report;

/// What fails is said in the snapshot itself; a deletion is tried again.
pub(super) async fn perform(scene: Scene<'_>, work: &SnapshotWork) -> Result<()> {
    let Scene { node, at, family, .. } = scene;
    let key = Key::from(key::object::<VmSnapshot>(Some(project_of(family)?), &work.name));
    let done = on_disks(scene, work).await;
    let txn = match (work.delete, done) {
        (true, Err(error)) => {
            node.board.write(work.uid, error.to_string());
            return Err(error);
        }
        (true, Ok(_)) => report::cleaned(node, at, &key, work.uid, "data")?,
        (false, done) => {
            let data = data(scene, done);
            let mut txn = report::section(at, &key, "data", &data)?;
            report::add_log(&mut txn, node, at, &key, work.uid)?;
            txn
        }
    };
    node.commit(txn).await.map_err(|error| {
        report::warn(&key, &error);
        Error::unavailable(error.to_string())
    })?;
    node.board.clear(work.uid);
    Ok(())
}

/// The disks that a snapshot covers: those that the live guest has, which may be others than the
/// spec asks for.
fn disks(scene: Scene<'_>) -> &[Disk] {
    let has = scene.runtime.hardware.as_ref().filter(|_| scene.handle.is_some());
    has.map_or(&scene.vm.spec.disks, |hardware| &hardware.disks)
}

/// The result of a snapshot that was taken: whether all file systems were whole.
async fn on_disks(scene: Scene<'_>, work: &SnapshotWork) -> Result<Result<()>> {
    let Scene { node, at, family, vm, handle, .. } = scene;
    let snapshots = node.config.hypervisor.snapshots();
    let snapshots = snapshots.ok_or_else(no_snapshots)?;
    let drives = machine::drives(node, at, family, vm, disks(scene)).await?;
    let step = if work.delete { step::DELETE_SNAPSHOT } else { step::TAKE_SNAPSHOT };
    node.board.step(work.uid, step);
    let done = if work.delete {
        snapshots.delete(handle, &drives, work.uid).await.map(Ok)
    } else {
        take(scene, snapshots, &drives, work.uid).await
    };
    node.board.pause(work.uid);
    done
}

async fn take(
    scene: Scene<'_>,
    snapshots: &dyn Snapshots,
    drives: &[Drive],
    tag: Uuid,
) -> Result<Result<()>> {
    let Some(handle) = scene.handle else {
        snapshots.take(None, drives, tag).await?;
        let runtime = scene.vm.status.runtime.clone().unwrap_or_default();
        return Ok(shut_down(&runtime));
    };
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

fn data(scene: Scene<'_>, done: Result<Result<()>>) -> SnapshotData {
    let volumes = disks(scene).iter().filter_map(|disk| disk.volume.clone());
    let mut data = SnapshotData {
        taken: None,
        volumes: volumes.collect(),
        consistency: None,
        crash_reason: None,
        error: None,
    };
    match done {
        Ok(whole) => {
            data.taken = Some(scene.node.now());
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
