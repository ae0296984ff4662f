//! Volumes that start as copies of others: what may be copied, who waits for what, and what must
//! stay as it is until a copy is ready.
//!
//! ```text
//!  admitted ─▶ waits for its source ─▶ gets the source's node ─▶ copied by the agent ─▶ ready
//!  └──────────────── #copying: its rows keep volume and snapshot ───────────────────┘
//! ```
//!
//! From then on nothing ties a copy to its source; `spec.source` only tells where it came from.

mod admit;
mod taken;
mod wait;

use novacron_model::volume::{Copying, VolumeSource};
use novacron_model::{Error, Kind, Object, Result, Snapshot, Vm, Volume, key};
use novacron_store::{Key, Precondition, Snapshot as At, Txn, object};

pub(crate) use self::admit::settle;
pub(crate) use self::taken::{served, take, taken_for};
pub(crate) use self::wait::coming;
use crate::admission::{Home, named};
use crate::index::{self, row};
use crate::journal::called;

/// Status section of a copy in the making.
const COPYING: &str = "copying";

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
    if let Some(uid) = &copying.snapshot_uid {
        rows.push(row(index::COPIES, uid));
        let found = object::get::<Volume>(at, Some(home.uid), source.volume.as_str())?;
        let name = found.and_then(|found| snapshot_name(&found, source));
        rows.extend(
            name.map(|name| row(index::WAITS_ON, &key::object::<Snapshot>(Some(home.uid), &name))),
        );
    }
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

/// `VM.SNAPSHOT`, of the VM that has the source.
fn snapshot_name(from: &Object<Volume>, source: &VolumeSource) -> Option<String> {
    let (attachment, short) = from.status.attachment.as_ref().zip(source.snapshot.as_ref())?;
    Some(format!("{}.{short}", attachment.vm))
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
