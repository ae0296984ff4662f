//! Watches: what changed, in order, from a revision on.

use std::sync::Arc;

use tokio::sync::watch;

use crate::Revision;
use crate::hub::{Head, Hub};
use crate::key::Key;
use crate::snapshot::Record;
use crate::state::StreamEntry;

/// What a watch delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Families whose key starts with this.
    Prefix(String),
    /// Families under `prefix` of which a record carries the index row.
    Index {
        prefix: String,
        name: String,
        value: String,
    },
    Stream(String),
}

/// One change. A transaction that touches several families yields one change for each, all with
/// the same revision.
#[derive(Debug, Clone)]
pub enum Change {
    /// The family as it is after the revision.
    Family {
        revision: Revision,
        family: Key,
        records: Arc<[Record]>,
    },
    /// The family was deleted, or left the selection.
    Gone {
        revision: Revision,
        family: Key,
    },
    Entry {
        revision: Revision,
        entry: StreamEntry,
    },
}

impl Change {
    pub fn revision(&self) -> Revision {
        match self {
            Self::Family { revision, .. }
            | Self::Gone { revision, .. }
            | Self::Entry { revision, .. } => *revision,
        }
    }
}

/// The history asked for is no longer kept: list, synthesise deletes, watch from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("history up to revision {oldest} is no longer kept")]
pub struct Compacted {
    /// The oldest revision that a watch can start from.
    pub oldest: Revision,
}

/// A running watch. Dropping it ends it; a watcher that falls behind the kept history gets
/// [`Compacted`], never a gap.
pub struct Watch {
    hub: Arc<Hub>,
    what: Selection,
    /// Everything up to here has been delivered.
    seen: Revision,
    head: watch::Receiver<Head>,
}

impl Watch {
    pub(crate) fn new(
        hub: Arc<Hub>,
        what: Selection,
        from: Revision,
        head: watch::Receiver<Head>,
    ) -> Self {
        Self { hub, what, seen: from, head }
    }

    /// The next changes, at least one; `None` once the store has shut down. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Vec<Change>, Compacted>> {
        loop {
            let Head { revision, closed } = *self.head.borrow_and_update();
            if revision > self.seen {
                match self.hub.since(self.seen, revision, &self.what) {
                    Err(compacted) => return Some(Err(compacted)),
                    Ok(changes) => {
                        self.seen = revision;
                        if !changes.is_empty() {
                            return Some(Ok(changes));
                        }
                    }
                }
                continue;
            }
            if closed {
                return None;
            }
            self.head.changed().await.ok()?;
        }
    }

    /// Everything up to this revision has been delivered.
    pub fn seen(&self) -> Revision {
        self.seen
    }
}
