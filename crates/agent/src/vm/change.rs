//! Gives a live guest one change of its machine.

use novacron_host::hypervisor::Hotplug;
use novacron_model::vm::{Disk, LiveChange};
use novacron_model::{Error, Result};
use uuid::Uuid;

use super::effect::{Scene, live};
use super::machine;

/// The volume that is touched, unless it is gone.
pub(super) fn volume(scene: Scene<'_>, change: &LiveChange) -> Option<Uuid> {
    match change {
        LiveChange::Attach(disk) | LiveChange::Detach(disk) => {
            let volume = machine::volume_of(scene.at, scene.family, disk).ok()?;
            Some(volume.meta.uid)
        }
        LiveChange::Medium(_) | LiveChange::Ports { .. } => None,
    }
}

pub(super) async fn perform(scene: Scene<'_>, change: &LiveChange) -> Result<()> {
    let hotplug = scene.node.config.hypervisor.hotplug().ok_or_else(cannot)?;
    let Scene { node, at, family, vm, .. } = scene;
    match change {
        LiveChange::Attach(disk) => attach(scene, hotplug, disk).await,
        LiveChange::Detach(disk) => {
            let path = machine::disk_path(node, at, family, disk).await?;
            hotplug.detach(live(scene)?, &path).await
        }
        LiveChange::Medium(cdrom) => {
            let drive = machine::cdrom(node, at, family, &vm.spec, cdrom).await?;
            hotplug.change_medium(live(scene)?, &drive).await
        }
        LiveChange::Ports { nic, ends, begins, .. } => {
            let (ends, begins) = (machine::forwards(ends), machine::forwards(begins));
            hotplug.change_forwards(live(scene)?, *nic, &ends, &begins).await
        }
    }
}

async fn attach(scene: Scene<'_>, hotplug: &dyn Hotplug, disk: &Disk) -> Result<()> {
    // The volume may have grown while its turn was waited for, and its limits may have changed.
    let at = scene.node.store.snapshot();
    let drive = machine::drive(scene.node, &at, scene.family, scene.vm, disk).await?;
    hotplug.attach(live(scene)?, &drive).await
}

fn cannot() -> Error {
    Error::unsupported("this node's driver changes nothing while a guest runs")
}
