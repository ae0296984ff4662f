//! What a failed import or snapshot leaves behind goes with the end of its task, so that the name is
//! free again. The error stays in the task.
//!
//! The mark that has the object deleted is one transaction with the outcome; from there on it goes as
//! if a user had deleted it, over any crash.

use novacron_model::task::Action;
use novacron_model::{Image, Kind, Object, Result, Snapshot, Task, Time};
use novacron_store::{Precondition, Snapshot as At, Txn, object};

use crate::admission::{Home, rewrite, unchanged};
use crate::index::{self, row};
use crate::journal::SCHEDULE;

pub(super) fn clear(
    at: &At,
    home: &Home,
    task: &Object<Task>,
    now: Time,
    txn: &mut Txn,
) -> Result<()> {
    match (task.spec.action, task.spec.target.kind.as_str()) {
        (Action::Import, Image::KIND) => {
            let (name, value) = row(index::IMAGE, &task.spec.target.uid);
            // Who waits for it goes on with the next import under its name.
            if at.indexed(&name, &value, "").is_empty() {
                txn.preconditions.push(Precondition::NoIndex(name, value));
                mark::<Image>(at, home, task, now, txn)?;
            }
            Ok(())
        }
        // A schedule looks at what became of its snapshots, and removes them itself.
        (Action::Snapshot, Snapshot::KIND) if task.meta.owner != SCHEDULE => {
            mark::<Snapshot>(at, home, task, now, txn)
        }
        _ => Ok(()),
    }
}

fn mark<K: Kind>(
    at: &At,
    home: &Home,
    task: &Object<Task>,
    now: Time,
    txn: &mut Txn,
) -> Result<()> {
    let target = &task.spec.target;
    let found = object::get::<K>(at, Some(home.uid), &target.name)?;
    let found = found.filter(|found| found.meta.uid == target.uid && found.meta.deleting.is_none());
    let Some(old) = found else { return Ok(()) };
    unchanged(txn, Some(home.uid), &old);
    rewrite(txn, at, Some(home.uid), &old, &object::mark_deleting(&old, now), None)
}
