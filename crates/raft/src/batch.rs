//! Many transactions in one Raft entry: while one entry is on its way, what arrives gathers, and
//! becomes the next entry as a whole. So one fdatasync serves every writer that waits.
//!
//! ```text
//!  commit ──▶ queue ──propose──▶ openraft ──applied──▶ settle ─▶ each writer's answer
//!                ▲                                       │
//!                └───────────── next batch ──────────────┘
//! ```
//!
//! Only a leader proposes. What waits while this node does not lead goes back to its writers, who
//! look for the leader (`commit`); what was proposed by a leader that was then cut off is answered
//! as unknown, because another one may yet commit it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use novacron_store::{CommitError, Revision};
use openraft::ServerState;
use openraft::raft::ClientWriteResult;
use tokio::sync::{oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::types::{Batch, Proposal, Raft, TypeConfig};

/// A larger transaction is refused.
pub const MAX_TXN_BYTES: usize = 4 << 20;
/// An entry takes transactions until it has this many bytes,
const MAX_BATCH_BYTES: usize = 1 << 20;
/// or this many transactions.
const MAX_BATCH: usize = 1024;
/// How often a leader that waits for its quorum looks whether it still leads.
const LOOK: Duration = Duration::from_millis(500);
/// A leader that has not heard from a quorum for this long tells its writers so.
const CUT_OFF_MS: u64 = 5000;

/// What became of a transaction.
pub enum Answer {
    Done(Result<Revision, CommitError>),
    /// Nothing: this node does not lead.
    NotLeader(Proposal),
}

type Proposed = oneshot::Receiver<ClientWriteResult<TypeConfig>>;

/// The queue of transactions in front of openraft.
#[derive(Default)]
pub struct Pipeline {
    raft: OnceLock<Raft>,
    queue: Mutex<Queue>,
    /// Whether nobody waits; changed under the queue's lock only.
    idle: watch::Sender<bool>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Pending>,
    proposing: bool,
    /// Why nothing is taken any more.
    closed: Option<String>,
}

struct Pending {
    proposal: Proposal,
    answer: oneshot::Sender<Answer>,
}

impl Pipeline {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { idle: watch::Sender::new(true), ..Self::default() })
    }

    /// From here on batches go to `raft`.
    pub fn start(&self, raft: Raft) {
        // Started once, by `open`.
        let _ = self.raft.set(raft);
    }

    pub async fn commit(self: &Arc<Self>, proposal: Proposal) -> Answer {
        let bytes = proposal.bytes();
        if bytes > MAX_TXN_BYTES {
            return Answer::Done(Err(CommitError::TooLarge { bytes, max: MAX_TXN_BYTES }));
        }
        let (answer, answered) = oneshot::channel();
        let first = {
            let mut queue = self.lock();
            if let Some(why) = &queue.closed {
                return unknown(why.clone());
            }
            queue.waiting.push_back(Pending { proposal, answer });
            self.idle.send_replace(false);
            !std::mem::replace(&mut queue.proposing, true)
        };
        if first {
            self.propose();
        }
        answered.await.unwrap_or_else(|_| unknown(self.failure().unwrap_or_default()))
    }

    /// Takes nothing more; returns once what was taken has been answered.
    pub async fn drain(&self, why: &str) {
        self.lock().closed.get_or_insert_with(|| why.to_owned());
        // The sender lives as long as `self`.
        let _ = self.idle.subscribe().wait_for(|idle| *idle).await;
    }

    /// Takes nothing more, and answers all who wait that the outcome is unknown.
    pub fn fail(&self, why: &str) {
        let waiting = {
            let mut queue = self.lock();
            queue.closed.get_or_insert_with(|| why.to_owned());
            self.empty(&mut queue)
        };
        for pending in waiting {
            let _ = pending.answer.send(unknown(why.to_owned()));
        }
    }

    /// Gives back what waits: another node leads.
    fn give_back(&self) {
        let waiting = {
            let mut queue = self.lock();
            self.empty(&mut queue)
        };
        for pending in waiting {
            let _ = pending.answer.send(Answer::NotLeader(pending.proposal));
        }
    }

    fn empty(&self, queue: &mut Queue) -> VecDeque<Pending> {
        queue.proposing = false;
        self.idle.send_replace(true);
        std::mem::take(&mut queue.waiting)
    }

    /// Why nothing is taken any more.
    pub fn failure(&self) -> Option<String> {
        self.lock().closed.clone()
    }

    fn propose(self: &Arc<Self>) {
        let Some(raft) = self.raft.get() else {
            return self.fail("the store has not started");
        };
        if cut_off(raft).is_some() {
            return self.give_back();
        }
        let Some((batch, answers)) = self.next_batch() else { return };
        // Only the way into openraft's queue is awaited here, and that queue is unbounded.
        let Some(Ok(proposed)) = raft.client_write_ff(batch).now_or_never() else {
            return self.fail(STOPPED);
        };
        tokio::spawn(self.clone().settle(raft.clone(), proposed, answers));
    }

    fn next_batch(&self) -> Option<(Batch, Vec<oneshot::Sender<Answer>>)> {
        let mut queue = self.lock();
        let (mut txns, mut answers, mut bytes) = (Vec::new(), Vec::new(), 0);
        while txns.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
            let Some(pending) = queue.waiting.pop_front() else { break };
            bytes += pending.proposal.bytes();
            txns.push(pending.proposal);
            answers.push(pending.answer);
        }
        queue.proposing = !txns.is_empty();
        self.idle.send_replace(!queue.proposing);
        (!txns.is_empty()).then(|| (Batch { txns: txns.into() }, answers))
    }

    /// Tells the writers of one batch what became of it, and sends the next batch off.
    async fn settle(
        self: Arc<Self>,
        raft: Raft,
        proposed: Proposed,
        answers: Vec<oneshot::Sender<Answer>>,
    ) {
        match outcome(&raft, proposed).await {
            Outcome::Written(outcomes) => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    let _ = answer.send(Answer::Done(outcome));
                }
            }
            Outcome::Unknown(why) => {
                for answer in answers {
                    let _ = answer.send(unknown(why.clone()));
                }
            }
            Outcome::Stopped => {
                self.fail(STOPPED);
                return;
            }
        }
        self.propose();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const STOPPED: &str = "the store has stopped; see its log";

enum Outcome {
    Written(Vec<Result<Revision, CommitError>>),
    Unknown(String),
    Stopped,
}

/// Waits for what becomes of a batch, as long as this node leads and hears from a quorum.
async fn outcome(raft: &Raft, mut proposed: Proposed) -> Outcome {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.reset();
    loop {
        tokio::select! {
            biased;
            written = &mut proposed => return match written {
                Ok(Ok(written)) => Outcome::Written(written.data.0),
                Ok(Err(error)) => Outcome::Unknown(error.to_string()),
                Err(_) => Outcome::Stopped,
            },
            _ = look.tick() => if let Some(why) = cut_off(raft) {
                return Outcome::Unknown(why);
            },
        }
    }
}

/// Why a leader's writers need not wait any longer.
fn cut_off(raft: &Raft) -> Option<String> {
    let metrics = raft.metrics();
    let now = metrics.borrow();
    if now.state != ServerState::Leader {
        return Some("this node has ceased to lead".to_owned());
    }
    let silent = now.millis_since_quorum_ack.is_some_and(|millis| millis > CUT_OFF_MS);
    let alone = now.membership_config.membership().voter_ids().count() == 1;
    (silent && !alone).then(|| "this node does not hear from a majority of the voters".to_owned())
}

fn unknown(why: String) -> Answer {
    Answer::Done(Err(CommitError::Unknown(why)))
}
