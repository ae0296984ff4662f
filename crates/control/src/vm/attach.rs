//! Attaching volumes to a VM, and detaching them, also while its guest runs.
//!
//! ```text
//!  attach:  spec names the volume, the volume names the VM ─▶ the guest has it
//!  detach:  spec names it no more ─▶ the guest has let go of it ─▶ the volume is free
//! ```
//!
//! A volume that a guest may still have open is *leaving*: nobody else gets it before its node has
//! reported that it is gone from the guest, or that there is no guest.

use novacron_model::request::{AttachRequest, DetachRequest};
use novacron_model::task::Action;
use novacron_model::vm::{Disk, Runtime};
use novacron_model::volume::Attachment;
use novacron_model::{Code, Error, Level, Name, Object, Result, Snapshot, Time, Vm, Volume, key};
use novacron_store::{Key, Snapshot as At, Txn, object};

use super::{PLACEMENT, disks, hardware, is_live, is_stopped, node, put_spec};
use crate::admission::{Admitted, Home, Request, check_alive, unchanged_record};
use crate::copying;
use crate::index::{self, row};
use crate::journal::{self, CONTROL, Note, called};
use crate::placing::LOCATION;
use crate::task::{self, Watched};
use crate::volume::{self, ATTACHMENT};

/// Status section that the VM's node writes.
const RUNTIME: &str = "runtime";

/// Gives a volume to a VM as its last disk.
pub fn attach(
    request: &mut Request<'_>,
    vm: &Object<Vm>,
    body: &AttachRequest,
) -> Result<Admitted> {
    check_alive(vm)?;
    let home = request.home()?;
    if let Some(kept) = kept_by_guest(request.at, &home, vm, &body.volume)? {
        return take_back(request, vm, body, kept);
    }
    let mut txn = Txn::new();
    let found = disks::take(request.at, &mut txn, &home, &body.volume, "volume")?;
    check_together(vm, &found)?;
    // It is read as it is now, and the guest would write.
    copying::none_from(request.at, &mut txn, &found)?;
    let mut new = vm.clone();
    new.spec.disks.push(Disk {
        name: body.disk.clone().unwrap_or_else(|| body.volume.clone()),
        volume: Some(body.volume.clone()),
        size: None,
        pool: None,
        image: None,
        owned: false,
        bus: body.bus,
    });
    hardware::check(&new.spec).map_err(|error| error.at("disk"))?;
    let new = put_spec(&mut txn, request.at, vm, new, None)?;
    let family = key::object::<Volume>(Some(home.uid), found.name());
    volume::attach(&mut txn, request.at, &family, vm)?;
    // Neither gets a node meanwhile, which may not be the other's.
    let own = key::object::<Vm>(Some(home.uid), vm.name());
    for place in [key::section(&family, LOCATION), key::section(&own, PLACEMENT)] {
        unchanged_record(&mut txn, request.at, &place);
    }
    let text = format!("volume \"{}\" was attached to {}", body.volume, called(&vm.reference()));
    request.note(&mut txn, "volume.attached", &vm.reference(), text)?;
    watch(request, txn, Action::Attach, &found, &new)
}

/// A volume that leaves this VM, and that its guest keeps until its next start.
fn kept_by_guest(
    at: &At,
    home: &Home,
    vm: &Object<Vm>,
    name: &Name,
) -> Result<Option<(Object<Volume>, Disk)>> {
    let family = key::object::<Volume>(Some(home.uid), name.as_str());
    let found = attached(at, &family, vm)?;
    let leaving = |volume: &Object<Volume>| {
        volume.status.attachment.as_ref().is_some_and(|attachment| attachment.leaving)
    };
    let Some(found) = found.filter(leaving) else { return Ok(None) };
    let Some(runtime) = vm.status.runtime.as_ref().filter(|_| is_live(vm)) else { return Ok(None) };
    let disks = runtime.hardware.as_ref().map_or(&[][..], |hardware| &hardware.disks);
    let Some(disk) = disks.iter().find(|disk| disk.volume.as_ref() == Some(name)) else {
        return Ok(None);
    };
    // A guest that was asked to let go may do so at any moment; this one cannot.
    let stays = runtime.refused.iter().any(|refused| {
        refused.device == disk.name.as_str()
            && refused.error.code == Code::Unsupported
            && refused.generation == vm.meta.generation
    });
    Ok(stays.then(|| (found, disk.clone())))
}

