//! The export of a whole VM: what it is like, what it boots and all its disks, in one bundle.

use std::sync::Arc;

use novacron_host::hypervisor::Boot;
use novacron_host::image::pack::{self, Kernel, Packing, Part};
use novacron_model::image::{ImageDisk, ImageMachine};
use novacron_model::vm::{Cdrom, Disk, VmSpec};
use novacron_model::volume::DiskFormat;
use novacron_model::{
    Error, Image, Kind, Name, Object, Result, Snapshot as VmSnapshot, Vm, Volume,
};
use novacron_store::{Key, Snapshot, object};
use uuid::Uuid;

use super::{check_ready, ending, permit, running, stage, taken, with};
use crate::node::{Node, family_of, project_of};
use crate::pool::Content;
use crate::vm::machine;

pub(crate) async fn export(
    node: &Arc<Node>,
    vm: &Object<Vm>,
    snapshot: Option<&str>,
) -> Result<Content> {
    let at = node.store.snapshot();
    let family = family_of(&at, vm)?;
    let volumes = machine::volumes(&at, &family, &vm.spec.disks)?;
    let uids = uids(&volumes);
    let staged = async {
        let permit = permit(node).await?;
        let _turn = node.turns.take(uids.clone()).await;
        // It may have been started, changed or deleted meanwhile.
        let at = node.store.snapshot();
        let vm = now(&at, &family, vm)?;
        let scene = Scene { node, at: &at, family: &family, vm: &vm };
        scene.export(&uids, snapshot).await.map(|content| with(permit, content))
    };
    tokio::select! {
        staged = staged => staged,
        () = node.ending.cancelled() => Err(ending()),
    }
}

/// One VM at one revision, nobody starting it.
struct Scene<'a> {
    node: &'a Node,
    at: &'a Snapshot,
    family: &'a Key,
    vm: &'a Object<Vm>,
}

impl Scene<'_> {
    /// `turn`: the volumes that are kept from others.
    async fn export(&self, turn: &[Uuid], snapshot: Option<&str>) -> Result<Content> {
        let volumes = machine::volumes(self.at, self.family, &self.vm.spec.disks)?;
        if uids(&volumes) != turn {
            let message = format!("the disks of VM \"{}\" have just changed", self.vm.name());
            return Err(Error::conflict(message).hint("export it again"));
        }
        let snapshot = snapshot.map(|name| self.snapshot(name)).transpose()?;
        if snapshot.is_none() && self.node.config.hypervisor.find(self.vm.meta.uid).await?.is_some()
        {
            return Err(running(self.vm.name()));
        }
        let tag = snapshot.as_ref().map(|snapshot| snapshot.meta.uid);
        let (mut held, mut disks) = (Vec::new(), Vec::new());
        for (disk, volume) in self.vm.spec.disks.iter().zip(&volumes) {
            // One that came later is in no file of the snapshot.
            if snapshot.as_ref().is_none_or(|snapshot| covers(snapshot, volume.name())) {
                check_ready(volume)?;
                let (at, family) = (self.at, self.family);
                let file = stage(self.node, at, family, volume, tag, DiskFormat::Qcow2).await?;
                held.push((disk, volume));
                disks.push(part(file));
            }
        }
        let image = self.image()?;
        let kernel = match &image {
            Some(image) => self.kernel(image).await?,
            None => None,
        };
        let os = image.map(|image| image.spec.os).unwrap_or_default();
        let machine = machine_of(self.vm, &held)?;
        let Part { size, bytes } = pack::pack(Packing { os, machine, kernel, disks })?;
        Ok(Content { size, bytes })
    }

    /// A snapshot of this VM, named with it or without.
    fn snapshot(&self, name: &str) -> Result<Object<VmSnapshot>> {
        let vm = self.vm.name();
        let full = if name.contains('.') { name.to_owned() } else { format!("{vm}.{name}") };
        let snapshot = taken(self.at, self.family, &full)?;
        if snapshot.spec.vm.as_str() != vm {
            let message = format!("snapshot \"{full}\" is not of VM \"{vm}\"");
            return Err(Error::invalid("snapshot", message));
        }
        Ok(snapshot)
    }

    /// What it was made from, where that is still there.
    fn image(&self) -> Result<Option<Object<Image>>> {
        let Some(name) = &self.vm.spec.image else { return Ok(None) };
        object::get::<Image>(self.at, Some(project_of(self.family)?), name.as_str())
    }

    /// What it boots in place of firmware.
    async fn kernel(&self, image: &Object<Image>) -> Result<Option<Kernel>> {
        let pool = self.node.pool(self.at, image.spec.pool.as_str()).await?;
        let Boot::Kernel { kernel, initrd, cmdline } = pool.image(image.meta.uid).await?.boot
        else {
            return Ok(None);
        };
        let initrd = match initrd {
            Some(initrd) => Some(part(pool.read(&initrd).await?)),
            None => None,
        };
        let kernel = part(pool.read(&kernel).await?);
        Ok(Some(Kernel { kernel, initrd, cmdline }))
    }
}

fn now(at: &Snapshot, family: &Key, asked: &Object<Vm>) -> Result<Object<Vm>> {
    let vm = object::by_key::<Vm>(at, family.as_str())?;
    let vm = vm.filter(|vm| vm.meta.uid == asked.meta.uid && vm.meta.deleting.is_none());
    vm.ok_or_else(|| Error::not_found(Vm::KIND, asked.name()))
}

fn covers(snapshot: &Object<VmSnapshot>, volume: &str) -> bool {
    let data = snapshot.status.data.as_ref();
    data.is_some_and(|data| data.volumes.iter().any(|name| name.as_str() == volume))
}

fn uids(volumes: &[Object<Volume>]) -> Vec<Uuid> {
    volumes.iter().map(|volume| volume.meta.uid).collect()
}

fn part(content: Content) -> Part {
    Part { size: content.size, bytes: content.bytes }
}

/// What others may know of the VM.
fn machine_of(vm: &Object<Vm>, disks: &[(&Disk, &Object<Volume>)]) -> Result<ImageMachine> {
    let VmSpec { cpus, memory, preset, firmware, tpm, restart, .. } = vm.spec;
    let disk = |(disk, volume): &(&Disk, &Object<Volume>)| ImageDisk {
        name: disk.name.clone(),
        size: volume.spec.size,
        bus: disk.bus,
    };
    let empty = |cdrom: &Cdrom| Cdrom { name: cdrom.name.clone(), image: None };
    let mut cloud_init = vm.spec.cloud_init.clone();
    if let Some(told) = &mut cloud_init {
        told.password = None;
    }
    let left_out = |name: &&String| {
        let of_vm = vm.spec.disks.iter().any(|disk| disk.name.as_str() == *name);
        of_vm && !disks.iter().any(|(disk, _)| disk.name.as_str() == *name)
    };
    Ok(ImageMachine {
        name: Name::new(vm.name())?,
        labels: vm.meta.labels.clone(),
        cpus,
        memory,
        preset,
        firmware,
        tpm,
        restart,
        disks: disks.iter().map(disk).collect(),
        nics: vm.spec.nics.clone().unwrap_or_default(),
        cdroms: vm.spec.cdroms.iter().map(empty).collect(),
        boot: vm.spec.boot.iter().filter(|name| !left_out(name)).cloned().collect(),
        cloud_init,
        notes: vm.spec.notes.clone(),
    })
}
