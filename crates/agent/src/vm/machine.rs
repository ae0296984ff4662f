//! From a VM's objects to the machine that a driver runs. Everything is looked up here; nothing is
//! left to decide.

use novacron_host::Machine;
use novacron_host::hypervisor::{Boot, Drive, Forward, NicPort};
use novacron_host::storage::Base;
use novacron_model::image::ImageKind;
use novacron_model::vm::{Disk, Nic};
use novacron_model::{Error, Image, Object, Result, Vm, Volume};
use novacron_store::{Key, Snapshot, object};
use uuid::Uuid;

use super::view::Disks;
use crate::config::CidataOrder;
use crate::node::{Node, project_of};

/// Whether all volumes of a VM are ready here.
pub(crate) fn disks(node: &Node, at: &Snapshot, family: &Key, vm: &Object<Vm>) -> Disks {
    for disk in &vm.spec.disks {
        match volume_of(at, family, disk) {
            Err(error) => return Disks::Failed(error.message),
            Ok(volume) => match readiness(node, vm, &volume) {
                Disks::Ready => {}
                other => return other,
            },
        }
    }
    Disks::Ready
}

fn readiness(node: &Node, vm: &Object<Vm>, volume: &Object<Volume>) -> Disks {
    let name = volume.name();
    let status = &volume.status;
    if status.attachment.as_ref().is_none_or(|attachment| attachment.vm_uid != vm.meta.uid) {
        return Disks::Failed(format!("volume \"{name}\" is not attached to this VM"));
    }
    let Some(data) = &status.data else {
        return Disks::Waiting(format!("waiting for volume \"{name}\""));
    };
    if let Some(error) = &data.error {
        return Disks::Failed(format!("volume \"{name}\": {error}"));
    }
    if status.location.as_ref().is_none_or(|location| location.node != node.config.node) {
        return Disks::Failed(format!("volume \"{name}\" lies on another node"));
    }
    Disks::Ready
}

fn volume_of(at: &Snapshot, family: &Key, disk: &Disk) -> Result<Object<Volume>> {
    let volume = disk.volume.as_ref();
    let volume =
        volume.ok_or_else(|| Error::internal(format!("disk \"{}\" has no volume", disk.name)))?;
    object::expect::<Volume>(at, Some(project_of(family)?), volume.as_str())
}

/// The machine of a VM whose disks are ready.
pub(crate) async fn build(
    node: &Node,
    at: &Snapshot,
    family: &Key,
    vm: &Object<Vm>,
    paused: bool,
) -> Result<Machine> {
    let placement = vm.status.placement.clone().unwrap_or_default();
    Ok(Machine {
        uid: vm.meta.uid,
        name: vm.meta.name.clone(),
        epoch: placement.epoch,
        cpus: vm.spec.cpus,
        memory: vm.spec.memory,
        boot: boot(node, at, family, vm).await?,
        drives: drives(node, at, family, vm).await?,
        cidata: cidata(node, vm).await?,
        nics: nics(vm),
        paused,
    })
}

/// Disks in boot order.
pub(crate) async fn drives(
    node: &Node,
    at: &Snapshot,
    family: &Key,
    vm: &Object<Vm>,
) -> Result<Vec<Drive>> {
    let mut drives = Vec::with_capacity(vm.spec.disks.len());
    for disk in &vm.spec.disks {
        let volume = volume_of(at, family, disk)?;
        let pool = node.pool(at, volume.spec.pool.as_str()).await?;
        let format = volume.spec.format;
        let backing = match &volume.spec.image {
            Some(name) => backing(node, at, family, name.as_str()).await?,
            None => None,
        };
        drives.push(Drive {
            serial: disk.name.as_str().chars().take(20).collect(),
            path: pool.volume(volume.meta.uid, format).await?,
            format,
            // A raw volume is a copy of its image, not an overlay.
            backing: backing
                .filter(|_| format == novacron_model::volume::DiskFormat::Qcow2)
                .map(|disk| (disk.path, disk.format)),
        });
    }
    Ok(drives)
}

async fn backing(node: &Node, at: &Snapshot, family: &Key, image: &str) -> Result<Option<Base>> {
    let image = object::expect::<Image>(at, Some(project_of(family)?), image)?;
    let pool = node.pool(at, image.spec.pool.as_str()).await?;
    Ok(pool.image(image.meta.uid).await?.disk)
}

async fn boot(node: &Node, at: &Snapshot, family: &Key, vm: &Object<Vm>) -> Result<Boot> {
    let Some(name) = &vm.spec.image else { return Ok(Boot::Firmware) };
    let Some(image) = object::get::<Image>(at, Some(project_of(family)?), name.as_str())? else {
        // A disk's image may be gone once its volume no longer needs it.
        return Ok(Boot::Firmware);
    };
    if image.status.content.as_ref().is_none_or(|content| content.kind != ImageKind::Bundle) {
        return Ok(Boot::Firmware);
    }
    let pool = node.pool(at, image.spec.pool.as_str()).await?;
    Ok(pool.image(image.meta.uid).await?.boot)
}

async fn cidata(node: &Node, vm: &Object<Vm>) -> Result<Option<std::path::PathBuf>> {
    let Some(cloud_init) = vm.spec.cloud_init.clone() else { return Ok(None) };
    let password = cloud_init.password.as_ref();
    let password = password.map(|secret| node.config.data_key.open(secret)).transpose()?;
    let (uid, name) = (vm.meta.uid, vm.meta.name.clone());
    let order = CidataOrder { uid, name, cloud_init, password };
    node.config.cidata.build(&order).await.map(Some)
}

fn nics(vm: &Object<Vm>) -> Vec<NicPort> {
    let nics = vm.spec.nics.as_deref().unwrap_or_default();
    let numbered = nics.iter().enumerate();
    numbered
        .map(|(index, nic)| NicPort { mac: mac(vm.meta.uid, index), forwards: forwards(nic) })
        .collect()
}

/// Locally administered; the same for the life of the VM. The tail of a `UUIDv7` is random, its head
/// is a time that many VMs share.
fn mac(uid: Uuid, index: usize) -> [u8; 6] {
    let tail = &uid.as_bytes()[11..];
    let last = tail[4].wrapping_add(u8::try_from(index).unwrap_or(u8::MAX));
    [0x52, tail[0], tail[1], tail[2], tail[3], last]
}

fn forwards(nic: &Nic) -> Vec<Forward> {
    let forward = |port: &novacron_model::vm::PortForward| Forward {
        address: port.address,
        host: port.host,
        guest: port.guest,
        protocol: port.protocol,
    };
    nic.ports.iter().map(forward).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_are_local_unicast_and_differ() {
        let uid = Uuid::from_u128(0x0195_0000_0000_7000_8000_1234_5678_9aff);
        let macs: Vec<[u8; 6]> = (0..8).map(|index| mac(uid, index)).collect();
        for mac in &macs {
            assert_eq!(mac[0] & 0b11, 0b10, "locally administered, not multicast");
        }
        let distinct: std::collections::BTreeSet<_> = macs.iter().collect();
        assert_eq!(distinct.len(), macs.len());
        assert_eq!(mac(uid, 0), mac(uid, 0));
    }
}
