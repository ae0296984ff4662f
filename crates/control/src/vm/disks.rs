//! Disks of a new VM: volumes that exist are taken, others are made with it.

use novacron_model::image::ImageDisk;
use novacron_model::request::DraftMeta;
use novacron_model::vm::{Disk, ROOT_DISK, VmSpec};
use novacron_model::volume::{DiskFormat, VolumeSpec, VolumeState, VolumeStatus};
use novacron_model::{Bytes, Error, Image, Name, Object, Result, Volume, key, pool};
use novacron_store::{Snapshot, Txn, object};

use crate::admission::{Home, Request, unchanged};
use crate::coming::is_awaited;
use crate::index::Row;
use crate::volume;

pub(super) const DISKS_MAX: usize = 16;
/// A virtio disk's serial number has 20 bytes (VIRTIO 1.2, `VIRTIO_BLK_ID_BYTES`).
pub(super) const NAME_BYTES_MAX: usize = 20;

/// A volume that is made with a VM, and its index rows.
pub(super) type Made = (Object<Volume>, Vec<Row>);

/// The volumes of a new VM.
#[derive(Default)]
pub(super) struct Disks {
    pub made: Vec<Made>,
    /// Keys of those that existed.
    pub taken: Vec<String>,
}

/// Brings `spec.disks` into the stored form, in which each names its volume.
pub(super) fn settle(
    request: &mut Request<'_>,
    txn: &mut Txn,
    home: &Home,
    vm: &str,
    spec: &mut VmSpec,
    image: Option<&Object<Image>>,
) -> Result<Disks> {
    add_root(spec, image)?;
    check_names(&spec.disks)?;
    let mut disks = Disks::default();
    for (n, disk) in spec.disks.iter_mut().enumerate() {
        let path = format!("spec.disks[{n}]");
        if let Some(name) = disk.volume.clone() {
            check_taken(disk, &path)?;
            let volume = take(request.at, txn, home, &name, &format!("{path}.volume"))?;
            let family = key::object::<Volume>(Some(home.uid), volume.name());
            if disks.taken.contains(&family) {
                let message = format!("volume \"{name}\" is named twice");
                return Err(Error::invalid(format!("{path}.volume"), message));
            }
            disks.taken.push(family);
            disk.owned = false;
        } else {
            let image = image.filter(|image| n == 0 || held_by(image, disk).is_some());
            disks.made.push(make(request, txn, home, vm, disk, &path, image)?);
        }
    }
    Ok(disks)
}

/// A VM from an image with a disk starts from it, also when only volumes that exist were asked for.
fn add_root(spec: &mut VmSpec, image: Option<&Object<Image>>) -> Result<()> {
    let has_disk = image.is_some_and(|image| is_awaited(image) || volume::disk_of(image).is_some());
    let named = |image: &Object<Image>| {
        image.status.content.as_ref().is_some_and(|content| content.machine.is_some())
    };
    // The disks of a whole VM have been named already.
    let has_disk = has_disk && !image.is_some_and(named);
    let root = Name::new("root")?;
    let given = spec.disks.iter().any(|disk| disk.volume.is_none() || disk.name == root);
    if has_disk && !given {
        let disk = Disk {
            name: root,
            volume: None,
            size: None,
            pool: None,
            image: None,
            owned: true,
            bus: None,
        };
        spec.disks.insert(0, disk);
    }
    Ok(())
}

pub(super) fn check_names(disks: &[Disk]) -> Result<()> {
    if disks.len() > DISKS_MAX {
        let message = format!("a VM has at most {DISKS_MAX} disks");
        return Err(Error::invalid("spec.disks", message));
    }
    for (n, disk) in disks.iter().enumerate() {
        let field = format!("spec.disks[{n}].name");
        if disks[..n].iter().any(|other| other.name == disk.name) {
            let message = format!("two disks are named \"{}\"", disk.name);
            return Err(Error::invalid(field, message));
        }
        if disk.name.as_str().len() > NAME_BYTES_MAX {
            let message = format!("the name of a disk has at most {NAME_BYTES_MAX} characters");
            return Err(
                Error::invalid(field, message).hint("it is the disk's serial number in the guest")
            );
        }
    }
    Ok(())
}

