//! How long ended tasks are kept: the newest [`KEPT`] of a project for good, older ones for a day,
//! and never more than [`KEPT_MAX`].

use novacron_model::{Seconds, Task, Time, key};
use novacron_store::{CounterAdd, Key, Precondition, Snapshot, Txn, object};
use uuid::Uuid;

use super::{add, counter};

pub const KEPT: u64 = 500;
pub const KEPT_MAX: u64 = 5_000;
const AGE_MAX: Seconds = Seconds(24 * 3600);
/// Tasks removed by one transaction.
const BATCH: usize = 32;

/// The oldest task among those of the given one's project, which need not be there any more. To
/// prune is its plan, so that only one transaction is made of it, however many tasks have ended.
pub(crate) fn oldest(at: &Snapshot, family: &str) -> Option<Key> {
    let (prefix, _) = family.rsplit_once('/')?;
    let prefix = format!("{prefix}/");
    at.scan(&prefix, &prefix).next().map(|record| Key::new(record.key.family()))
}

/// Deletes what is too old or too much, oldest first: names are UUIDv7, so key order is age.
/// `None`: there is nothing to delete, or `family` is not the oldest task of its project.
pub(super) fn plan(at: &Snapshot, family: &str, now: Time) -> Option<Txn> {
    oldest(at, family).filter(|oldest| oldest.as_str() == family)?;
    let project: Uuid = family.split('/').nth(1)?.parse().ok()?;
    let mut txn = Txn { frees: true, ..Txn::new() };
    let mut ended = u64::try_from(at.counter(&counter(project))).unwrap_or(0);
    if ended <= KEPT {
        return None;
    }
    let prefix = key::prefix::<Task>(Some(project));
    let specs = at.scan(&prefix, &prefix).filter(|record| record.key.section().is_none());
    let mut gone = 0;
    for record in specs {
        let family = record.key.as_str();
        let Ok(Some(task)) = object::by_key::<Task>(at, family) else { continue };
        let Some(outcome) = task.status.outcome else { continue };
        let old = now >= outcome.finished.plus(AGE_MAX);
        if ended <= KEPT || (!old && ended <= KEPT_MAX) || gone == BATCH {
            break;
        }
        txn.preconditions.push(Precondition::At(record.key.clone(), record.revision));
        txn.deletes.extend(at.family(family).into_iter().map(|record| record.key.clone()));
        txn.counters.push(count(project, -1));
        ended -= 1;
        gone += 1;
    }
    (gone > 0).then_some(txn)
}

/// Counts an ended task in or out.
pub(super) fn count(project: Uuid, delta: i64) -> CounterAdd {
    add(project, delta)
}

/// All tasks of a project go with it.
pub(crate) fn forget_all(at: &Snapshot, project: Uuid) -> Option<CounterAdd> {
    let ended = at.counter(&counter(project));
    (ended != 0).then(|| add(project, -ended))
}
