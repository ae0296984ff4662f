//! The hub: keeps the recent history of applied transactions and wakes watches.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::Revision;
use crate::key::Key;
use crate::snapshot::Record;
use crate::state::StreamEntry;
use crate::watch::{Change, Compacted, Selection, Watch};

/// How many transactions are kept for watches that start in the past or fall behind.
const HISTORY: usize = 4096;

/// How many bytes of records and entries the kept transactions may hold on to, roughly.
const HISTORY_BYTES: usize = 4 << 20;

/// What one transaction touched.
#[derive(Debug, Clone)]
pub struct Touched {
    pub revision: Revision,
    pub families: Vec<FamilyChange>,
    /// (stream, entry)
    pub entries: Vec<(String, StreamEntry)>,
}

/// A family before and after a transaction.
#[derive(Debug, Clone)]
pub struct FamilyChange {
    pub family: Key,
    /// After; empty when the family is gone.
    pub records: Arc<[Record]>,
    pub before: Vec<(String, String)>,
    pub after: Vec<(String, String)>,
}

/// Recent history plus the head that watches wait on.
#[derive(Debug)]
pub struct Hub {
    history: Mutex<History>,
    head: watch::Sender<Head>,
}

/// What watches wait on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) revision: Revision,
    pub(crate) closed: bool,
}

#[derive(Debug)]
struct History {
    /// Watches may start from this revision on.
    oldest: Revision,
    touched: VecDeque<Arc<Touched>>,
    bytes: usize,
}

impl History {
    fn push(&mut self, touched: Touched) {
        self.bytes += touched.bytes();
        self.touched.push_back(Arc::new(touched));
        while self.touched.len() > HISTORY || (self.bytes > HISTORY_BYTES && self.touched.len() > 1)
        {
            let Some(dropped) = self.touched.pop_front() else { break };
            self.bytes -= dropped.bytes();
            self.oldest = dropped.revision;
        }
    }
}

impl Touched {
    /// What it keeps in memory, roughly.
    fn bytes(&self) -> usize {
        let records = self.families.iter().flat_map(|change| change.records.iter());
        let records: usize = records.map(|record| record.value.get().len() + 128).sum();
        let entries: usize =
            self.entries.iter().map(|(_, entry)| entry.value.get().len() + 128).sum();
        128 + records + entries
    }
}

impl Hub {
    /// A hub whose history starts at `revision`.
    pub fn new(revision: Revision) -> Arc<Self> {
        let history = Mutex::new(History { oldest: revision, touched: VecDeque::new(), bytes: 0 });
        let head = watch::Sender::new(Head { revision, closed: false });
        Arc::new(Self { history, head })
    }

    /// Adds an applied transaction; revisions must rise.
    pub fn publish(&self, touched: Touched) {
        let revision = touched.revision;
        self.lock().push(touched);
        self.head.send_modify(|head| head.revision = revision);
    }

    /// Forgets all history: the state was replaced as a whole at `revision`.
    pub fn reset(&self, revision: Revision) {
        let mut history = self.lock();
        history.oldest = revision;
        history.touched.clear();
        history.bytes = 0;
        drop(history);
        self.head.send_modify(|head| head.revision = revision);
    }

    /// Waits until a revision has been published; `false`: the hub was closed before.
    pub async fn reached(&self, revision: Revision) -> bool {
        let mut head = self.head.subscribe();
        let there = head.wait_for(|head| head.revision >= revision || head.closed).await;
        there.is_ok_and(|head| head.revision >= revision)
    }

    /// Ends all watches once they have delivered what is already here.
    pub fn close(&self) {
        self.head.send_modify(|head| head.closed = true);
    }

    pub fn watch(self: &Arc<Self>, what: Selection, from: Revision) -> Watch {
        Watch::new(self.clone(), what, from, self.head.subscribe())
    }

    /// Changes of `what` with revisions in `(after, upto]`.
    pub(crate) fn since(
        &self,
        after: Revision,
        upto: Revision,
        what: &Selection,
    ) -> Result<Vec<Change>, Compacted> {
        let touched: Vec<Arc<Touched>> = {
            let history = self.lock();
            if after < history.oldest {
                return Err(Compacted { oldest: history.oldest });
            }
            let start = history.touched.partition_point(|each| each.revision <= after);
            let fresh = history.touched.range(start..);
            fresh.take_while(|each| each.revision <= upto).cloned().collect()
        };
        Ok(touched.iter().flat_map(|each| select(each, what)).collect())
    }

    fn lock(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn select(touched: &Touched, what: &Selection) -> Vec<Change> {
    let revision = touched.revision;
    match what {
        Selection::Stream(stream) => {
            let entries = touched.entries.iter().filter(|(name, _)| name == stream);
            entries.map(|(_, entry)| Change::Entry { revision, entry: entry.clone() }).collect()
        }
        Selection::Prefix(prefix) => {
            let families = touched.families.iter();
            let under = families.filter(|change| change.family.as_str().starts_with(prefix));
            under.map(|change| family_change(revision, change, true)).collect()
        }
        Selection::Index { prefix, name, value } => {
            let carries = |rows: &[(String, String)]| {
                rows.iter().any(|(row_name, row_value)| row_name == name && row_value == value)
            };
            let families = touched.families.iter();
            let under = families.filter(|change| change.family.as_str().starts_with(prefix));
            under
                .filter(|change| carries(&change.before) || carries(&change.after))
                .map(|change| family_change(revision, change, carries(&change.after)))
                .collect()
        }
    }
}

fn family_change(revision: Revision, change: &FamilyChange, inside: bool) -> Change {
    let family = change.family.clone();
    if change.records.is_empty() || !inside {
        return Change::Gone { revision, family };
    }
    Change::Family { revision, family, records: change.records.clone() }
}
