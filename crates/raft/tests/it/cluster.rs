//! Several members in one process, on real or simulated disks, and a network between them that
//! loses, cuts and heals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use novacron_raft::{CallError, Options, Peer, Peers, RaftStore, Wanted};
use novacron_store::{Revision, Store};
use tempfile::TempDir;

use crate::sim_disk::Chance;

/// Who is connected with whom. Clones share it.
#[derive(Clone)]
pub struct Switchboard(Arc<Mutex<Lines>>);

struct Lines {
    members: BTreeMap<u64, Weak<RaftStore>>,
    /// Requests from the first do not reach the second.
    cut: BTreeSet<(u64, u64)>,
    /// Requests of the first reach the second, whose answers get lost.
    mute: BTreeSet<(u64, u64)>,
    /// One in so many requests, and as many answers, gets lost; zero: none.
    loss: u64,
    chance: Chance,
}

/// One member's way out.
struct Line {
    from: u64,
    board: Switchboard,
}

impl Switchboard {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            members: BTreeMap::new(),
            cut: BTreeSet::new(),
            mute: BTreeSet::new(),
            loss: 0,
            chance: Chance::new(seed),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets no request pass between a member and all others, in either direction.
    pub fn isolate(&self, number: u64) {
        let mut lines = self.lock();
        let others: Vec<u64> = lines.members.keys().copied().collect();
        for other in others {
            lines.cut.extend([(number, other), (other, number)]);
        }
    }

    /// Lets no request pass in one direction.
    pub fn cut(&self, from: u64, to: u64) {
        self.lock().cut.insert((from, to));
    }

    /// Lets requests of the first pass to the second, but no answer to them.
    pub fn mute(&self, from: u64, to: u64) {
        self.lock().mute.insert((from, to));
    }

    pub fn lose_one_in(&self, loss: u64) {
        self.lock().loss = loss;
    }

    pub fn heal(&self) {
        let mut lines = self.lock();
        lines.cut.clear();
        lines.mute.clear();
        lines.loss = 0;
    }

    /// The member at the other end, unless the request gets lost.
    fn reach(&self, from: u64, to: u64) -> Option<Arc<RaftStore>> {
        let mut lines = self.lock();
        if lines.cut.contains(&(from, to)) || lines.lost() {
            return None;
        }
        lines.members.get(&to)?.upgrade()
    }

    fn answer_is_lost(&self, from: u64, to: u64) -> bool {
        let mut lines = self.lock();
        lines.cut.contains(&(to, from)) || lines.mute.contains(&(from, to)) || lines.lost()
    }
}

impl Lines {
    fn lost(&mut self) -> bool {
        self.loss > 0 && self.chance.below(self.loss) == 0
    }
}

impl Peers for Line {
    fn call<'a>(
        &'a self,
        to: &'a Peer,
        request: Vec<u8>,
        within: Duration,
    ) -> BoxFuture<'a, Result<Vec<u8>, CallError>> {
        async move {
            let Some(member) = self.board.reach(self.from, to.number) else {
                return Err(CallError::NotSent("no way there".to_owned()));
            };
            let answer = tokio::time::timeout(within, member.answer(&request)).await;
            let answer = answer.map_err(|_| CallError::NoAnswer("too slow".to_owned()))?;
            if self.board.answer_is_lost(self.from, to.number) {
                return Err(CallError::NoAnswer("the answer was lost".to_owned()));
            }
            answer.map_err(|error| CallError::NoAnswer(error.to_string()))
        }
        .boxed()
    }
}

/// Members that can be stopped and started again, each with a directory of its own.
pub struct Cluster {
    pub board: Switchboard,
    dirs: BTreeMap<u64, TempDir>,
    pub members: BTreeMap<u64, Arc<RaftStore>>,
    options: Options,
}

/// Timers short enough for tests and long enough for a machine that does other things too.
pub fn quick() -> Options {
    Options {
        heartbeat: Duration::from_millis(60),
        election: Duration::from_millis(400),
        segment_bytes: 64 << 10,
        reserve_bytes: 64 << 10,
        low_water_bytes: 64 << 10,
        ..Options::default()
    }
}

