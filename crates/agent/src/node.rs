//! What all actors of one agent share.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use novacron_model::{Error, Kind, Name, Object, Pool as PoolKind, Project, Result, Time, key};
use novacron_store::{CommitError, Key, Snapshot, Store, Txn, object};
use tokio::sync::{Mutex, OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::actors::Actors;
use crate::board::Board;
use crate::config::AgentConfig;
use crate::figures::Meter;
use crate::pool::Pool;
use crate::turns::Turns;
use crate::upload::Uploads;
use crate::vm_log::VmLogs;

/// Exports that may be under way, from their preparation to the last byte that is read: each takes
/// the room of a copy.
pub(crate) const EXPORTS: usize = 2;

/// Guests that may be started at the same moment: after a host's boot there may be hundreds.
const STARTS: usize = 8;

/// The span around all that an agent does; its field `name` is the node's.
pub const NODE_SPAN: &str = "node";

/// Each pool is opened on its own: one on a mount that hangs holds up only those who want it.
type OpenedOnce = Arc<OnceCell<Arc<dyn Pool>>>;

pub(crate) struct Node {
    pub config: AgentConfig,
    pub store: Arc<dyn Store>,
    pub board: Board,
    pub vm_logs: VmLogs,
    pub actors: Arc<Actors>,
    pub uploads: Uploads,
    pub meter: Meter,
    pub turns: Turns,
    pub starts: Semaphore,
    pub exports: Arc<Semaphore>,
    /// By uid.
    pools: Mutex<HashMap<Uuid, OpenedOnce>>,
    tasks: TaskTracker,
    /// Set when the agent is to end: actors finish what they do, then leave.
    pub ending: CancellationToken,
    /// Set when the agent is to end at once, wherever it stands.
    killed: CancellationToken,
    span: Span,
}

impl Node {
    pub fn new(config: AgentConfig, store: Arc<dyn Store>) -> Arc<Self> {
        let board = Board::new(config.clock.clone());
        let vm_logs = VmLogs::new(config.clock.clone());
        // Of the worst level: whatever the filter lets through says whose it is.
        let span = tracing::error_span!(parent: None, NODE_SPAN, name = config.node.as_str());
        Arc::new(Self {
            config,
            store,
            board,
            vm_logs,
            actors: Arc::default(),
            uploads: Uploads::default(),
            meter: Meter::default(),
            turns: Turns::default(),
            starts: Semaphore::new(STARTS),
            exports: Arc::new(Semaphore::new(EXPORTS)),
            pools: Mutex::default(),
            tasks: TaskTracker::new(),
            ending: CancellationToken::new(),
            killed: CancellationToken::new(),
            span,
        })
    }

    pub fn now(&self) -> Time {
        self.config.clock.now()
    }

    pub fn name(&self) -> &str {
        self.config.node.as_str()
    }

    pub fn span(&self) -> &Span {
        &self.span
    }

    pub async fn commit(&self, txn: Txn) -> Result<(), CommitError> {
        self.store.commit(txn).await.map(drop)
    }

    /// Runs beside everything else, until the agent is killed.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let killed = self.killed.clone();
        let work = async move {
            killed.run_until_cancelled(work).await;
        };
        self.tasks.spawn(work.instrument(self.span.clone()));
    }

    /// Asks everyone to end, and waits until they have.
    pub async fn end(&self) {
        self.ending.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Ends everyone where they stand.
    pub async fn kill(&self) {
        self.killed.cancel();
        self.end().await;
    }

    /// The pool of this name, opened on first use.
    pub async fn pool(&self, at: &Snapshot, name: &str) -> Result<Arc<dyn Pool>> {
        let wanted = object::expect::<PoolKind>(at, None, name)?;
        let slot = self.pools.lock().await.entry(wanted.meta.uid).or_default().clone();
        slot.get_or_try_init(|| self.config.pools.open(name, &wanted.spec)).await.cloned()
    }
}

/// The family of an object as the API shows it.
pub(crate) fn family_of<K: Kind>(at: &Snapshot, object: &Object<K>) -> Result<Key> {
    let project = object.meta.project.as_ref().map(Name::as_str).unwrap_or_default();
    let project = object::expect::<Project>(at, None, project)?;
    Ok(Key::from(key::object::<K>(Some(project.meta.uid), object.name())))
}

/// The uid of the project that a family belongs to.
pub(crate) fn project_of(family: &Key) -> Result<uuid::Uuid> {
    let project = family.as_str().split('/').nth(1).unwrap_or_default();
    uuid::Uuid::parse_str(project)
        .map_err(|_| Error::internal(format!("key {family} names no project")))
}
