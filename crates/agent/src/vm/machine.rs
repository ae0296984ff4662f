//! From a VM's objects to the machine that a driver runs. Everything is looked up here; nothing is
//! left to decide.

use std::path::PathBuf;

use novacron_host::Machine;
use novacron_host::hypervisor::{Boot, CdromDrive, Drive, Forward, NicPort};
use novacron_model::image::ImageKind;
use novacron_model::vm::{Cdrom, Disk, Nic, PortForward, VmSpec};
use novacron_model::{Error, Image, Name, Network, Object, Result, Vm, Volume, network};
use novacron_store::{Key, Snapshot, object};
use uuid::Uuid;

use super::view::{Disks, Unready};
use crate::config::CidataOrder;
use crate::copy;
use crate::node::{Node, project_of};
use crate::volume::image_disk;

/// The disks of a VM that are not ready here, in their order.
pub(crate) fn unready(node: &Node, at: &Snapshot, family: &Key, vm: &Object<Vm>) -> Vec<Unready> {
    let unready = |disk: &Disk| {
        let state = match volume_of(at, family, disk) {
            Err(error) => Disks::Failed(error.message),
            Ok(volume) => readiness(node, at, vm, &volume),
        };
        (state != Disks::Ready).then(|| Unready { disk: disk.name.clone(), state })
    };
    vm.spec.disks.iter().filter_map(unready).collect()
}

fn readiness(node: &Node, at: &Snapshot, vm: &Object<Vm>, volume: &Object<Volume>) -> Disks {
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
    if let Some(copy) = copy::under_way(at, volume) {
        return Disks::Waiting(format!("volume \"{name}\" is being copied into \"{copy}\""));
    }
    Disks::Ready
}

pub(super) fn volume_of(at: &Snapshot, family: &Key, disk: &Disk) -> Result<Object<Volume>> {
    let volume = disk.volume.as_ref();
    let volume =
        volume.ok_or_else(|| Error::internal(format!("disk \"{}\" has no volume", disk.name)))?;
    object::expect::<Volume>(at, Some(project_of(family)?), volume.as_str())
}

/// The volumes of a VM's disks, in their order.
pub(crate) fn volumes(at: &Snapshot, family: &Key, disks: &[Disk]) -> Result<Vec<Object<Volume>>> {
    disks.iter().map(|disk| volume_of(at, family, disk)).collect()
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
        drives: drives(node, at, family, vm, &vm.spec.disks).await?,
        cdroms: cdroms(node, at, family, vm).await?,
        cidata: cidata(node, vm).await?,
        nics: nics(at, family, vm, vm.spec.nics.as_deref().unwrap_or_default())?,
        preset: vm.spec.preset,
        firmware: vm.spec.firmware,
        tpm: vm.spec.tpm,
        paused,
    })
}

/// A drive's place in the boot order, from 1: those that the spec names, then disks, then CD-ROMs.
fn boot_index(spec: &VmSpec, name: &str) -> u32 {
    let disks = spec.disks.iter().map(|disk| disk.name.as_str());
    let all = disks.chain(spec.cdroms.iter().map(|cdrom| cdrom.name.as_str()));
    let rest = all.filter(|drive| !spec.boot.iter().any(|named| named == drive));
    let mut order = spec.boot.iter().map(String::as_str).chain(rest);
    let place = order.position(|each| each == name).unwrap_or(spec.disks.len());
    u32::try_from(place + 1).unwrap_or(u32::MAX)
}

async fn cdroms(
    node: &Node,
    at: &Snapshot,
    family: &Key,
    vm: &Object<Vm>,
) -> Result<Vec<CdromDrive>> {
    let mut drives = Vec::with_capacity(vm.spec.cdroms.len());
    for drive in &vm.spec.cdroms {
        drives.push(cdrom(node, at, family, &vm.spec, drive).await?);
    }
    Ok(drives)
}

pub(super) async fn cdrom(
    node: &Node,
    at: &Snapshot,
    family: &Key,
    spec: &VmSpec,
    cdrom: &Cdrom,
) -> Result<CdromDrive> {
    let medium = match &cdrom.image {
        Some(name) => Some(iso(node, at, family, name.as_str()).await?),
        None => None,
    };
    let name = cdrom.name.as_str();
    Ok(CdromDrive { name: name.to_owned(), medium, boot_index: boot_index(spec, name) })
}

async fn iso(node: &Node, at: &Snapshot, family: &Key, name: &str) -> Result<PathBuf> {
    let image = object::expect::<Image>(at, Some(project_of(family)?), name)?;
    let pool = node.pool(at, image.spec.pool.as_str()).await?;
    let files = pool.image(image.meta.uid).await?;
    files.iso.ok_or_else(|| Error::conflict(format!("image \"{name}\" is not an ISO image")))
}

