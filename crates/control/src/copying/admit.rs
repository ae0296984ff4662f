//! What a new volume may be a copy of, and what it has of that without being told.

use novacron_model::snapshot::SnapshotState;
use novacron_model::vm::VmState;
use novacron_model::volume::{Copying, DiskFormat, VolumeSource, VolumeSpec};
use novacron_model::{Bytes, Error, Kind, Object, Result, Snapshot, Vm, Volume, key};
use novacron_store::{Txn, object};

use super::{failure, holder, of_vm};
use crate::admission::{Home, Request, check_alive, unchanged, unchanged_record};
use crate::vm;
use crate::volume::ATTACHMENT;

/// Checks what a new volume is to be a copy of, and takes over from it what is not said. `path` is
/// where the fields stand in the request, `taken` a snapshot that is begun in the same transaction.
pub(crate) fn settle(
    request: &Request<'_>,
    txn: &mut Txn,
    home: &Home,
    spec: &mut VolumeSpec,
    path: &str,
    taken: Option<&Object<Snapshot>>,
) -> Result<Option<Copying>> {
    let Some(source) = spec.source.clone() else { return Ok(None) };
    let field = format!("{path}.source.volume");
    let found = object::get::<Volume>(request.at, Some(home.uid), source.volume.as_str())?;
    let found = found.ok_or_else(|| {
        Error::invalid(&field, format!("volume \"{}\" does not exist", source.volume))
            .hint("`novacron volume list` shows what there is")
    })?;
    check_alive(&found).map_err(|error| error.at(&field))?;
    if let Some(error) = failure(&found) {
        return Err(error.at(field));
    }
    unchanged(txn, Some(home.uid), &found);
    let snapshot_uid = match (&source.snapshot, taken) {
        (_, Some(taken)) => {
            check_format(&found, &field)
                .map_err(|error| error.hint("stop its VM, then clone that"))?;
            Some(taken.meta.uid)
        }
        (Some(_), None) => Some(covering(request, txn, home, &found, &source, path)?),
        (None, None) => at_rest(request, txn, home, &found, &field).map(|()| None)?,
    };
    take_over(&found, spec, path)?;
    Ok(Some(Copying { volume_uid: found.meta.uid, snapshot_uid }))
}

/// A copy lies beside its source and is like it, but for a larger size.
fn take_over(source: &Object<Volume>, spec: &mut VolumeSpec, path: &str) -> Result<()> {
    let (name, of) = (source.name(), &source.spec);
    if spec.pool != of.pool {
        let message = format!("a copy lies in the pool of its source: \"{}\"", of.pool);
        return Err(Error::invalid(format!("{path}.pool"), message));
    }
    if spec.format != of.format {
        let message = format!("a copy has the format of its source: {}", of.format.as_str());
        return Err(Error::invalid(format!("{path}.format"), message));
    }
    let other_disk = spec.image_disk.is_some() && spec.image_disk != of.image_disk;
    if other_disk || spec.image.is_some() && spec.image != of.image {
        let message = "a copy has the image of its source, which need not be named";
        return Err(Error::invalid(format!("{path}.image"), message));
    }
    if of.size == Bytes(0) {
        let message = format!("the size of volume \"{name}\" is its image's, which is on its way");
        return Err(Error::conflict(message)
            .at(format!("{path}.source.volume"))
            .hint("wait until it is ready"));
    }
    spec.image.clone_from(&of.image);
    spec.image_disk.clone_from(&of.image_disk);
    if spec.size == Bytes(0) {
        spec.size = of.size;
    }
    if spec.size < of.size {
        let message = format!("{} is less than the {} of volume \"{name}\"", spec.size, of.size);
        return Err(Error::invalid(format!("{path}.size"), message));
    }
    Ok(())
}

/// Nobody writes into the volume, and nobody begins to before the copy is ready.
fn at_rest(
    request: &Request<'_>,
    txn: &mut Txn,
    home: &Home,
    volume: &Object<Volume>,
    field: &str,
) -> Result<()> {
    let family = key::object::<Volume>(Some(home.uid), volume.name());
    unchanged_record(txn, request.at, &key::section(&family, ATTACHMENT));
    let Some(vm) = holder(request.at, home, volume)? else { return Ok(()) };
    check_alive(&vm).map_err(|error| error.at(field))?;
    unchanged(txn, Some(home.uid), &vm);
    check_stopped(&vm).map_err(|error| error.at(field))
}

/// The disks of a VM are copied as they are only while it is stopped.
fn check_stopped(vm: &Object<Vm>) -> Result<()> {
    if vm::is_stopped(vm) {
        return Ok(());
    }
    let why = match vm.status.state {
        VmState::Running => "running",
        VmState::Paused => "paused",
        _ => "not stopped",
    };
    Err(Error::conflict(format!("VM \"{}\" is {why}", vm.name()))
        .hint("stop it first, or clone one of its snapshots with --snapshot"))
}

/// The snapshot of the volume's VM that is to be copied.
fn covering(
    request: &Request<'_>,
    txn: &mut Txn,
    home: &Home,
    volume: &Object<Volume>,
    source: &VolumeSource,
    path: &str,
) -> Result<uuid::Uuid> {
    let field = format!("{path}.source.snapshot");
    let short = source.snapshot.as_ref().map_or("", |name| name.as_str());
    let name = volume.name();
    check_format(volume, &field)?;
    let Some(vm) = holder(request.at, home, volume)? else {
        let message = format!("volume \"{name}\" is no VM's and has no snapshots");
        return Err(Error::conflict(message).at(field).hint("copy it without one"));
    };
    check_alive(&vm).map_err(|error| error.at(&field))?;
    unchanged(txn, Some(home.uid), &vm);
    let full = format!("{}.{short}", vm.name());
    let snapshot = of_vm(request.at, home, &vm, &full)?;
    let snapshot = snapshot.ok_or_else(|| Error::not_found(Snapshot::KIND, &full).at(&field))?;
    check_alive(&snapshot).map_err(|error| error.at(&field))?;
    if snapshot.status.state != SnapshotState::Ready {
        return Err(Error::conflict(format!("snapshot \"{full}\" is not ready")).at(field));
    }
    let covered = snapshot.status.data.iter().flat_map(|data| &data.volumes);
    if !covered.into_iter().any(|each| each.as_str() == name) {
        let message = format!("snapshot \"{full}\" does not cover volume \"{name}\"");
        return Err(Error::conflict(message).at(field));
    }
    unchanged(txn, Some(home.uid), &snapshot);
    Ok(snapshot.meta.uid)
}

fn check_format(volume: &Object<Volume>, field: &str) -> Result<()> {
    if volume.spec.format == DiskFormat::Qcow2 {
        return Ok(());
    }
    let message = format!("volume \"{}\" is raw and has no snapshots", volume.name());
    Err(Error::conflict(message).at(field))
}
