//! Images that are still on their way: who waits for one, why one will not come, and what becomes
//! known of a disk once its image is there.

use novacron_model::catalogue::ImageName;
use novacron_model::image::{ImageKind, ImageSource, ImageState};
use novacron_model::task::{Action, TaskSpec};
use novacron_model::vm::{Disk, ROOT_DISK, VmState};
use novacron_model::volume::VolumeSpec;
use novacron_model::{Bytes, Error, Image, Kind, Object, Project, Result, Vm, Volume, key};
use novacron_store::{Key, Precondition, Snapshot, Txn, object};
use uuid::Uuid;

use crate::admission::{Home, kept_by_project, rewrite};
use crate::copying;
use crate::index::{self, row};
use crate::placing::LOCATION;
use crate::vm::put_spec;
use crate::volume::{disk_of, refuse_iso, size_from};

/// How what a VM or a volume starts from stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Coming {
    Here,
    Waiting(String),
    Failed(Error),
}

/// Whether an image's content is not known yet.
pub(crate) fn is_awaited(image: &Object<Image>) -> bool {
    image.status.state == ImageState::Importing
}

/// For a VM without a node: its image and what its volumes start from.
pub(crate) fn of_vm(at: &Snapshot, home: &Home, vm: &Object<Vm>) -> Result<Coming> {
    if settle(at, vm)?.is_some() {
        return Ok(Coming::Waiting("waiting for its disks".to_owned()));
    }
    if let Some(name) = &vm.spec.image {
        let image = get(at, home, name)?;
        let coming = of_image(image.as_ref());
        if coming != Coming::Here {
            return Ok(coming);
        }
        if let Some(Err(error)) = image.map(|image| refuse_iso(&image, "spec.image")) {
            return Ok(Coming::Failed(error));
        }
    }
    for volume in volumes(at, home, vm)?.into_iter().map(|(_, volume)| volume) {
        let coming = of_volume(at, home, &volume)?;
        if coming != Coming::Here {
            return Ok(coming);
        }
    }
    Ok(Coming::Here)
}

/// For a volume without a node.
pub(crate) fn of_volume(at: &Snapshot, home: &Home, volume: &Object<Volume>) -> Result<Coming> {
    if let Some(coming) = copying::coming(at, home, volume)? {
        return Ok(coming);
    }
    let Some(name) = &volume.spec.image else { return Ok(Coming::Here) };
    let image = get(at, home, name)?;
    let coming = of_image(image.as_ref());
    match image.filter(|_| coming == Coming::Here) {
        None => Ok(coming),
        Some(image) => Ok(match size_from(&image, &volume.spec, "spec") {
            Ok(_) => Coming::Here,
            Err(error) => Coming::Failed(error),
        }),
    }
}

/// One that is gone holds nobody up here: whoever needs it says so.
fn of_image(image: Option<&Object<Image>>) -> Coming {
    let Some(image) = image else { return Coming::Here };
    match image.status.state {
        ImageState::Ready => Coming::Here,
        ImageState::Importing | ImageState::Deleting => {
            Coming::Waiting(format!("waiting for image \"{}\"", image.name()))
        }
        ImageState::Failed => Coming::Failed(why(image)),
    }
}

/// Why an import failed, and how to begin it again.
pub(crate) fn why(image: &Object<Image>) -> Error {
    let error = image.status.content.as_ref().and_then(|content| content.error.clone());
    let error = error.unwrap_or_else(|| Error::internal("an import failed without a word"));
    match &image.spec.source {
        ImageSource::Catalogue(entry) if error.hint.is_none() => {
            error.hint(format!("`novacron image import {entry}` tries again"))
        }
        _ => error,
    }
}

