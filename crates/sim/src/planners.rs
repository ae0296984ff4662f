//! The smallest loop that drives `control`'s planners; for tests. The daemon has its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use novacron_agent::Clock;
use novacron_control as control;
use novacron_model::Time;
use novacron_store::{Change, CommitError, Key, Selection, Store};
use tokio::time::sleep;

const PAUSE: Duration = Duration::from_millis(200);

/// Creates what exists from the start, then plans until it is dropped.
pub async fn run_planners(store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
    let mut timers: BTreeMap<Key, Time> = BTreeMap::new();
    loop {
        let at = store.snapshot();
        let fresh = control::bootstrap(&at, clock.now(), &mut uuid::Uuid::now_v7);
        if let Some(txn) = fresh.ok().filter(|txn| !txn.is_empty()) {
            let _ = store.commit(txn).await;
        }
        let at = store.snapshot();
        let mut watch = store.watch(Selection::Prefix(String::new()), at.revision());
        let mut queue: BTreeSet<Key> = control::families(&at).into_iter().collect();
        loop {
            let failed = look(&store, &clock, std::mem::take(&mut queue), &mut timers).await;
            queue.extend(failed);
            tokio::select! {
                changes = watch.next() => match changes {
                    None => return,
                    Some(Err(_)) => break,
                    Some(Ok(changes)) => hear(&store, &changes, &mut queue),
                },
                () = sleep(PAUSE) => {}
            }
            let now = clock.now();
            let due = timers.iter().filter(|(_, time)| **time <= now);
            queue.extend(due.map(|(family, _)| family.clone()));
            timers.retain(|_, time| *time > now);
        }
    }
}

fn hear(store: &Arc<dyn Store>, changes: &[Change], queue: &mut BTreeSet<Key>) {
    let at = store.snapshot();
    for change in changes {
        if let Change::Family { family, .. } | Change::Gone { family, .. } = change {
            queue.extend(control::related(&at, family));
            queue.insert(family.clone());
        }
    }
}

/// One look at each family; returns those to be looked at again.
async fn look(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    families: BTreeSet<Key>,
    timers: &mut BTreeMap<Key, Time>,
) -> Vec<Key> {
    let mut again = Vec::new();
    for family in families {
        let plan = control::plan_all(&store.snapshot(), &family, clock.now());
        if let Some(wake) = plan.wake {
            timers.insert(family.clone(), wake);
        }
        let Some(txn) = plan.txn else { continue };
        match store.commit(txn).await {
            Ok(_) | Err(CommitError::Precondition { .. } | CommitError::Limit { .. }) => {
                again.push(family);
            }
            Err(error) => {
                tracing::warn!(%family, %error, "a plan was not committed");
                again.push(family);
            }
        }
    }
    again
}
