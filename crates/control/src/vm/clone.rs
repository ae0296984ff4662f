//! A VM like another one: its machine, with copies of all its disks.
//!
//! What tells guests apart is new: uid, MACs, name, host name, the instance id by which cloud-init
//! knows a first boot. Ports of the host stay with the original, and so does its protection.

use novacron_model::request::{CloneRequest, DraftMeta};
use novacron_model::task::{Action, LogLine};
use novacron_model::vm::{Disk, Run, VmSpec, VmStatus};
use novacron_model::volume::{VolumeSource, VolumeSpec, VolumeStatus};
use novacron_model::{Error, Name, Object, Result, Task, Time, Vm, Volume, key};
use novacron_store::{Txn, object};

use super::create::attach_all;
use super::{disks, hardware};
use crate::admission::{Admitted, Home, Request, check_alive, unchanged};
use crate::{copying, task, volume};

/// Makes a VM of another name from this one.
pub fn clone(request: &mut Request<'_>, vm: &Object<Vm>, body: &CloneRequest) -> Result<Admitted> {
    check_alive(vm)?;
    if body.run == Run::Paused {
        return Err(Error::invalid("run", "a new VM is running or stopped"));
    }
    if body.snapshot.is_none() {
        copying::check_stopped(vm)?;
    }
    let home = request.home()?;
    let mut txn = Txn::new();
    unchanged(&mut txn, Some(home.uid), vm);
    let draft = DraftMeta {
        name: body.name.to_string(),
        labels: vm.meta.labels.clone(),
        annotations: vm.meta.annotations.clone(),
    };
    let meta = request.new_meta::<Vm>(&mut txn, draft).map_err(|error| error.at("name"))?;
    let (mut spec, log) = spec_from(vm, body.run, request.now);
    let rows = hardware::rows(request.at, &mut txn, &home, &mut spec, None)?;
    let mut made = disks::Disks::default();
    for disk in &mut spec.disks {
        made.made.push(copy(request, &mut txn, &home, body, disk)?);
    }
    let new = Object::<Vm> { meta, spec, status: VmStatus::default() };
    request.put_new(&mut txn, &new, rows)?;
    attach_all(request, &mut txn, &home, &new, made)?;
    let task = task::begin(request, &mut txn, Action::Create, &new, 0)?;
    if !log.is_empty() {
        let family = key::object::<Task>(Some(home.uid), &task.to_string());
        object::put_section(&mut txn, request.at, &family, "log", &log, Vec::new())?;
    }
    Ok(Admitted::task(txn, task))
}

/// What the new VM has of the old one, and in words what it has not.
fn spec_from(vm: &Object<Vm>, run: Run, now: Time) -> (VmSpec, Vec<LogLine>) {
    let mut spec = VmSpec { run, protected: false, ..vm.spec.clone() };
    if let Some(told) = &mut spec.cloud_init {
        told.hostname = None;
    }
    let ports = spec.nics.iter_mut().flatten().flat_map(|nic| std::mem::take(&mut nic.ports));
    let mut log: Vec<String> = ports
        .map(|port| {
            let (host, guest) = (port.host, port.guest);
            format!("port {host} of the host, to {guest}, stays with VM \"{}\"", vm.name())
        })
        .collect();
    if spec.tpm {
        log.push("the TPM begins empty".to_owned());
    }
    (spec, log.into_iter().map(|text| LogLine { time: now, text }).collect())
}

/// The volume that a disk of the new VM has, which goes with it.
fn copy(
    request: &mut Request<'_>,
    txn: &mut Txn,
    home: &Home,
    body: &CloneRequest,
    disk: &mut Disk,
) -> Result<disks::Made> {
    let missing = || Error::internal(format!("disk \"{}\" has no volume", disk.name));
    let volume = disk.volume.clone().ok_or_else(missing)?;
    let of = object::expect::<Volume>(request.at, Some(home.uid), volume.as_str())?;
    let source = Some(VolumeSource { volume, snapshot: body.snapshot.clone() });
    let mut spec = VolumeSpec { source, ..of.spec.clone() };
    let copying = copying::settle(request, txn, home, &mut spec, "").map_err(|error| Error {
        field: body.snapshot.as_ref().map(|_| "snapshot".to_owned()),
        ..error
    })?;
    let rows = volume::settle(request, txn, home, &mut spec, "spec")?;
    let name = format!("{}-{}", body.name, disk.name);
    let draft = DraftMeta { name, labels: of.meta.labels, annotations: of.meta.annotations };
    let meta = request.new_meta::<Volume>(txn, draft).map_err(|error| error.at("name"))?;
    disk.volume = Some(Name::new(meta.name.as_str())?);
    disk.owned = true;
    let status = VolumeStatus { copying, ..VolumeStatus::default() };
    Ok((Object { meta, spec, status }, rows))
}