/// Brings the disks of a VM without a node in line with the images that have come: sizes that were
/// left to the image, and no root disk over an image that has none.
pub(crate) fn settle(at: &Snapshot, vm: &Object<Vm>) -> Result<Option<Txn>> {
    let home = Home::of(at, vm)?;
    for (disk, volume) in volumes(at, &home, vm)? {
        let Some(name) = &volume.spec.image else { continue };
        let image = get(at, &home, name)?;
        let Some(image) = image.filter(|image| image.status.state == ImageState::Ready) else {
            continue;
        };
        let is_root = disk.owned && vm.spec.image.as_ref() == Some(name);
        let bundle = image.status.content.as_ref().map(|content| content.kind);
        let bare = bundle == Some(ImageKind::Bundle) && disk_of(&image).is_none();
        match volume.spec.size {
            Bytes(0) if is_root && bare => {
                return drop_disk(at, &home, vm, disk, &volume).map(Some);
            }
            _ if is_root && bare => {
                let spec = VolumeSpec { image: None, image_disk: None, ..volume.spec.clone() };
                return respec(at, &home, &volume, spec).map(Some);
            }
            Bytes(0) => {
                let least = if is_root { ROOT_DISK } else { Bytes(0) };
                return size(at, &home, &volume, least);
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Gives a volume that left its size to its image the image's, or `least`.
pub(crate) fn size(
    at: &Snapshot,
    home: &Home,
    volume: &Object<Volume>,
    least: Bytes,
) -> Result<Option<Txn>> {
    let Some(name) = &volume.spec.image else { return Ok(None) };
    let image = get(at, home, name)?;
    let Some(disk) = image.and_then(|image| size_from(&image, &volume.spec, "spec").ok()) else {
        return Ok(None);
    };
    let spec = VolumeSpec { size: disk.max(least), ..volume.spec.clone() };
    respec(at, home, volume, spec).map(Some)
}

fn respec(at: &Snapshot, home: &Home, old: &Object<Volume>, spec: VolumeSpec) -> Result<Txn> {
    let mut txn = Txn::new();
    let rows = match spec.image {
        Some(_) => None,
        None => Some(vec![kept_by_project(home), row(index::POOL, &spec.pool)]),
    };
    let new = Object { spec, ..old.clone() };
    rewrite(&mut txn, at, Some(home.uid), old, &new, rows)?;
    Ok(txn)
}

fn drop_disk(
    at: &Snapshot,
    home: &Home,
    vm: &Object<Vm>,
    disk: &Disk,
    volume: &Object<Volume>,
) -> Result<Txn> {
    let mut new = vm.clone();
    new.spec.disks.retain(|each| each.name != disk.name);
    new.spec.boot.retain(|name| name != disk.name.as_str());
    let mut txn = Txn::new();
    put_spec(&mut txn, at, vm, new, None)?;
    object::remove(&mut txn, at, Some(home.uid), volume);
    let family = key::object::<Volume>(Some(home.uid), volume.name());
    let location = key::section(&family, LOCATION);
    txn.preconditions.push(Precondition::Absent(Key::from(location)));
    Ok(txn)
}

/// The volumes of a VM that have no node yet.
fn volumes<'a>(
    at: &Snapshot,
    home: &Home,
    vm: &'a Object<Vm>,
) -> Result<Vec<(&'a Disk, Object<Volume>)>> {
    let mut found = Vec::new();
    for disk in &vm.spec.disks {
        let Some(name) = &disk.volume else { continue };
        let volume = object::get::<Volume>(at, Some(home.uid), name.as_str())?;
        let volume = volume.filter(|volume| {
            let attachment = volume.status.attachment.as_ref();
            volume.status.location.is_none()
                && attachment.is_some_and(|attachment| attachment.vm_uid == vm.meta.uid)
        });
        found.extend(volume.map(|volume| (disk, volume)));
    }
    Ok(found)
}

fn get(at: &Snapshot, home: &Home, name: &ImageName) -> Result<Option<Object<Image>>> {
    object::get::<Image>(at, Some(home.uid), name.as_str())
}

/// Why a task's VM has no node, as a sentence.
pub fn why_pending(at: &Snapshot, task: &TaskSpec) -> Option<String> {
    let target = &task.target;
    if target.kind != Vm::KIND {
        return None;
    }
    let project = object::get::<Project>(at, None, target.project.as_ref()?.as_str()).ok()??;
    let vm = object::get::<Vm>(at, Some(project.meta.uid), &target.name).ok()??;
    vm.status.reason.filter(|_| vm.status.state == VmState::Pending)
}

/// What the target of a task waits for, with a progress that is the task's: an image that comes, or
/// the copy that a disk is made by.
pub fn awaited_by(at: &Snapshot, task: &TaskSpec) -> Option<Uuid> {
    let target = &task.target;
    if !matches!(task.action, Action::Create | Action::Start) {
        return None;
    }
    let project = object::get::<Project>(at, None, target.project.as_ref()?.as_str()).ok()??;
    let scope = Some(project.meta.uid);
    let (image, disks) = match target.kind.as_str() {
        Vm::KIND => {
            let spec = object::get::<Vm>(at, scope, &target.name).ok()??.spec;
            (spec.image, spec.disks)
        }
        Volume::KIND => {
            (object::get::<Volume>(at, scope, &target.name).ok()??.spec.image, Vec::new())
        }
        _ => return None,
    };
    let image = image.and_then(|name| object::get::<Image>(at, scope, name.as_str()).ok()?);
    if let Some(image) = image.filter(is_awaited) {
        return Some(image.meta.uid);
    }
    let volumes = disks
        .into_iter()
        .filter_map(|disk| object::get::<Volume>(at, scope, disk.volume?.as_str()).ok()?);
    let mut copies = volumes.filter(|volume| volume.status.copying.is_some());
    copies.next().map(|volume| volume.meta.uid)
}
