//! The smallest store: in memory, gone with the process. For tests and simulations.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::hub::Hub;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::txn::{CommitError, Txn};
use crate::watch::{Selection, Watch};
use crate::{Revision, Store};

#[derive(Debug)]
pub struct MemStore {
    state: Mutex<Arc<State>>,
    hub: Arc<Hub>,
}

impl Default for MemStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemStore {
    pub fn new() -> Self {
        Self { state: Mutex::default(), hub: Hub::new(0) }
    }

    fn apply(&self, txn: &Txn) -> Result<Revision, CommitError> {
        let mut slot = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = State::clone(&slot);
        let touched = next.apply(txn)?;
        let revision = next.revision();
        *slot = Arc::new(next);
        self.hub.publish(touched);
        Ok(revision)
    }

    /// Ends all watches.
    pub fn close(&self) {
        self.hub.close();
    }
}

impl Store for MemStore {
    fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.state.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn watch(&self, what: Selection, from: Revision) -> Watch {
        self.hub.watch(what, from)
    }

    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<Revision, CommitError>> {
        let result = self.apply(&txn);
        async move { result }.boxed()
    }
}