/// Some disks of a VM, in their order.
pub(crate) async fn drives(
    node: &Node,
    at: &Snapshot,
    family: &Key,
    vm: &Object<Vm>,
    disks: &[Disk],
) -> Result<Vec<Drive>> {
    let mut drives = Vec::with_capacity(disks.len());
    for disk in disks {
        drives.push(drive(node, at, family, vm, disk).await?);
    }
    Ok(drives)
}

pub(super) async fn drive(
    node: &Node,
    at: &Snapshot,
    family: &Key,
    vm: &Object<Vm>,
    disk: &Disk,
) -> Result<Drive> {
    let volume = volume_of(at, family, disk)?;
    let pool = node.pool(at, volume.spec.pool.as_str()).await?;
    let format = volume.spec.format;
    let backing = image_disk(node, at, family, &volume.spec).await?;
    Ok(Drive {
        serial: disk.name.as_str().chars().take(20).collect(),
        bus: disk.bus.unwrap_or_else(|| vm.spec.preset.disk_bus()),
        boot_index: boot_index(&vm.spec, disk.name.as_str()),
        path: pool.volume(volume.meta.uid, format).await?,
        format,
        // A raw volume is a copy of its image, not an overlay.
        backing: backing
            .filter(|_| format == novacron_model::volume::DiskFormat::Qcow2)
            .map(|disk| (disk.path, disk.format)),
        limits: volume.spec.limits.unwrap_or_default(),
    })
}

/// Where a disk's file lies, or lay.
pub(super) async fn disk_path(
    node: &Node,
    at: &Snapshot,
    family: &Key,
    disk: &Disk,
) -> Result<PathBuf> {
    let volume = volume_of(at, family, disk)?;
    let pool = node.pool(at, volume.spec.pool.as_str()).await?;
    pool.volume(volume.meta.uid, volume.spec.format).await
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

async fn cidata(node: &Node, vm: &Object<Vm>) -> Result<Option<PathBuf>> {
    let Some(cloud_init) = vm.spec.cloud_init.clone() else { return Ok(None) };
    let password = cloud_init.password.as_ref();
    let password = password.map(|secret| node.config.data_key.open(secret)).transpose()?;
    let (uid, name) = (vm.meta.uid, vm.meta.name.clone());
    let order = CidataOrder { uid, name, cloud_init, password };
    node.config.cidata.build(&order).await.map(Some)
}

/// NICs of a VM with the bridges that they go into: those of its spec, or of its live guest.
pub(super) fn nics(
    at: &Snapshot,
    family: &Key,
    vm: &Object<Vm>,
    nics: &[Nic],
) -> Result<Vec<NicPort>> {
    let port = |(index, nic): (usize, &Nic)| {
        let name = nic.network.as_ref().map_or(network::DEFAULT, Name::as_str);
        let network = object::expect::<Network>(at, Some(project_of(family)?), name)?;
        Ok(NicPort {
            mac: mac(vm.meta.uid, index),
            model: nic.model.unwrap_or_else(|| vm.spec.preset.nic_model()),
            bridge: network.spec.bridge,
            forwards: forwards(&nic.ports),
        })
    };
    nics.iter().enumerate().map(port).collect()
}

/// Locally administered; the same for the life of the VM. The tail of a `UUIDv7` is random, its head
/// is a time that many VMs share.
fn mac(uid: Uuid, index: usize) -> [u8; 6] {
    let tail = &uid.as_bytes()[11..];
    let last = tail[4].wrapping_add(u8::try_from(index).unwrap_or(u8::MAX));
    [0x52, tail[0], tail[1], tail[2], tail[3], last]
}

pub(super) fn forwards(ports: &[PortForward]) -> Vec<Forward> {
    let forward = |port: &PortForward| Forward {
        address: port.address,
        host: port.host,
        guest: port.guest,
        protocol: port.protocol,
    };
    ports.iter().map(forward).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_boot_in_their_own_order_unless_told() {
        let spec = |boot: &[&str]| -> VmSpec {
            serde_json::from_value(serde_json::json!({
                "disks": [{"name": "root"}, {"name": "data"}], "cdroms": [{"name": "cd"}],
                "boot": boot,
            }))
            .unwrap()
        };
        let order =
            |boot: &[&str]| ["root", "data", "cd"].map(|name| boot_index(&spec(boot), name));
        assert_eq!(order(&[]), [1, 2, 3]);
        assert_eq!(order(&["cd"]), [2, 3, 1]);
        assert_eq!(order(&["data", "cd"]), [3, 1, 2]);
    }

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
