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
use novacron_model::{Error, Level, Object, Result, Snapshot, Time, Vm, Volume, key};
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
        bus: None,
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
        // It is leaving already.
        return watch(request, Txn::new(), Action::Detach, &found, vm);
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

/// Frees a volume that leaves this VM, once no guest can have it open any more.
pub(super) fn let_go(at: &At, vm: &Object<Vm>, now: Time) -> Result<Option<Txn>> {
    let home = Home::of(at, vm)?;
    for volume in leaving(at, vm) {
        if may_be_open(vm, &volume) {
            continue;
        }
        let mut txn = Txn { frees: true, ..Txn::new() };
        let section =
            key::section(&key::object::<Volume>(Some(home.uid), volume.name()), ATTACHMENT);
        unchanged_record(&mut txn, at, &section);
        txn.deletes.push(Key::from(section));
        // A guest that is started meanwhile may have it again.
        let family = key::object::<Vm>(Some(home.uid), vm.name());
        unchanged_record(&mut txn, at, &family);
        unchanged_record(&mut txn, at, &key::section(&family, RUNTIME));
        let object = Some(vm.reference());
        let text = format!("volume \"{}\" was detached from VM \"{}\"", volume.name(), vm.name());
        let (level, kind) = (Level::Info, "volume.detached");
        journal::note(&mut txn, now, Note { actor: CONTROL, level, kind, object, text })?;
        return Ok(Some(txn));
    }
    Ok(None)
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
