//! Attaching volumes to a stopped VM, and detaching them.

use novacron_model::request::{AttachRequest, DetachRequest};
use novacron_model::vm::Disk;
use novacron_model::{Error, Object, Result, Snapshot, Vm, Volume, key};
use novacron_store::{Key, Txn, object};

use super::{disks, hardware, is_stopped, node, put_spec};
use crate::admission::{Admitted, Request, check_alive, unchanged_record};
use crate::index;
use crate::journal::called;
use crate::volume::{self, ATTACHMENT};

/// Gives a volume to a stopped VM as its last disk.
pub fn attach(
    request: &mut Request<'_>,
    vm: &Object<Vm>,
    body: &AttachRequest,
) -> Result<Admitted> {
    check_changeable(request, vm)?;
    let home = request.home()?;
    let mut txn = Txn::new();
    let found = disks::take(request.at, &mut txn, &home, &body.volume, "volume")?;
    check_together(vm, &found)?;
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
    put_spec(&mut txn, request.at, vm, new, None)?;
    let family = key::object::<Volume>(Some(home.uid), found.name());
    volume::attach(&mut txn, request.at, &family, vm)?;
    let about = vm.reference();
    let text = format!("volume \"{}\" was attached to {}", body.volume, called(&about));
    request.note(&mut txn, "volume.attached", &about, text)?;
    Ok(Admitted::done(txn))
}

/// Takes a volume from a stopped VM. It stays, also if it was made with the VM.
pub fn detach(
    request: &mut Request<'_>,
    vm: &Object<Vm>,
    body: &DetachRequest,
) -> Result<Admitted> {
    check_changeable(request, vm)?;
    let home = request.home()?;
    let mut new = vm.clone();
    new.spec.disks.retain(|disk| disk.volume.as_ref() != Some(&body.volume));
    let gone = |name: &String| new.spec.disks.iter().all(|disk| disk.name.as_str() != name);
    let had = |name: &String| vm.spec.disks.iter().any(|disk| disk.name.as_str() == name);
    new.spec.boot.retain(|name| !(had(name) && gone(name)));
    if new.spec.disks.len() == vm.spec.disks.len() {
        let (vm, volume) = (vm.name(), &body.volume);
        let message = format!("volume \"{volume}\" is not attached to VM \"{vm}\"");
        return Err(Error::conflict(message).at("volume"));
    }
    let mut txn = Txn::new();
    put_spec(&mut txn, request.at, vm, new, None)?;
    let family = key::object::<Volume>(Some(home.uid), body.volume.as_str());
    let attachment = key::section(&family, ATTACHMENT);
    unchanged_record(&mut txn, request.at, &attachment);
    txn.deletes.push(Key::from(attachment));
    let about = vm.reference();
    let text = format!("volume \"{}\" was detached from {}", body.volume, called(&about));
    request.note(&mut txn, "volume.detached", &about, text)?;
    Ok(Admitted::done(txn))
}

fn check_changeable(request: &Request<'_>, vm: &Object<Vm>) -> Result<()> {
    check_alive(vm)?;
    let name = vm.name();
    if !is_stopped(vm) {
        return Err(Error::conflict(format!("VM \"{name}\" is not stopped"))
            .hint("stop it first: disks change only while it is down"));
    }
    let uid = vm.meta.uid.to_string();
    let snapshots = object::indexed::<Snapshot>(request.at, index::VM, &uid);
    if let Some(snapshot) = snapshots.first() {
        let message = format!(
            "VM \"{name}\" has snapshot \"{}\", which covers its present disks",
            snapshot.name()
        );
        return Err(Error::conflict(message).hint("delete its snapshots first"));
    }
    Ok(())
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