impl Cluster {
    /// Founded by member 1, joined by the others; all of them vote.
    pub async fn of(count: u64, options: Options) -> Self {
        let mut cluster = Self {
            board: Switchboard::new(7),
            dirs: BTreeMap::new(),
            members: BTreeMap::new(),
            options,
        };
        for number in 1..=count {
            cluster.start(number).await;
        }
        cluster.want(&(1..=count).collect::<Vec<_>>()).await;
        cluster
    }

    /// Starts a member, for the first time or again.
    pub async fn start(&mut self, number: u64) {
        let dir = self.dirs.entry(number).or_insert_with(|| tempfile::tempdir().expect("makes"));
        let options = Options { node: number, found: number == 1, ..self.options.clone() };
        let line = Arc::new(Line { from: number, board: self.board.clone() });
        let store = RaftStore::open_member(dir.path(), options, line).await.expect("opens");
        self.board.lock().members.insert(number, Arc::downgrade(&store));
        self.members.insert(number, store);
    }

    /// Stops a member; what it was about to say is not heard.
    pub async fn stop(&mut self, number: u64) {
        self.board.lock().members.remove(&number);
        let store = self.members.remove(&number).expect("runs");
        store.shutdown().await;
    }

    /// Brings about that these are the members, all of them voters.
    pub async fn want(&self, numbers: &[u64]) {
        let wanted = Wanted {
            members: numbers.iter().map(|number| (*number, format!("m{number}"))).collect(),
            voters: numbers.iter().copied().collect(),
        };
        let is_so = |store: &Arc<RaftStore>| {
            let known = store.known_members();
            known.len() == numbers.len() && known.iter().all(|peer| numbers.contains(&peer.number))
        };
        self.until("the members are those wanted", || async {
            for store in self.members.values() {
                // Only the leader takes steps, and it may lose its place in the middle of one.
                let _ = store.step_towards(&wanted).await;
            }
            let members = self.any().members().await;
            let voters = members.iter().filter(|member| member.voter).count();
            voters == numbers.len() && self.members.values().all(is_so)
        })
        .await;
    }

    pub fn any(&self) -> &Arc<RaftStore> {
        self.members.values().next().expect("a member runs")
    }

    /// The member that leads, according to most of those that run.
    pub async fn leader(&self) -> u64 {
        let mut leads = 0;
        self.until("somebody leads", || {
            let claims = self.members.values().filter_map(|store| *store.leader().borrow());
            let mut counted = BTreeMap::<u64, usize>::new();
            for number in claims {
                *counted.entry(number).or_default() += 1;
            }
            let most = counted.into_iter().max_by_key(|(_, count)| *count);
            let known = most.filter(|(number, count)| {
                *count * 2 > self.members.len() && self.members.contains_key(number)
            });
            leads = known.map_or(0, |(number, _)| number);
            async move { known.is_some() }
        })
        .await;
        leads
    }

    /// A member that runs and does not lead.
    pub async fn follower(&self) -> u64 {
        let leader = self.leader().await;
        *self.members.keys().find(|number| **number != leader).expect("more than one runs")
    }

    /// Waits until all that run have applied what any of them has.
    pub async fn level(&self) -> Revision {
        let mut level = 0;
        self.until("all members are level", || {
            let at: BTreeSet<Revision> =
                self.members.values().map(|store| store.snapshot().revision()).collect();
            level = at.last().copied().unwrap_or_default();
            async move { at.len() == 1 }
        })
        .await;
        level
    }

    /// Waits for a condition, for as long as a loaded machine may need.
    pub async fn until<F: Future<Output = bool>>(&self, what: &str, mut is: impl FnMut() -> F) {
        let waited = tokio::time::timeout(Duration::from_mins(1), async {
            while !is().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(waited.await.is_ok(), "not in a minute: {what}");
    }

    pub async fn shutdown(mut self) {
        for (_, store) in std::mem::take(&mut self.members) {
            store.shutdown().await;
        }
    }
}
