//! The state machine as openraft sees it: committed entries go into `novacron_store`'s [`State`],
//! and what they touched goes to the watches.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use novacron_store::hub::Touched;
use novacron_store::{Hub, State};
use openraft::storage::RaftStateMachine;
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot};
use tokio::sync::Notify;

use crate::Options;
use crate::disk::{Disk, is_full};
use crate::snapshot::{self, Loaded, SNAPSHOT, StoredSnapshot};
use crate::space::Space;
use crate::types::{
    Batch, Entry, LogId, Membership, Outcomes, SnapshotMeta, StorageError, StorageIOError,
    TypeConfig,
};

/// What the machine and the store's readers share.
pub struct Shared {
    pub disk: Arc<dyn Disk>,
    pub space: Arc<Space>,
    pub hub: Arc<Hub>,
    state: Mutex<Arc<State>>,
    snapshot: Mutex<Option<SnapshotMeta>>,
    snapshot_bytes: AtomicU64,
    /// Told when a snapshot is due.
    pub due: Arc<Notify>,
    /// Held while a snapshot file is written.
    building: tokio::sync::Mutex<()>,
    stopping: AtomicBool,
}

impl Shared {
    pub fn state(&self) -> Arc<State> {
        lock(&self.state).clone()
    }

    /// Lets no further snapshot begin and waits for one that is being written.
    pub async fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        drop(self.building.lock().await);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

pub struct Machine {
    shared: Arc<Shared>,
    applied: Option<LogId>,
    membership: Membership,
    /// Entries and bytes since the last snapshot began.
    entries: u64,
    bytes: u64,
    max_entries: u64,
    max_bytes: u64,
}

impl Machine {
    /// A machine that continues from a snapshot, or from nothing.
    pub fn new(
        disk: Arc<dyn Disk>,
        space: Arc<Space>,
        options: &Options,
        loaded: Option<Loaded>,
    ) -> (Self, Arc<Shared>) {
        let (meta, state, bytes) = match loaded {
            None => (None, State::default(), 0),
            Some(Loaded { meta, state, bytes }) => (Some(meta), state, bytes),
        };
        let applied = meta.as_ref().and_then(|meta| meta.last_log_id);
        let membership = meta.as_ref().map(|meta| meta.last_membership.clone());
        let shared = Arc::new(Shared {
            disk,
            space,
            hub: Hub::new(state.revision()),
            state: Mutex::new(Arc::new(state)),
            snapshot: Mutex::new(meta),
            snapshot_bytes: AtomicU64::new(bytes),
            due: Arc::default(),
            building: tokio::sync::Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let machine = Self {
            shared: shared.clone(),
            applied,
            membership: membership.unwrap_or_default(),
            entries: 0,
            bytes: 0,
            max_entries: options.snapshot_entries,
            max_bytes: options.snapshot_bytes,
        };
        (machine, shared)
    }

    fn apply_batch(state: &mut State, batch: &Batch, touched: &mut Vec<Touched>) -> Outcomes {
        let apply = |txn| {
            touched.push(state.apply(txn)?);
            Ok(state.revision())
        };
        Outcomes(batch.txns.iter().map(|proposal| &proposal.txn).map(apply).collect())
    }

    fn publish(&self, state: State, touched: Vec<Touched>) {
        *lock(&self.shared.state) = Arc::new(state);
        for each in touched {
            self.shared.hub.publish(each);
        }
    }

    fn ask_for_snapshot(&self) {
        let max_bytes = self.max_bytes.max(self.shared.snapshot_bytes.load(Ordering::Relaxed));
        if self.entries >= self.max_entries || self.bytes >= max_bytes {
            self.shared.due.notify_one();
        }
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), StorageError> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcomes>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut state = State::clone(&self.shared.state());
        let mut touched = Vec::new();
        let mut outcomes = Vec::new();
        for entry in entries {
            self.applied = Some(entry.log_id);
            self.entries += 1;
            outcomes.push(match entry.payload {
                EntryPayload::Blank => Outcomes::default(),
                EntryPayload::Membership(membership) => {
                    self.membership = Membership::new(Some(entry.log_id), membership);
                    Outcomes::default()
                }
                EntryPayload::Normal(batch) => {
                    self.bytes += batch.bytes();
                    Self::apply_batch(&mut state, &batch, &mut touched)
                }
            });
        }
        self.publish(state, touched);
        self.ask_for_snapshot();
        Ok(outcomes)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        self.entries = 0;
        self.bytes = 0;
        let id = self.applied.map_or_else(String::new, |applied| applied.to_string());
        let meta = SnapshotMeta {
            last_log_id: self.applied,
            last_membership: self.membership.clone(),
            snapshot_id: id,
        };
        Builder { shared: self.shared.clone(), state: self.shared.state(), meta }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<StoredSnapshot>, StorageError> {
        Ok(Box::new(StoredSnapshot::received(self.shared.disk.clone())))
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<StoredSnapshot>,
    ) -> Result<(), StorageError> {
        let announced = meta.clone();
        let install = move || {
            let StoredSnapshot { disk, name } = *snapshot;
            let loaded = snapshot::read(&*disk, &name).map_err(std::io::Error::other)?;
            let loaded = loaded.ok_or(std::io::ErrorKind::NotFound)?;
            if loaded.meta != announced {
                return Err(std::io::Error::other(
                    "the snapshot is not the one that was announced",
                ));
            }
            if name != SNAPSHOT {
                snapshot::put_in_place(&*disk, &name)?;
            }
            Ok::<_, std::io::Error>(loaded)
        };
        let _building = self.shared.building.lock().await;
        let installed = tokio::task::spawn_blocking(install).await;
        let installed = installed.map_err(std::io::Error::other).flatten();
        let failed = |error| StorageIOError::read_snapshot(Some(meta.signature()), &error);
        let Loaded { state, bytes, .. } = installed.map_err(failed)?;
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        let revision = state.revision();
        *lock(&self.shared.state) = Arc::new(state);
        *lock(&self.shared.snapshot) = Some(meta.clone());
        self.shared.snapshot_bytes.store(bytes, Ordering::Relaxed);
        self.shared.hub.reset(revision);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError> {
        let meta = lock(&self.shared.snapshot).clone();
        Ok(meta.map(|meta| {
            let snapshot = Box::new(StoredSnapshot::current(self.shared.disk.clone()));
            Snapshot { meta, snapshot }
        }))
    }
}

/// Writes one snapshot, beside the machine.
pub struct Builder {
    shared: Arc<Shared>,
    state: Arc<State>,
    meta: SnapshotMeta,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError> {
        const PAUSE: Duration = Duration::from_secs(1);
        loop {
            let building = self.shared.building.lock().await;
            if self.shared.is_stopping() {
                let error = std::io::Error::other("the store is shutting down");
                return Err(StorageIOError::write_snapshot(None, &error).into());
            }
            // Meanwhile the leader may have sent a newer one.
            let there = lock(&self.shared.snapshot).clone();
            if let Some(there) = there.filter(|there| there.last_log_id > self.meta.last_log_id) {
                self.meta = there;
                break;
            }
            match self.write().await {
                Ok(()) => break,
                // Until there is space again the log just stays longer.
                Err(error) if is_full(&error) => {
                    tracing::warn!(%error, "no space for a snapshot of the store");
                }
                Err(error) => {
                    return Err(StorageIOError::write_snapshot(None, &error).into());
                }
            }
            drop(building);
            tokio::time::sleep(PAUSE).await;
        }
        let snapshot = Box::new(StoredSnapshot::current(self.shared.disk.clone()));
        Ok(Snapshot { meta: self.meta.clone(), snapshot })
    }
}

impl Builder {
    /// Writes the file; takes space from the reserve as long as there is some.
    async fn write(&self) -> std::io::Result<()> {
        let (shared, state, meta) = (self.shared.clone(), self.state.clone(), self.meta.clone());
        let write = move || {
            loop {
                match snapshot::write(&*shared.disk, &meta, &state) {
                    Err(error) if is_full(&error) && shared.space.lend() => {}
                    other => return other,
                }
            }
        };
        let bytes = tokio::task::spawn_blocking(write).await.map_err(std::io::Error::other)??;
        self.shared.snapshot_bytes.store(bytes, Ordering::Relaxed);
        *lock(&self.shared.snapshot) = Some(self.meta.clone());
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