/// Undoes a detachment: the disk is again at its place and in the boot order.
fn take_back(
    request: &mut Request<'_>,
    vm: &Object<Vm>,
    body: &AttachRequest,
    (volume, mut disk): (Object<Volume>, Disk),
) -> Result<Admitted> {
    if body.disk.as_ref().is_some_and(|name| *name != disk.name) {
        let message = format!("the guest has the volume as disk \"{}\" still", disk.name);
        return Err(Error::conflict(message).at("disk").hint("leave the name out, or stop the VM"));
    }
    let sits = |disk: &Disk| disk.bus.unwrap_or(vm.spec.preset.disk_bus());
    if body.bus.is_some_and(|bus| bus != sits(&disk)) {
        let message = format!("the guest has disk \"{}\" on another bus still", disk.name);
        return Err(Error::conflict(message).at("bus").hint("leave the bus out, or stop the VM"));
    }
    // Once detached, it outlives the VM.
    disk.owned = false;
    let home = request.home()?;
    let has = hardware::still_held(vm).unwrap_or_else(|| vm.spec.hardware());
    let place = |name: &str| has.disks.iter().position(|had| had.name.as_str() == name);
    let own = place(disk.name.as_str());
    let before = |other: &Disk| place(other.name.as_str()).is_some_and(|place| Some(place) < own);
    let mut new = vm.clone();
    let at = new.spec.disks.iter().rposition(before).map_or(0, |last| last + 1);
    let name = disk.name.to_string();
    new.spec.disks.insert(at, disk);
    if let Some(at) = has.boot.iter().position(|each| *each == name) {
        new.spec.boot.insert(at.min(new.spec.boot.len()), name);
    }
    hardware::check(&new.spec).map_err(|error| error.at("volume"))?;
    let mut txn = Txn::new();
    let new = put_spec(&mut txn, request.at, vm, new, None)?;
    let family = key::object::<Volume>(Some(home.uid), volume.name());
    unchanged_record(&mut txn, request.at, &key::section(&family, ATTACHMENT));
    let own = key::object::<Vm>(Some(home.uid), vm.name());
    unchanged_record(&mut txn, request.at, &key::section(&own, RUNTIME));
    let attachment = volume.status.attachment.clone();
    let stays = attachment.map(|attachment| Attachment { leaving: false, ..attachment });
    object::put_section(&mut txn, request.at, &family, ATTACHMENT, &stays, Vec::new())?;
    let text = format!("volume \"{}\" stays with {}", volume.name(), called(&vm.reference()));
    request.note(&mut txn, "volume.attached", &vm.reference(), text)?;
    watch(request, txn, Action::Attach, &volume, &new)
}

/// Takes a volume from a VM. It stays, also if it was made with the VM.
pub fn detach(
    request: &mut Request<'_>,
    vm: &Object<Vm>,
    body: &DetachRequest,
) -> Result<Admitted> {
    check_alive(vm)?;
    let home = request.home()?;
    let family = key::object::<Volume>(Some(home.uid), body.volume.as_str());
    let Some(found) = attached(request.at, &family, vm)? else {
        let (vm, volume) = (vm.name(), &body.volume);
        let message = format!("volume \"{volume}\" is not attached to VM \"{vm}\"");
        return Err(Error::conflict(message).at("volume"));
    };
    check_not_covered(request.at, vm, &found)?;
    let mut new = vm.clone();
    new.spec.disks.retain(|disk| disk.volume.as_ref() != Some(&body.volume));
    if new.spec.disks.len() == vm.spec.disks.len() {
        // It is leaving already: asked anew, the guest is asked anew.
        let mut txn = Txn::new();
        let new = put_spec(&mut txn, request.at, vm, new, None)?;
        return watch(request, txn, Action::Detach, &found, &new);
    }
    let gone = |name: &String| new.spec.disks.iter().all(|disk| disk.name.as_str() != name);
    let had = |name: &String| vm.spec.disks.iter().any(|disk| disk.name.as_str() == name);
    new.spec.boot.retain(|name| !(had(name) && gone(name)));
    let mut txn = Txn::new();
    let new = put_spec(&mut txn, request.at, vm, new, None)?;
    let section = key::section(&family, ATTACHMENT);
    unchanged_record(&mut txn, request.at, &section);
    let about = vm.reference();
    if is_stopped(vm) {
        txn.deletes.push(Key::from(section));
        let text = format!("volume \"{}\" was detached from {}", body.volume, called(&about));
        request.note(&mut txn, "volume.detached", &about, text)?;
    } else {
        let attachment = found.status.attachment.clone();
        let leaving = attachment.map(|attachment| Attachment { leaving: true, ..attachment });
        let rows = vec![row(index::LEAVING, &vm.meta.uid)];
        object::put_section(&mut txn, request.at, &family, ATTACHMENT, &leaving, rows)?;
        let text = format!("volume \"{}\" is to be detached from {}", body.volume, called(&about));
        request.note(&mut txn, "volume.leaving", &about, text)?;
    }
    watch(request, txn, Action::Detach, &found, &new)
}

