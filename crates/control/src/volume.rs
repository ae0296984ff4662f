//! Volumes: made on one node, held by at most one VM, deleted once no VM holds them.

use novacron_model::image::ImageKind;
use novacron_model::request::Draft;
use novacron_model::task::Action;
use novacron_model::volume::{Attachment, IoLimits, VolumeSpec, VolumeState, VolumeStatus};
use novacron_model::{Bytes, Error, Image, Name, Object, Result, Vm, Volume, key};
use novacron_store::{Key, Precondition, Snapshot, Txn, object};

use crate::admission::{
    Admitted, DeleteOptions, Home, Request, Resource, check_alive, fixed, kept_by_project,
    unchanged_record,
};
use crate::coming::{self, Coming, is_awaited};
use crate::index::{self, Row, row};
use crate::plan::Plan;
use crate::{copying, placing, published, reference, task};

/// Status section that says which VM holds a volume.
pub(crate) const ATTACHMENT: &str = "attachment";

pub const SIZE_MIN: Bytes = Bytes::mib(1);
pub const SIZE_MAX: Bytes = Bytes::gib(64 << 10);

impl Resource for Volume {
    fn create(request: &mut Request<'_>, draft: Draft<Self>) -> Result<Admitted> {
        let mut txn = Txn::new();
        let mut spec = draft.spec;
        published::settle(request, &mut txn, &mut spec.image, "spec.image")?;
        let home = request.home()?;
        let copying = copying::settle(request, &mut txn, &home, &mut spec, "spec", None)?;
        let rows = settle(request, &mut txn, &home, &mut spec, "spec")?;
        let meta = request.new_meta::<Self>(&mut txn, draft.meta)?;
        let volume = Object::<Self> { meta, spec, status: VolumeStatus::default() };
        request.put_new(&mut txn, &volume, rows)?;
        if let Some(copying) = &copying {
            copying::begin(&mut txn, request.at, &home, &volume, copying)?;
        }
        let task = task::begin(request, &mut txn, Action::Create, &volume, 0)?;
        Ok(Admitted::task(txn, task))
    }

    fn update(
        request: &mut Request<'_>,
        old: &Object<Self>,
        new: Object<Self>,
    ) -> Result<Admitted> {
        check_alive(old)?;
        let changed = [
            ("spec.pool", old.spec.pool != new.spec.pool),
            ("spec.format", old.spec.format != new.spec.format),
            ("spec.image", old.spec.image != new.spec.image),
            ("spec.source", old.spec.source != new.spec.source),
            ("spec.image_disk", old.spec.image_disk != new.spec.image_disk),
        ];
        if let Some((field, _)) = changed.iter().find(|(_, changed)| *changed) {
            return Err(fixed(field).hint("create another volume"));
        }
        let mut txn = Txn::new();
        if old.spec.size != new.spec.size {
            check_grown(old, new.spec.size)?;
            copying::none_from(request.at, &mut txn, old)?;
        }
        check_limits(new.spec.limits.as_ref(), "spec.limits")?;
        request.put_changed(&mut txn, old, &new, None)?;
        if old.spec.size == new.spec.size {
            return Ok(Admitted::done(txn));
        }
        let mut grows = new;
        grows.meta.generation = old.meta.generation + 1;
        let task = task::begin(request, &mut txn, Action::Resize, &grows, 0)?;
        Ok(Admitted::task(txn, task))
    }

    fn delete(
        request: &mut Request<'_>,
        old: &Object<Self>,
        _options: DeleteOptions,
    ) -> Result<Admitted> {
        if old.meta.deleting.is_some() {
            return task::again(request, old, Action::Delete);
        }
        let mut txn = Txn::new();
        held_by_none(request, &mut txn, old)?;
        copying::none_from(request.at, &mut txn, old)?;
        let task = placing::begin_deletion(request, &mut txn, old)?;
        Ok(Admitted::task(txn, task))
    }

    /// Why it has no file yet.
    fn complete(at: &Snapshot, volume: &mut Object<Self>) {
        let status = &volume.status;
        if status.state != VolumeState::Creating || status.location.is_some() {
            return;
        }
        let coming = Home::of(at, volume).and_then(|home| coming::of_volume(at, &home, volume));
        volume.status.reason = match coming {
            Ok(Coming::Waiting(reason)) => Some(reason),
            Ok(Coming::Failed(error)) => Some(error.message),
            _ => None,
        };
    }
}

