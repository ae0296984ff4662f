//! Volumes that start as copies of others: what may be copied, who waits for what, and what must
//! stay as it is until a copy is ready.
//!
//! ```text
//!  admitted ─▶ waits for its source ─▶ gets the source's node ─▶ copied by the agent ─▶ ready
//!  └──────────────── #copying: its rows keep volume and snapshot ───────────────────┘
//! ```
//!
//! From then on nothing ties a copy to its source; `spec.source` only tells where it came from.

use novacron_model::snapshot::SnapshotState;
use novacron_model::vm::VmState;
use novacron_model::volume::{Copying, DiskFormat, VolumeSource, VolumeSpec};
use novacron_model::{Bytes, Error, Kind, Object, Result, Snapshot, Vm, Volume, key};
use novacron_store::{Key, Precondition, Snapshot as At, Txn, object};

use crate::admission::{Home, Request, check_alive, named, unchanged, unchanged_record};
use crate::coming::Coming;
use crate::index::{self, row};
use crate::journal::called;
use crate::vm;
use crate::volume::ATTACHMENT;

/// Status section of a copy in the making.
const COPYING: &str = "copying";

/// Checks what a new volume is to be a copy of, and takes over from it what is not said. `path` is
/// where the fields stand in the request.
pub(crate) fn settle(
    request: &Request<'_>,
    txn: &mut Txn,
    home: &Home,
    spec: &mut VolumeSpec,
    path: &str,
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
    let snapshot_uid = match &source.snapshot {
        Some(_) => Some(covering(request, txn, home, &found, &source, path)?),
        None => at_rest(request, txn, home, &found, &field).map(|()| None)?,
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
    if spec.image.is_some() && spec.image != of.image {
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
pub(crate) fn check_stopped(vm: &Object<Vm>) -> Result<()> {
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
    if volume.spec.format != DiskFormat::Qcow2 {
        let message = format!("volume \"{name}\" is raw and has no snapshots");
        return Err(Error::conflict(message).at(field));
    }
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

/// A snapshot of this VM, not of an earlier one with its name.
pub(crate) fn of_vm(
    at: &At,
    home: &Home,
    vm: &Object<Vm>,
    name: &str,
) -> Result<Option<Object<Snapshot>>> {
    let family = key::object::<Snapshot>(Some(home.uid), name);
    let mine = row(index::VM, &vm.meta.uid);
    let carries = at.get(&family).is_some_and(|record| record.index.contains(&mine));
    let found = object::get::<Snapshot>(at, Some(home.uid), name)?;
    Ok(found.filter(|_| carries))
}

fn holder(at: &At, home: &Home, volume: &Object<Volume>) -> Result<Option<Object<Vm>>> {
    let Some(attachment) = &volume.status.attachment else { return Ok(None) };
    let vm = object::get::<Vm>(at, Some(home.uid), attachment.vm.as_str())?;
    Ok(vm.filter(|vm| vm.meta.uid == attachment.vm_uid))
}

/// Says with the new volume what it is copied from, so that this stays and wakes it.
pub(crate) fn begin(
    txn: &mut Txn,
    at: &At,
    home: &Home,
    volume: &Object<Volume>,
    copying: &Copying,
) -> Result<()> {
    let Some(source) = &volume.spec.source else { return Ok(()) };
    let waits_on = key::object::<Volume>(Some(home.uid), source.volume.as_str());
    let mut rows = vec![row(index::COPIES, &copying.volume_uid), row(index::WAITS_ON, &waits_on)];
    rows.extend(copying.snapshot_uid.map(|uid| row(index::COPIES, &uid)));
    let family = key::object::<Volume>(Some(home.uid), volume.name());
    object::put_section(txn, at, &family, COPYING, copying, rows)
}

/// How the source of a copy in the making stands; `None` for what is none.
pub(crate) fn source(
    at: &At,
    home: &Home,
    volume: &Object<Volume>,
) -> Result<Option<Object<Volume>>> {
    let (Some(source), Some(copying)) = (&volume.spec.source, &volume.status.copying) else {
        return Ok(None);
    };
    let found = object::get::<Volume>(at, Some(home.uid), source.volume.as_str())?;
    found.filter(|found| found.meta.uid == copying.volume_uid).map(Some).ok_or_else(|| {
        Error::conflict(format!("volume \"{}\", the source of the copy, is gone", source.volume))
    })
}

/// Whether the source of a copy can be read yet.
pub(crate) fn of_source(source: &Object<Volume>) -> Coming {
    match failure(source) {
        Some(error) => Coming::Failed(error),
        None if source.status.data.as_ref().is_some_and(|data| data.ready.is_some()) => {
            Coming::Here
        }
        None => Coming::Waiting(format!("waiting for volume \"{}\"", source.name())),
    }
}

fn failure(source: &Object<Volume>) -> Option<Error> {
    let error = source.status.data.as_ref()?.error.as_ref()?;
    let message = format!("volume \"{}\" cannot be copied: {}", source.name(), error.message);
    Some(Error { message, ..error.clone() })
}

/// Frees what a copy was made from, once it is ready.
pub(crate) fn finish(family: &str, volume: &Object<Volume>) -> Option<Txn> {
    volume.status.copying.as_ref()?;
    let ready = volume.status.data.as_ref().is_some_and(|data| data.ready.is_some());
    ready.then(|| Txn::new().delete(key::section(family, COPYING)))
}

/// A volume or a snapshot that nothing is being copied from, until the transaction is applied.
pub(crate) fn none_from<K: Kind>(at: &At, txn: &mut Txn, original: &Object<K>) -> Result<()> {
    let uid = original.meta.uid.to_string();
    let mut copies: Vec<Key> = at.indexed(index::COPIES, &uid, "");
    copies.dedup();
    if !copies.is_empty() {
        let (what, into) = (called(&original.reference()), named(&copies));
        return Err(Error::conflict(format!("{what} is being copied into {into}"))
            .hint("wait until that is ready, or delete it"));
    }
    txn.preconditions.push(Precondition::NoIndex(index::COPIES.to_owned(), uid));
    Ok(())
}

/// Likewise for all disks of a VM.
pub(crate) fn none_of_disks(at: &At, txn: &mut Txn, home: &Home, vm: &Object<Vm>) -> Result<()> {
    for name in vm.spec.disks.iter().filter_map(|disk| disk.volume.as_ref()) {
        if let Some(volume) = object::get::<Volume>(at, Some(home.uid), name.as_str())? {
            none_from(at, txn, &volume)?;
        }
    }
    Ok(())
}
