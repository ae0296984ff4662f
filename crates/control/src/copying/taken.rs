//! Snapshots that are taken for the clone of a VM that is not stopped, and go with its last copy.

use novacron_model::request::DraftMeta;
use novacron_model::{Meta, Object, Result, Snapshot, Time, Vm, Volume, key};
use novacron_store::{Snapshot as At, Txn, object};

use super::none_from;
use crate::admission::{Home, Request, rewrite};
use crate::index::{self, row};
use crate::snapshot;

/// Status section that says what a snapshot was taken for.
const TAKEN_FOR: &str = "taken_for";

/// Takes a snapshot of a VM that is not stopped, for a clone of it.
pub(crate) fn take(
    request: &mut Request<'_>,
    txn: &mut Txn,
    vm: &Object<Vm>,
    clone: &Meta,
) -> Result<Object<Snapshot>> {
    let uid = clone.uid.simple().to_string();
    // A name that nobody else has: the tail of a `UUIDv7` is random.
    let name = format!("{}.clone-{}", vm.name(), &uid[20..]);
    snapshot::take(request, txn, vm, DraftMeta { name, ..DraftMeta::default() })
}

/// Says what a snapshot was taken for: it is looked at whenever a copy changes, and goes with the
/// last.
pub(crate) fn taken_for(
    txn: &mut Txn,
    at: &At,
    home: &Home,
    snapshot: &Object<Snapshot>,
    clone: &Object<Vm>,
) -> Result<()> {
    let volumes = clone.spec.disks.iter().filter_map(|disk| disk.volume.as_ref());
    let rows = volumes
        .map(|name| row(index::WAITS_ON, &key::object::<Volume>(Some(home.uid), name.as_str())));
    let family = key::object::<Snapshot>(Some(home.uid), snapshot.name());
    object::put_section(txn, at, &family, TAKEN_FOR, &clone.reference(), rows.collect())
}

/// The end of a snapshot that was taken for a clone, when nothing is copied from it any more.
pub(crate) fn served(
    at: &At,
    home: &Home,
    snapshot: &Object<Snapshot>,
    now: Time,
) -> Result<Option<Txn>> {
    let mut txn = Txn { frees: true, ..Txn::new() };
    if snapshot.status.taken_for.is_none() || none_from(at, &mut txn, snapshot).is_err() {
        return Ok(None);
    }
    let marked = object::mark_deleting(snapshot, now);
    rewrite(&mut txn, at, Some(home.uid), snapshot, &marked, None)?;
    Ok(Some(txn))
}