/// Checks a new volume's spec, fills in its size, and returns its index rows. `path` is where the
/// fields stand in the request.
pub(crate) fn settle(
    request: &Request<'_>,
    txn: &mut Txn,
    home: &Home,
    spec: &mut VolumeSpec,
    path: &str,
) -> Result<Vec<Row>> {
    check_limits(spec.limits.as_ref(), &format!("{path}.limits"))?;
    reference::pool(request.at, txn, &spec.pool, &format!("{path}.pool"))?;
    let mut rows = vec![kept_by_project(home), row(index::POOL, &spec.pool)];
    if let Some(name) = &spec.image {
        let image = reference::image_to_come(request, txn, home, name, &format!("{path}.image"))?;
        rows.push(row(index::IMAGE, &image.meta.uid));
        if !is_awaited(&image) {
            spec.size = size_from(&image, spec, path)?;
        } else if spec.size == Bytes(0) {
            return Ok(rows);
        }
    } else if spec.image_disk.is_some() {
        let message = "without an image there is no disk of one";
        return Err(Error::invalid(format!("{path}.image_disk"), message));
    }
    check_size(spec.size, path)?;
    Ok(rows)
}

fn check_size(size: Bytes, path: &str) -> Result<()> {
    if size < SIZE_MIN || size > SIZE_MAX {
        let message = format!("a volume has between {SIZE_MIN} and {SIZE_MAX}");
        return Err(Error::invalid(format!("{path}.size"), message));
    }
    if !size.0.is_multiple_of(512) {
        let message = "the size of a volume is a multiple of 512 bytes";
        return Err(Error::invalid(format!("{path}.size"), message));
    }
    Ok(())
}

/// A disk that is slower than this makes guests believe that it is broken.
const IOPS_MIN: u32 = 10;
const IOPS_MAX: u32 = 1_000_000;
const BANDWIDTH_MIN: Bytes = Bytes::mib(1);
const BANDWIDTH_MAX: Bytes = Bytes::gib(1 << 10);

fn check_limits(limits: Option<&IoLimits>, path: &str) -> Result<()> {
    let Some(IoLimits { iops, bandwidth }) = limits else { return Ok(()) };
    if iops.is_some_and(|iops| !(IOPS_MIN..=IOPS_MAX).contains(&iops)) {
        let message = format!("a limit is between {IOPS_MIN} and {IOPS_MAX} operations per second");
        return Err(Error::invalid(format!("{path}.iops"), message));
    }
    if bandwidth.is_some_and(|bytes| !(BANDWIDTH_MIN..=BANDWIDTH_MAX).contains(&bytes)) {
        let message = format!("a limit is between {BANDWIDTH_MIN} and {BANDWIDTH_MAX} per second");
        return Err(Error::invalid(format!("{path}.bandwidth"), message));
    }
    Ok(())
}

/// Volumes only grow: what lies beyond a smaller end would be lost.
fn check_grown(old: &Object<Volume>, size: Bytes) -> Result<()> {
    let (name, now) = (old.name(), old.spec.size);
    if now == Bytes(0) {
        let message = format!("the size of volume \"{name}\" is its image's, which is on its way");
        return Err(Error::conflict(message).at("spec.size").hint("wait until it is ready"));
    }
    if size < now {
        let message = format!("volume \"{name}\" has {now} and cannot shrink to {size}");
        return Err(Error::invalid("spec.size", message)
            .hint("create a smaller volume and copy what is to be kept"));
    }
    check_size(size, "spec")
}

/// The size of a volume made from an image: the image's unless a larger one is asked for.
pub(crate) fn size_from(image: &Object<Image>, spec: &VolumeSpec, path: &str) -> Result<Bytes> {
    let (name, asked) = (image.name(), spec.size);
    refuse_iso(image, &format!("{path}.image"))?;
    let content = image.status.content.as_ref();
    let virtual_size = match &spec.image_disk {
        None => content.map(|content| content.virtual_size).unwrap_or_default(),
        Some(disk) => {
            let machine = content.and_then(|content| content.machine.as_ref());
            let held = machine.and_then(|machine| machine.disk(disk.as_str()));
            let message = format!("image \"{name}\" has no disk \"{disk}\"");
            held.ok_or_else(|| Error::invalid(format!("{path}.image_disk"), message))?.size
        }
    };
    if virtual_size == Bytes(0) {
        let message = format!("image \"{name}\" has no disk");
        return Err(Error::invalid(format!("{path}.image"), message));
    }
    if asked == Bytes(0) {
        return Ok(virtual_size);
    }
    if asked < virtual_size {
        let message = format!("{asked} is less than the {virtual_size} of image \"{name}\"");
        return Err(Error::invalid(format!("{path}.size"), message));
    }
    Ok(asked)
}

/// A CD is no disk that something could start from.
pub(crate) fn refuse_iso(image: &Object<Image>, field: &str) -> Result<()> {
    let content = image.status.content.as_ref();
    if content.is_none_or(|content| content.kind != ImageKind::Iso) {
        return Ok(());
    }
    let message = format!("image \"{}\" is an ISO, not a disk to start from", image.name());
    Err(Error::invalid(field, message).hint("a VM has it as a CD-ROM, beside a disk of its own"))
}

