//! The end of a deleted VM, once its node has cleaned up (or if it has none, or one that is gone).
//!
//! ```text
//!  #cleaned ─▶ own volumes marked ─▶ own volumes gone ─▶ VM, snapshots, share removed
//! ```
//!
//! The VM stays listed until its own volumes are gone: nothing that holds a disk vanishes early,
//! and its name and theirs come free together.

use novacron_model::{Object, Result, Snapshot, Time, Vm, Volume, key};
use novacron_store::{Key, Snapshot as At, Txn, object};

use super::{PLACEMENT, attach, node};
use crate::admission::{Home, rewrite, unchanged, unchanged_record};
use crate::index::{self, row};
use crate::volume::ATTACHMENT;
use crate::{capacity, journal, placing};

/// Wakes the VM when one of its volumes is gone.
const RELEASING: &str = "releasing";

pub(super) fn plan(at: &At, family: &str, vm: &Object<Vm>, now: Time) -> Result<Option<Txn>> {
    if node(vm).is_some_and(|node| !placing::is_cleaned(at, family, node)) {
        return Ok(None);
    }
    let home = Home::of(at, vm)?;
    let held = held_volumes(at, &home, vm)?;
    let own: Vec<_> = held.iter().filter(|(_, owned)| *owned).map(|(volume, _)| volume).collect();
    if own.iter().any(|volume| volume.meta.deleting.is_none()) {
        return release(at, family, &home, vm, &own, now).map(Some);
    }
    if !own.is_empty() {
        return Ok(None);
    }
    let others: Vec<_> = held.iter().map(|(volume, _)| volume).collect();
    remove(at, family, &home, vm, &others, now).map(Some)
}

/// The volumes that are attached to this VM, and whether they were made with it.
fn held_volumes(at: &At, home: &Home, vm: &Object<Vm>) -> Result<Vec<(Object<Volume>, bool)>> {
    let mut held = Vec::new();
    for disk in &vm.spec.disks {
        let Some(name) = &disk.volume else { continue };
        let Some(volume) = object::get::<Volume>(at, Some(home.uid), name.as_str())? else {
            continue;
        };
        let attachment = volume.status.attachment.as_ref();
        if attachment.is_some_and(|attachment| attachment.vm_uid == vm.meta.uid) {
            held.push((volume, disk.owned));
        }
    }
    held.extend(attach::leaving(at, vm).into_iter().map(|volume| (volume, false)));
    Ok(held)
}

fn release(
    at: &At,
    family: &str,
    home: &Home,
    vm: &Object<Vm>,
    own: &[&Object<Volume>],
    now: Time,
) -> Result<Txn> {
    let mut txn = Txn { frees: true, ..Txn::new() };
    unchanged(&mut txn, Some(home.uid), vm);
    let mut rows = Vec::new();
    for volume in own {
        let marked = object::mark_deleting(volume, now);
        rewrite(&mut txn, at, Some(home.uid), volume, &marked, None)?;
        rows.push(row(index::WAITS_ON, &key::object::<Volume>(Some(home.uid), volume.name())));
    }
    object::put_section(&mut txn, at, family, RELEASING, &true, rows)?;
    Ok(txn)
}

fn remove(
    at: &At,
    family: &str,
    home: &Home,
    vm: &Object<Vm>,
    others: &[&Object<Volume>],
    now: Time,
) -> Result<Txn> {
    let mut txn = Txn { frees: true, ..Txn::new() };
    object::remove(&mut txn, at, Some(home.uid), vm);
    unchanged_record(&mut txn, at, &key::section(family, PLACEMENT));
    for volume in others {
        let volume = key::object::<Volume>(Some(home.uid), volume.name());
        let attachment = key::section(&volume, ATTACHMENT);
        unchanged_record(&mut txn, at, &attachment);
        txn.deletes.push(Key::from(attachment));
    }
    for snapshot in object::indexed::<Snapshot>(at, index::VM, &vm.meta.uid.to_string()) {
        object::remove(&mut txn, at, Some(home.uid), &snapshot);
    }
    if let Some(placement) = &vm.status.placement {
        txn.counters.extend(capacity::release(placement));
    }
    let about = vm.reference();
    let note = journal::Note {
        actor: journal::CONTROL,
        level: novacron_model::Level::Info,
        kind: "vm.deleted",
        text: format!("{} is gone", journal::called(&about)),
        object: Some(about),
    };
    journal::note(&mut txn, now, note)?;
    Ok(txn)
}
