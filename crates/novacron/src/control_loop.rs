//! Drives the planners: hears of changes, asks for plans, commits them.
//!
//! Holds nothing that matters: after a crash the first round looks at everything again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use novacron_control as control;
use novacron_model::Time;
use novacron_store::{Change, CommitError, Key, Revision, Selection, Snapshot, Store};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::clock;

/// How many plans are committed at once.
const BATCH: usize = 64;
/// Pause before a plan that could not be committed is tried again.
const PAUSE_MS: i64 = 1000;

/// Runs until `end`. Plans for everything first, then for what changes.
pub async fn run(store: Arc<dyn Store>, end: CancellationToken) {
    let mut driver = Driver { store, queue: BTreeSet::new(), timers: BTreeMap::new() };
    end.run_until_cancelled(driver.drive()).await;
}

struct Driver {
    store: Arc<dyn Store>,
    /// Families to look at, each once.
    queue: BTreeSet<Key>,
    /// Families to look at again at a time.
    timers: BTreeMap<Time, BTreeSet<Key>>,
}

impl Driver {
    async fn drive(&mut self) {
        loop {
            let at = self.store.snapshot();
            let mut watch = self.store.watch(Selection::Prefix(String::new()), at.revision());
            self.queue.extend(control::families(&at));
            let mut audit = clock::now();
            loop {
                audit = self.audit(audit).await;
                self.look().await;
                tokio::select! {
                    changes = watch.next() => match changes {
                        None => return,
                        // Too much has happened: look at everything again.
                        Some(Err(_)) => break,
                        Some(Ok(changes)) => self.hear(&changes),
                    },
                    () = sleep_until(self.next_timer().min(audit)) => self.ring(),
                }
            }
        }
    }

    /// Compares counters with objects when it is time; returns when to do so again.
    async fn audit(&mut self, due: Time) -> Time {
        let now = clock::now();
        if now < due {
            return due;
        }
        let plan = control::audit(&self.store.snapshot(), now);
        if let Some(txn) = plan.txn
            && let Err(error) = self.store.commit(txn).await
        {
            warn!(%error, "the audit's findings were not stored");
        }
        plan.wake.unwrap_or(Time(i64::MAX))
    }

    fn hear(&mut self, changes: &[Change]) {
        let at = self.store.snapshot();
        for change in changes {
            if let Change::Family { family, .. } | Change::Gone { family, .. } = change {
                self.enqueue(&at, family);
            }
        }
    }

    fn enqueue(&mut self, at: &Snapshot, family: &Key) {
        self.queue.extend(control::related(at, family));
        self.queue.insert(family.clone());
    }

    /// Looks at every family of the queue once. Commits of one batch share the store's fsync;
    /// those that collide fail on their preconditions and are planned again.
    async fn look(&mut self) {
        let families: Vec<Key> = std::mem::take(&mut self.queue).into_iter().collect();
        for batch in families.chunks(BATCH) {
            let at = self.store.snapshot();
            let mut commits = Vec::new();
            for family in batch {
                let plan = control::plan_all(&at, family, clock::now());
                if let Some(wake) = plan.wake {
                    self.timers.entry(wake).or_default().insert(family.clone());
                }
                if let Some(txn) = plan.txn {
                    let store = self.store.clone();
                    commits.push(async move { (family, store.commit(txn).await) });
                }
            }
            for (family, outcome) in join_all(commits).await {
                self.settle(family, outcome);
            }
        }
    }

    fn settle(&mut self, family: &Key, outcome: Result<Revision, CommitError>) {
        match outcome {
            // A plan is one step, and need not have changed its own family: there may be more.
            Ok(_) | Err(CommitError::Precondition { .. } | CommitError::Limit { .. }) => {
                self.queue.insert(family.clone());
            }
            Err(error) => {
                warn!(%family, %error, "a plan was not committed");
                self.later(family.clone());
            }
        }
    }

    fn later(&mut self, family: Key) {
        self.timers.entry(Time(clock::now().0 + PAUSE_MS)).or_default().insert(family);
    }

    /// When to look at something again; now, if something is left in the queue.
    fn next_timer(&self) -> Time {
        if !self.queue.is_empty() {
            return clock::now();
        }
        self.timers.first_key_value().map_or(Time(i64::MAX), |(time, _)| *time)
    }

    fn ring(&mut self) {
        let now = clock::now();
        while let Some(entry) = self.timers.first_entry().filter(|entry| *entry.key() <= now) {
            self.queue.extend(entry.remove());
        }
    }
}

/// Sleeps in short stretches, so that a clock that was set takes effect soon.
async fn sleep_until(time: Time) {
    let millis = time.since(clock::now()).min(10_000);
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
