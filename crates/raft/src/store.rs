//! [`RaftStore`]: opens the pieces in the right order, and is the [`Store`] that the rest of the
//! house sees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use novacron_store::{CommitError, Revision, Selection, Snapshot, Store, Txn, Watch};
use openraft::{BasicNode, Config, ServerState, SnapshotPolicy};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::batch::{self, Pipeline};
use crate::disk::{Disk, RealDisk};
use crate::incoming::Incoming;
use crate::log::{Log, META, Recovered, Writer, recover};
use crate::machine::{Machine, Shared};
use crate::members::{self, Member, Wanted};
use crate::message::{self, CommitAnswer, Request, decode, encode};
use crate::network::{Heard, Network};
use crate::peers::{NoPeers, Peer, Peers};
use crate::route::{Leader, Route};
use crate::snapshot::{self, Loaded, SNAPSHOT};
use crate::space::Space;
use crate::types::{Proposal, Raft};
use crate::{OpenError, Options};

/// How long a member may take to apply what has been committed.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(30);
/// How long a member may take to show that it is there.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);
/// How long the leader may take to say who the members are.
const ASK_PATIENCE: Duration = Duration::from_secs(3);

/// The durable store of one member of the cluster.
pub struct RaftStore {
    raft: Raft,
    pipeline: Arc<Pipeline>,
    shared: Arc<Shared>,
    peers: Arc<dyn Peers>,
    heard: Arc<Heard>,
    incoming: Arc<Incoming>,
    leader: watch::Sender<Option<u64>>,
    /// Ask for snapshots, and tell who leads.
    tasks: [AbortHandle; 2],
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
    /// Opens the store of a node that is alone, or makes an empty one. Returns once it can read
    /// and write.
    pub async fn open(dir: &Path, options: Options) -> Result<Arc<Self>, OpenError> {
        Self::open_member(dir, options, Arc::new(NoPeers)).await
    }

    /// Opens the store of a node that has others. A store with a single voter, this one, is ready
    /// when this returns; any other one once [`RaftStore::leader`] names somebody.
    pub async fn open_member(
        dir: &Path,
        options: Options,
        peers: Arc<dyn Peers>,
    ) -> Result<Arc<Self>, OpenError> {
        let dir = dir.to_owned();
        let disk = blocking(move || RealDisk::open(&dir)).await?;
        Self::open_on(Arc::new(disk), options, peers).await
    }