/// Size of the disk in an image; `None` if it has none (a bundle of kernel and initrd, an ISO).
pub(crate) fn disk_of(image: &Object<Image>) -> Option<Bytes> {
    let content = image.status.content.as_ref()?;
    let has_disk = content.kind == ImageKind::Disk || content.virtual_size > Bytes(0);
    has_disk.then_some(content.virtual_size)
}

/// A volume that a VM could take now.
pub(crate) fn check_free(volume: &Object<Volume>, field: &str) -> Result<()> {
    check_alive(volume)?;
    let Some(attachment) = &volume.status.attachment else { return Ok(()) };
    let (name, vm) = (volume.name(), &attachment.vm);
    if attachment.leaving {
        let message =
            format!("volume \"{name}\" is still in use by VM \"{vm}\", which gives it up");
        return Err(Error::conflict(message)
            .at(field)
            .hint("wait until the guest has let go of it, or stop the VM"));
    }
    let mut error = Error::conflict(format!("volume \"{name}\" is attached to VM \"{vm}\""));
    if !field.is_empty() {
        error = error.at(field);
    }
    Err(error.hint("detach it first"))
}

/// No VM has the volume, and none gets it before the transaction is applied.
pub(crate) fn held_by_none(
    request: &Request<'_>,
    txn: &mut Txn,
    volume: &Object<Volume>,
) -> Result<()> {
    check_free(volume, "")?;
    let family = key::object::<Volume>(Some(request.home()?.uid), volume.name());
    let attachment = Key::from(key::section(&family, ATTACHMENT));
    txn.preconditions.push(Precondition::Absent(attachment));
    Ok(())
}

/// Attaches a volume to a VM; refused when another has it.
pub(crate) fn attach(txn: &mut Txn, at: &Snapshot, family: &str, vm: &Object<Vm>) -> Result<()> {
    let section = key::section(family, ATTACHMENT);
    txn.preconditions.push(Precondition::Absent(Key::new(section)));
    let attachment = Attachment { vm: Name::new(vm.name())?, vm_uid: vm.meta.uid, leaving: false };
    object::put_section(txn, at, family, ATTACHMENT, &attachment, Vec::new())
}

/// Gives a new volume its node; removes a deleted one when its file is gone.
pub(crate) fn plan(at: &Snapshot, family: &str) -> Result<Plan> {
    let Some(volume) = object::by_key::<Volume>(at, family)? else { return Ok(Plan::default()) };
    let location = volume.status.location.as_ref();
    if volume.meta.deleting.is_some() {
        let txn = placing::finalise(at, &volume, family, location)?;
        return Ok(txn.map(Plan::commit).unwrap_or_default());
    }
    if location.is_some() {
        return Ok(copying::finish(family, &volume).map(Plan::commit).unwrap_or_default());
    }
    let home = Home::of(at, &volume)?;
    if coming::of_volume(at, &home, &volume)? != Coming::Here {
        return Ok(Plan::default());
    }
    let Some(node) = node_for(at, &volume)? else { return Ok(Plan::default()) };
    if volume.spec.size == Bytes(0) {
        let sized = coming::size(at, &home, &volume, Bytes(0))?;
        return Ok(sized.map(Plan::commit).unwrap_or_default());
    }
    let mut txn = Txn::new();
    // It goes with its VM, also with one that gets it meanwhile.
    unchanged_record(&mut txn, at, &key::section(family, ATTACHMENT));
    placing::locate(&mut txn, at, &volume, family, &node)?;
    Ok(Plan::commit(txn))
}

/// Where a volume goes: with its VM (the scheduler places both, if neither has a node), else
/// beside what it is copied from or its image, else where there is room.
fn node_for(at: &Snapshot, volume: &Object<Volume>) -> Result<Option<Name>> {
    let home = Home::of(at, volume)?;
    if let Some(attachment) = &volume.status.attachment {
        let vm = object::get::<Vm>(at, Some(home.uid), attachment.vm.as_str())?;
        if let Some(vm) = vm.filter(|vm| vm.meta.uid == attachment.vm_uid) {
            return Ok(vm.status.placement.and_then(|placement| placement.node));
        }
    }
    if let Some(source) = copying::source(at, &home, volume)? {
        return Ok(source.status.location.map(|location| location.node));
    }
    if let Some(image) = &volume.spec.image {
        let image = object::get::<Image>(at, Some(home.uid), image.as_str())?;
        return Ok(image.and_then(|image| image.status.location).map(|location| location.node));
    }
    Ok(placing::emptiest_node(at))
}
