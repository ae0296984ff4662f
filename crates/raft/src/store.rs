//! [`RaftStore`]: opens the pieces in the right order, and is the [`Store`] that the rest of the
//! house sees.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use futures::FutureExt;
use futures::future::BoxFuture;
use novacron_store::{CommitError, Revision, Selection, Snapshot, Store, Txn, Watch};
use openraft::{BasicNode, Config, ServerState, SnapshotPolicy};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::batch::Pipeline;
use crate::disk::{Disk, RealDisk};
use crate::log::{Log, META, Recovered, Writer, recover};
use crate::machine::{Machine, Shared};
use crate::network::NoPeers;
use crate::snapshot::{self, Loaded, SNAPSHOT};
use crate::space::Space;
use crate::types::Raft;
use crate::{OpenError, Options};

/// The durable store: one voter today.
pub struct RaftStore {
    raft: Raft,
    pipeline: Arc<Pipeline>,
    shared: Arc<Shared>,
    /// The task that asks for snapshots.
    snapshots: AbortHandle,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Whether the store can do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Why nothing can be committed any more until the process is started again.
    pub failed: Option<String>,
    /// Only the reserve is left on the disk: nothing but deletions is taken.
    pub full: bool,
    /// Bytes free beside the reserve.
    pub free_bytes: u64,
}

impl RaftStore {
    /// Opens the store in `dir`, or makes an empty one. Returns once it can read and write.
    pub async fn open(dir: &Path, options: Options) -> Result<Arc<Self>, OpenError> {
        let dir = dir.to_owned();
        let disk = blocking(move || RealDisk::open(&dir)).await?;
        Self::open_on(Arc::new(disk), options).await
    }

    /// Like [`RaftStore::open`], on any disk.
    pub async fn open_on(disk: Arc<dyn Disk>, options: Options) -> Result<Arc<Self>, OpenError> {
        let (recovered, loaded, space) = {
            let (disk, options) = (disk.clone(), options.clone());
            blocking(move || read(&disk, &options)).await?
        };
        let io = |error| OpenError::io(disk.path(""), error);
        let pipeline = Pipeline::new();
        let failing = Arc::downgrade(&pipeline);
        let failed = move |why: &str| {
            tracing::error!(why, "the store has failed");
            if let Some(pipeline) = failing.upgrade() {
                pipeline.fail(why);
            }
        };
        let (writer, index, log_thread) =
            Writer::start(disk.clone(), space.clone(), recovered, failed).map_err(io)?;
        let log = Log::new(disk.clone(), index, writer);
        let (machine, shared) = Machine::new(disk.clone(), space.clone(), &options, loaded);
        let raft = start(options.node, log, machine).await?;
        pipeline.start(raft.clone());
        let space_thread = space.keep().map_err(io)?;
        let snapshots = tokio::spawn(take_snapshots(raft.clone(), shared.due.clone()));
        let threads = Mutex::new(vec![log_thread, space_thread]);
        let snapshots = snapshots.abort_handle();
        Ok(Arc::new(Self { raft, pipeline, shared, snapshots, threads }))
    }

    /// Answers what was taken, takes nothing more, ends all watches, and lets go of the directory.
    pub async fn shutdown(&self) {
        self.pipeline.drain("the store is shutting down").await;
        self.shared.stop().await;
        // openraft reports here how its task ended; it ends either way.
        let _ = self.raft.shutdown().await;
        self.shared.space.stop();
        self.shared.hub.close();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().try_for_each(JoinHandle::join).is_ok()
        });
        if !joined.await.unwrap_or(false) {
            tracing::error!("a thread of the store has panicked");
        }
        self.shared.disk.unlock();
    }

    pub fn health(&self) -> Health {
        let stopped = self.raft.metrics().borrow().running_state.clone().err();
        let failed = self.pipeline.failure().or_else(|| stopped.map(|why| why.to_string()));
        let space = &self.shared.space;
        Health { failed, full: space.is_full(), free_bytes: space.free_bytes() }
    }

    fn admit(&self, txn: &Txn) -> Result<(), CommitError> {
        let space = &self.shared.space;
        if space.is_full() && !(txn.only_frees() && space.can_free()) {
            return Err(CommitError::StorageFull);
        }
        Ok(())
    }
}

impl Drop for RaftStore {
    fn drop(&mut self) {
        self.snapshots.abort();
    }
}

impl Store for RaftStore {
    fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.shared.state())
    }

    fn watch(&self, what: Selection, from: Revision) -> Watch {
        self.shared.hub.watch(what, from)
    }

    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<Revision, CommitError>> {
        async move {
            self.admit(&txn)?;
            self.pipeline.commit(txn).await
        }
        .boxed()
    }
}

/// Reads what is on disk.
fn read(
    disk: &Arc<dyn Disk>,
    options: &Options,
) -> Result<(Recovered, Option<Loaded>, Arc<Space>), OpenError> {
    let mut recovered = recover(&**disk, options, snapshot::exists(&**disk))?;
    let loaded = snapshot::read(&**disk, SNAPSHOT)?;
    let snapshot_at = loaded.as_ref().and_then(|loaded| loaded.meta.last_log_id);
    if snapshot_at < recovered.index.purged() {
        return Err(match loaded {
            None => OpenError::Missing { file: disk.path(SNAPSHOT) },
            Some(_) => OpenError::Damaged {
                file: disk.path(SNAPSHOT),
                at: 0,
                why: "older than the log that follows it".to_owned(),
            },
        });
    }
    let space = Space::open(disk.clone(), options);
    let space = space.map_err(|error| OpenError::io(disk.path(""), error))?;
    if recovered.meta.is_old() {
        let converted = recovered.meta.convert(&**disk);
        converted.map_err(|error| OpenError::io(disk.path(META), error))?;
    }
    Ok((recovered, loaded, space))
}

/// Starts openraft; returns once this node leads and has applied all that the log holds.
async fn start(node: u64, log: Log, machine: Machine) -> Result<Raft, OpenError> {
    let failed = |error: &dyn std::fmt::Display| OpenError::Raft(error.to_string());
    let config = Config {
        cluster_name: "novacron".to_owned(),
        heartbeat_interval: 500,
        election_timeout_min: 1500,
        election_timeout_max: 3000,
        // `take_snapshots` decides when.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: 0,
        ..Config::default()
    };
    let config = config.validate().map_err(|error| failed(&error))?;
    let last = log.last_log_id();
    let raft = Raft::new(node, Arc::new(config), NoPeers, log, machine).await;
    let raft = raft.map_err(|error| failed(&error))?;
    if raft.is_initialized().await.map_err(|error| failed(&error))? {
        raft.trigger().elect().await.map_err(|error| failed(&error))?;
    } else {
        let members = BTreeMap::from([(node, BasicNode::default())]);
        raft.initialize(members).await.map_err(|error| failed(&error))?;
    }
    let waiting = raft.wait(None);
    let ready = waiting.metrics(
        |now| {
            now.state == ServerState::Leader
                && now.last_applied.is_some()
                && now.last_applied >= last
        },
        "this node leads and has applied its log",
    );
    ready.await.map_err(|error| failed(&error))?;
    Ok(raft)
}

async fn take_snapshots(raft: Raft, due: Arc<Notify>) {
    loop {
        due.notified().await;
        if raft.trigger().snapshot().await.is_err() {
            return;
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(OpenError::Raft(error.to_string())))
}