/// A task about the volume, which also looks at the VM. Its order is the VM's generation.
fn watch(
    request: &mut Request<'_>,
    mut txn: Txn,
    action: Action,
    volume: &Object<Volume>,
    vm: &Object<Vm>,
) -> Result<Admitted> {
    let family = key::object::<Vm>(Some(request.home()?.uid), vm.name());
    let also = Watched { order: vm.meta.generation, also: Some(family) };
    let task = task::begin_watching(request, &mut txn, action, volume, also)?;
    Ok(Admitted::task(txn, task))
}

/// The volume behind `family`, if this VM has it.
fn attached(at: &At, family: &str, vm: &Object<Vm>) -> Result<Option<Object<Volume>>> {
    let found = object::by_key::<Volume>(at, family)?;
    Ok(found.filter(|volume| {
        let attachment = volume.status.attachment.as_ref();
        attachment.is_some_and(|attachment| attachment.vm_uid == vm.meta.uid)
    }))
}

/// Frees the volumes that leave this VM, as far as no guest can have them open any more. All at
/// once: what is freed gives nobody cause to look at the VM again.
pub(super) fn let_go(at: &At, vm: &Object<Vm>, now: Time) -> Result<Option<Txn>> {
    let home = Home::of(at, vm)?;
    let mut free = leaving(at, vm);
    free.retain(|volume| !may_be_open(vm, volume));
    if free.is_empty() {
        return Ok(None);
    }
    let mut txn = Txn { frees: true, ..Txn::new() };
    // A guest that is started meanwhile may have one again.
    let family = key::object::<Vm>(Some(home.uid), vm.name());
    unchanged_record(&mut txn, at, &family);
    unchanged_record(&mut txn, at, &key::section(&family, RUNTIME));
    for volume in free {
        let section =
            key::section(&key::object::<Volume>(Some(home.uid), volume.name()), ATTACHMENT);
        unchanged_record(&mut txn, at, &section);
        txn.deletes.push(Key::from(section));
        let object = Some(vm.reference());
        let text = format!("volume \"{}\" was detached from VM \"{}\"", volume.name(), vm.name());
        let (level, kind) = (Level::Info, "volume.detached");
        journal::note(&mut txn, now, Note { actor: CONTROL, level, kind, object, text })?;
    }
    Ok(Some(txn))
}

/// Volumes that are leaving this VM.
pub(super) fn leaving(at: &At, vm: &Object<Vm>) -> Vec<Object<Volume>> {
    object::indexed::<Volume>(at, index::LEAVING, &vm.meta.uid.to_string())
}

/// Whether a guest of the VM may have the volume open, as far as its node has told.
fn may_be_open(vm: &Object<Vm>, volume: &Object<Volume>) -> bool {
    let Some(runtime) = vm.status.runtime.as_ref().filter(|_| is_live(vm)) else { return false };
    let same =
        |disk: &Disk| disk.volume.as_ref().is_some_and(|name| name.as_str() == volume.name());
    let Runtime { hardware, plugging, .. } = runtime;
    hardware.as_ref().is_none_or(|hardware| hardware.disks.iter().any(same))
        || plugging.as_ref().is_some_and(same)
}

/// A snapshot can only be gone back to while its disks are there.
fn check_not_covered(at: &At, vm: &Object<Vm>, volume: &Object<Volume>) -> Result<()> {
    let snapshots = object::indexed::<Snapshot>(at, index::VM, &vm.meta.uid.to_string());
    let covers = |snapshot: &&Object<Snapshot>| match &snapshot.status.data {
        Some(data) => data.volumes.iter().any(|name| name.as_str() == volume.name()),
        None => true,
    };
    let Some(snapshot) = snapshots.iter().find(covers) else { return Ok(()) };
    let message = format!(
        "volume \"{}\" is part of snapshot \"{}\" of VM \"{}\"",
        volume.name(),
        snapshot.name(),
        vm.name()
    );
    Err(Error::conflict(message).at("volume").hint("delete the snapshot first"))
}

/// VM and volume must not lie on different nodes.
fn check_together(vm: &Object<Vm>, volume: &Object<Volume>) -> Result<()> {
    let (Some(vm_node), Some(location)) = (node(vm), &volume.status.location) else {
        return Ok(());
    };
    if *vm_node == location.node {
        return Ok(());
    }
    let message = format!(
        "volume \"{}\" is on node \"{}\", but VM \"{}\" is on node \"{vm_node}\"",
        volume.name(),
        location.node,
        vm.name()
    );
    Err(Error::conflict(message).at("volume"))
}
