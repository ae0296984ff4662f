//! What the volumes of running guests take in their pools, from time to time. Volumes at rest do
//! not grow.

use novacron_model::volume::VolumeData;
use novacron_model::{Bytes, Object, Result, Vm, Volume, key};
use novacron_store::{Key, Precondition, Snapshot, object};

use crate::node::{Node, project_of};
use crate::report;

const WORTH_MIN: Bytes = Bytes::mib(16);
/// Of the volume's size.
const WORTH_SHARE: u64 = 100;

/// Samples and reports what has moved.
pub(crate) async fn sample(node: &Node) -> Result<()> {
    for family in node.actors.guests() {
        let at = node.store.snapshot();
        let Some(vm) = object::by_key::<Vm>(&at, family.as_str())? else { continue };
        if vm.status.runtime.as_ref().is_some_and(|runtime| runtime.started.is_some()) {
            sample_vm(node, &at, &family, &vm).await?;
        }
    }
    Ok(())
}

async fn sample_vm(node: &Node, at: &Snapshot, family: &Key, vm: &Object<Vm>) -> Result<()> {
    let project = project_of(family)?;
    for name in vm.spec.disks.iter().filter_map(|disk| disk.volume.as_ref()) {
        let Some(volume) = object::get::<Volume>(at, Some(project), name.as_str())? else {
            continue;
        };
        let Some(data) = volume.status.data.as_ref().filter(|data| data.ready.is_some()) else {
            continue;
        };
        let pool = node.pool(at, volume.spec.pool.as_str()).await?;
        let used = pool.volume_used(volume.meta.uid).await?;
        if worth_telling(volume.spec.size, data.used, used) {
            let data = VolumeData { used, ..data.clone() };
            let family = Key::from(key::object::<Volume>(Some(project), name.as_str()));
            report(node, at, &family, &data).await?;
        }
    }
    Ok(())
}

/// The volume's own actor writes the same section: a sample must not undo what it says.
async fn report(node: &Node, at: &Snapshot, family: &Key, data: &VolumeData) -> Result<()> {
    let Some(own) = at.get(&key::section(family.as_str(), "data")) else { return Ok(()) };
    let unchanged = Precondition::At(own.key.clone(), own.revision);
    let txn = report::section(at, family, "data", data)?.require(unchanged);
    if let Err(error) = node.commit(txn).await {
        report::warn(family, &error);
    }
    Ok(())
}

fn worth_telling(size: Bytes, old: Bytes, new: Bytes) -> bool {
    old.0.abs_diff(new.0) >= WORTH_MIN.0.max(size.0 / WORTH_SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_changes_of_large_volumes_are_not_told() {
        assert!(worth_telling(Bytes::gib(1), Bytes(0), Bytes::mib(16)));
        assert!(!worth_telling(Bytes::gib(1), Bytes(0), Bytes::mib(15)));
        assert!(!worth_telling(Bytes::gib(100), Bytes::gib(5), Bytes::mib(6143)));
        assert!(worth_telling(Bytes::gib(100), Bytes::gib(6), Bytes::gib(5)));
    }
}
