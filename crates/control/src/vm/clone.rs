//! A VM like another one: its machine, with copies of all its disks.
//!
//! What tells guests apart is new: uid, MACs, name, host name, the instance id by which cloud-init
//! knows a first boot. Ports of the host stay with the original, and so does its protection.

use novacron_model::request::{CloneRequest, DraftMeta};
use novacron_model::task::{Action, LogLine};
use novacron_model::vm::{Disk, Run, VmSpec, VmStatus};
use novacron_model::volume::{VolumeSource, VolumeSpec, VolumeStatus};
use novacron_model::{Error, Name, Object, Result, Snapshot, Task, Vm, Volume, key};
use novacron_store::{Txn, object};

use super::create::attach_all;
use super::{disks, hardware, is_stopped};
use crate::admission::{Admitted, Home, Request, check_alive, unchanged};
use crate::{copying, task, volume};

/// Makes a VM of another name from this one.
pub fn clone(request: &mut Request<'_>, vm: &Object<Vm>, body: &CloneRequest) -> Result<Admitted> {
    check_alive(vm)?;
    if body.run == Run::Paused {
        return Err(Error::invalid("run", "a new VM is running or stopped"));
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
    let taken = match &body.snapshot {
        None if !is_stopped(vm) && !vm.spec.disks.is_empty() => {
            Some(copying::take(request, &mut txn, vm, &meta)?)
        }
        _ => None,
    };
    let (mut spec, mut log) = spec_from(vm, body.run);
    log.extend(
        taken.as_ref().map(|taken| {
            format!("snapshot \"{}\" is taken for it and goes afterwards", taken.name())
        }),
    );
    let rows = hardware::rows(request.at, &mut txn, &home, &mut spec, None)?;
    let mut made = disks::Disks::default();
    for disk in &mut spec.disks {
        made.made.push(copy(request, &mut txn, &home, body, taken.as_ref(), disk)?);
    }
    let new = Object::<Vm> { meta, spec, status: VmStatus::default() };
    request.put_new(&mut txn, &new, rows)?;
    attach_all(request, &mut txn, &home, &new, made)?;
    if let Some(taken) = &taken {
        copying::taken_for(&mut txn, request.at, &home, taken, &new)?;
    }
    let task = task::begin(request, &mut txn, Action::Create, &new, 0)?;
    if !log.is_empty() {
        let line = |text| LogLine { time: request.now, text };
        let log: Vec<_> = log.into_iter().map(line).collect();
        let family = key::object::<Task>(Some(home.uid), &task.to_string());
        object::put_section(&mut txn, request.at, &family, "log", &log, Vec::new())?;
    }
    Ok(Admitted::task(txn, task))
}

/// What the new VM has of the old one, and in words what it has not.
fn spec_from(vm: &Object<Vm>, run: Run) -> (VmSpec, Vec<String>) {
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
    (spec, log)
}

/// The volume that a disk of the new VM has, which goes with it.
fn copy(
    request: &mut Request<'_>,
    txn: &mut Txn,
    home: &Home,
    body: &CloneRequest,
    taken: Option<&Object<Snapshot>>,
    disk: &mut Disk,
) -> Result<disks::Made> {
    let missing = || Error::internal(format!("disk \"{}\" has no volume", disk.name));
    let volume = disk.volume.clone().ok_or_else(missing)?;
    let of = object::expect::<Volume>(request.at, Some(home.uid), volume.as_str())?;
    let own = taken.and_then(|taken| Name::new(taken.name().split_once('.')?.1).ok());
    let snapshot = body.snapshot.clone().or(own);
    let source = Some(VolumeSource { volume, snapshot });
    let mut spec = VolumeSpec { source, ..of.spec.clone() };
    let field = body.snapshot.as_ref().map(|_| "snapshot".to_owned());
    let copying = copying::settle(request, txn, home, &mut spec, "", taken)
        .map_err(|error| Error { field, ..error })?;
    let rows = volume::settle(request, txn, home, &mut spec, "spec")?;
    let name = format!("{}-{}", body.name, disk.name);
    let draft = DraftMeta { name, labels: of.meta.labels, annotations: of.meta.annotations };
    let meta = request.new_meta::<Volume>(txn, draft).map_err(|error| error.at("name"))?;
    disk.volume = Some(Name::new(meta.name.as_str())?);
    disk.owned = true;
    let status = VolumeStatus { copying, ..VolumeStatus::default() };
    Ok((Object { meta, spec, status }, rows))
}