fn check_taken(disk: &Disk, path: &str) -> Result<()> {
    let given = [
        ("size", disk.size.is_some()),
        ("pool", disk.pool.is_some()),
        ("image", disk.image.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((field, _)) => {
            let message = format!("a volume that exists already has its {field}");
            Err(Error::invalid(format!("{path}.{field}"), message))
        }
    }
}

/// An existing volume that no VM holds.
pub(super) fn take(
    at: &Snapshot,
    txn: &mut Txn,
    home: &Home,
    name: &Name,
    field: &str,
) -> Result<Object<Volume>> {
    let Some(found) = object::get::<Volume>(at, Some(home.uid), name.as_str())? else {
        return Err(Error::invalid(field, format!("volume \"{name}\" does not exist"))
            .hint("`novacron volume list` shows what there is"));
    };
    volume::check_free(&found, field)?;
    if found.status.state == VolumeState::Failed {
        let message = format!("volume \"{name}\" could not be made and cannot be used");
        return Err(Error::conflict(message).at(field));
    }
    unchanged(txn, Some(home.uid), &found);
    Ok(found)
}

fn make(
    request: &mut Request<'_>,
    txn: &mut Txn,
    home: &Home,
    vm: &str,
    disk: &mut Disk,
    path: &str,
    image: Option<&Object<Image>>,
) -> Result<Made> {
    let mut spec = volume_spec(disk, image)?;
    if spec.size == Bytes(0) && spec.image.is_none() {
        let message = format!("disk \"{}\" needs a size", disk.name);
        return Err(Error::invalid(format!("{path}.size"), message));
    }
    let rows = volume::settle(request, txn, home, &mut spec, path)?;
    let name = format!("{vm}-{}", disk.name);
    let draft = DraftMeta { name, ..DraftMeta::default() };
    let meta =
        request.new_meta::<Volume>(txn, draft).map_err(|error| error.at(format!("{path}.name")))?;
    *disk = Disk {
        name: disk.name.clone(),
        volume: Some(Name::new(meta.name.as_str())?),
        size: None,
        pool: None,
        image: None,
        owned: true,
        bus: disk.bus,
    };
    Ok((Object { meta, spec, status: VolumeStatus::default() }, rows))
}

/// The disk of this name in an image of a whole VM.
fn held_by<'a>(image: &'a Object<Image>, disk: &Disk) -> Option<&'a ImageDisk> {
    let machine = image.status.content.as_ref()?.machine.as_ref()?;
    machine.disk(disk.name.as_str())
}

/// `image`: what the VM is made from, for the disks that start from it.
fn volume_spec(disk: &Disk, image: Option<&Object<Image>>) -> Result<VolumeSpec> {
    // Zero: left to an image that is still on its way.
    let held = image.and_then(|image| held_by(image, disk)).filter(|_| disk.image.is_none());
    let known = |image| match held {
        Some(held) => Some(held.size),
        None => volume::disk_of(image).map(|disk| disk.max(ROOT_DISK)),
    };
    let size_of = |image| if is_awaited(image) { Some(Bytes(0)) } else { known(image) };
    let root = image.and_then(|image| Some((image, size_of(image)?)));
    let root = root.filter(|_| disk.image.is_none());
    let (from, default_size) = match root {
        Some((image, size)) => (Some(Name::new(image.name())?.into()), size),
        None => (disk.image.clone(), Bytes(0)),
    };
    let pool = match &disk.pool {
        Some(pool) => pool.clone(),
        None => Name::new(pool::DEFAULT)?,
    };
    let size = disk.size.unwrap_or(default_size);
    Ok(VolumeSpec {
        size,
        pool,
        format: DiskFormat::Qcow2,
        image: from,
        image_disk: held.map(|held| held.name.clone()),
        source: None,
        limits: None,
    })
}