    /// Like [`RaftStore::open_member`], on any disk.
    pub async fn open_on(
        disk: Arc<dyn Disk>,
        options: Options,
        peers: Arc<dyn Peers>,
    ) -> Result<Arc<Self>, OpenError> {
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
        let heard = Arc::<Heard>::default();
        let network = Network { peers: peers.clone(), heard: heard.clone() };
        let raft = start(&options, network, log, machine).await?;
        pipeline.start(raft.clone());
        let space_thread = space.keep().map_err(io)?;
        let leader = watch::Sender::new(None);
        let tasks = [
            tokio::spawn(take_snapshots(raft.clone(), shared.due.clone())).abort_handle(),
            tokio::spawn(follow_leader(raft.clone(), leader.clone())).abort_handle(),
        ];
        let threads = Mutex::new(vec![log_thread, space_thread]);
        let incoming = Arc::<Incoming>::default();
        let store = Self { raft, pipeline, shared, peers, heard, incoming, leader, tasks, threads };
        Ok(Arc::new(store))
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

    /// Answers a request of another member, as [`Peers::call`] brought it here.
    pub async fn answer(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let (request, body) = decode::<Request>(request)?;
        match request {
            Request::Append(rpc) => {
                let answer: message::AppendAnswer = self.raft.append_entries(rpc).await;
                encode(&answer, &[])
            }
            Request::Vote(rpc) => {
                let answer: message::VoteAnswer = self.raft.vote(rpc).await;
                encode(&answer, &[])
            }
            Request::Snapshot(part) => {
                let (incoming, raft) = (self.incoming.clone(), self.raft.clone());
                let (disk, body) = (self.shared.disk.clone(), body.to_vec());
                // Goes on by itself: whoever sent it may go away in the middle of an installation.
                let taken =
                    tokio::spawn(async move { incoming.take(&raft, &disk, part, body).await });
                encode(&taken.await.map_err(std::io::Error::other)?, &[])
            }
            Request::Commit(proposal) => encode(&self.commit_here(proposal).await, &[]),
            Request::ReadIndex => {
                let index: message::ReadIndexAnswer = self.read_index().await;
                encode(&index, &[])
            }
            Request::Members => {
                let seen: message::MembersAnswer = self.seen();
                encode(&seen, &[])
            }
        }
    }

    async fn commit_here(&self, proposal: Proposal) -> CommitAnswer {
        let done = |outcome| {
            let revision = self.shared.state().revision();
            CommitAnswer::Done { outcome, revision }
        };
        if let Err(refused) = self.admit(&proposal.txn) {
            return done(Err(refused));
        }
        // As it came it has no stored form yet, of which the limits speak.
        let proposal = match Proposal::new(proposal.txn) {
            Ok(proposal) => proposal,
            Err(error) => return done(Err(CommitError::Unknown(error.to_string()))),
        };
        match self.pipeline.commit(proposal).await {
            batch::Answer::Done(outcome) => done(outcome),
            batch::Answer::NotLeader(_) => CommitAnswer::NotLeader,
        }
    }

    /// The number of the member that leads, as far as this one knows; changes with each election.
    pub fn leader(&self) -> watch::Receiver<Option<u64>> {
        self.leader.subscribe()
    }

    /// This member's number.
    pub fn number(&self) -> u64 {
        self.raft.metrics().borrow().id
    }

    /// The members as the leader sees them. While there is none that answers: those that this
    /// member knows of, and whether they answer it.
    pub async fn members(&self) -> Vec<Member> {
        let seen = match self.route().leader() {
            Leader::Here => self.seen(),
            Leader::Nobody => None,
            Leader::There(peer) => self.members_at(&peer).await,
        };
        match seen {
            Some(seen) => seen,
            None => self.asked().await,
        }
    }

    async fn asked(&self) -> Vec<Member> {
        let (own, voters) = (self.number(), self.known_voters());
        let asked = self.known_members().into_iter().map(|peer| {
            let voter = voters.contains(&peer.number);
            async move {
                let reachable = peer.number == own || self.answers(&peer).await;
                let Peer { number, address } = peer;
                Member { number, address, voter, leader: false, reachable, lag: None }
            }
        });
        join_all(asked).await
    }

    async fn answers(&self, peer: &Peer) -> bool {
        let Ok(request) = encode(&Request::Members, &[]) else { return false };
        self.peers.call(peer, request, ANSWER_PATIENCE).await.is_ok()
    }

    async fn members_at(&self, leader: &Peer) -> Option<Vec<Member>> {
        let request = encode(&Request::Members, &[]).ok()?;
        let answer = self.peers.call(leader, request, ASK_PATIENCE).await.ok()?;
        decode::<message::MembersAnswer>(&answer).ok()?.0
    }

    fn seen(&self) -> Option<Vec<Member>> {
        members::seen(&self.raft.metrics().borrow(), &self.heard)
    }

    /// Who belongs to the cluster, as far as this member has been told.
    pub fn known_members(&self) -> Vec<Peer> {
        let metrics = self.raft.metrics();
        let now = metrics.borrow();
        let peer = |(number, node): (&u64, &BasicNode)| Peer {
            number: *number,
            address: node.addr.clone(),
        };
        now.membership_config.membership().nodes().map(peer).collect()
    }

    /// The numbers of those who vote, as far as this member has been told.
    pub fn known_voters(&self) -> BTreeSet<u64> {
        let metrics = self.raft.metrics();
        metrics.borrow().membership_config.membership().voter_ids().collect()
    }

    /// Raised with every election.
    pub fn term(&self) -> u64 {
        self.raft.metrics().borrow().current_term
    }

    /// Waits until this member has what the cluster had committed when this was called; `false`:
    /// the leader could not be asked.
    pub async fn catch_up(&self) -> bool {
        let index = match self.route().leader() {
            Leader::Nobody => None,
            Leader::Here => self.read_index().await,
            Leader::There(peer) => self.read_index_of(&peer).await,
        };
        let Some(index) = index else { return false };
        let waiting = self.raft.wait(Some(CATCH_UP_PATIENCE));
        waiting.applied_index_at_least(index, "read").await.is_ok()
    }

    /// What has been committed, confirmed by a majority to be the newest; `None`: this node does
    /// not lead. The inner `None`: nothing at all.
    async fn read_index(&self) -> message::ReadIndexAnswer {
        let confirmed = self.raft.get_read_log_id().await.ok()?;
        Some(confirmed.0.map(|id| id.index))
    }

    async fn read_index_of(&self, leader: &Peer) -> message::ReadIndexAnswer {
        let request = encode(&Request::ReadIndex, &[]).ok()?;
        let answer = self.peers.call(leader, request, ASK_PATIENCE).await.ok()?;
        decode::<message::ReadIndexAnswer>(&answer).ok()?.0
    }

    /// Takes one step from the members that are to those that are wanted, if this node leads and a
    /// step is due; returns whether it did.
    pub async fn step_towards(&self, wanted: &Wanted) -> Result<bool, String> {
        members::step(&self.raft, &self.heard, wanted).await
    }

    fn route(&self) -> Route<'_> {
        Route {
            raft: &self.raft,
            pipeline: &self.pipeline,
            shared: &self.shared,
            peers: &*self.peers,
        }
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
        self.tasks.iter().for_each(AbortHandle::abort);
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
            let proposal = Proposal::new(txn);
            let proposal = proposal.map_err(|error| CommitError::Unknown(error.to_string()))?;
            self.route().commit(proposal).await
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

/// Starts openraft. A single voter leads and has applied its log when this returns.
async fn start(
    options: &Options,
    network: Network,
    log: Log,
    machine: Machine,
) -> Result<Raft, OpenError> {
    let failed = |error: &dyn std::fmt::Display| OpenError::Raft(error.to_string());
    let config = config(options).validate().map_err(|error| failed(&error))?;
    let last = log.last_log_id();
    let raft = Raft::new(options.node, Arc::new(config), network, log, machine).await;
    let raft = raft.map_err(|error| failed(&error))?;
    let initialized = raft.is_initialized().await.map_err(|error| failed(&error))?;
    if !initialized && options.found {
        let members = BTreeMap::from([(options.node, BasicNode::default())]);
        raft.initialize(members).await.map_err(|error| failed(&error))?;
    } else if is_only_voter(&raft) {
        raft.trigger().elect().await.map_err(|error| failed(&error))?;
    }
    if !is_only_voter(&raft) {
        return Ok(raft);
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

fn is_only_voter(raft: &Raft) -> bool {
    let metrics = raft.metrics();
    let now = metrics.borrow();
    now.membership_config.membership().voter_ids().eq([now.id])
}

fn config(options: &Options) -> Config {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Config {
        cluster_name: "novacron".to_owned(),
        heartbeat_interval: millis(options.heartbeat),
        election_timeout_min: millis(options.election),
        election_timeout_max: millis(options.election * 2),
        // `take_snapshots` decides when.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: 0,
        max_payload_entries: 64,
        ..Config::default()
    }
}

/// Tells who leads whenever that changes.
async fn follow_leader(raft: Raft, leader: watch::Sender<Option<u64>>) {
    let mut changes = raft.server_metrics();
    loop {
        let now = changes.borrow_and_update().current_leader;
        leader.send_if_modified(|known| std::mem::replace(known, now) != now);
        if changes.changed().await.is_err() {
            return;
        }
    }
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
