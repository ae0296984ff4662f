//! Many transactions in one Raft entry: while one entry is on its way, what arrives gathers, and
//! becomes the next entry as a whole. So one fdatasync serves every writer that waits.
//!
//! ```text
//!  commit ──▶ queue ──propose──▶ openraft ──applied──▶ BatchResponder ─▶ each writer's answer
//!                ▲                                          │
//!                └───────────── next batch ─────────────────┘
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures::FutureExt;
use novacron_store::{CommitError, Revision, Txn};
use openraft::raft::ClientWriteResult;
use openraft::raft::responder::Responder;
use tokio::sync::{oneshot, watch};

use crate::types::{Batch, Proposal, Raft, TypeConfig};

/// A larger transaction is refused.
pub const MAX_TXN_BYTES: usize = 4 << 20;
/// An entry takes transactions until it has this many bytes,
const MAX_BATCH_BYTES: usize = 1 << 20;
/// or this many transactions.
const MAX_BATCH: usize = 1024;

type Answer = Result<Revision, CommitError>;

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

    pub async fn commit(self: &Arc<Self>, txn: Txn) -> Answer {
        let proposal = Proposal::new(txn).map_err(|error| unknown(error.to_string()))?;
        let bytes = proposal.bytes();
        if bytes > MAX_TXN_BYTES {
            return Err(CommitError::TooLarge { bytes, max: MAX_TXN_BYTES });
        }
        let (answer, answered) = oneshot::channel();
        let first = {
            let mut queue = self.lock();
            if let Some(why) = &queue.closed {
                return Err(unknown(why.clone()));
            }
            queue.waiting.push_back(Pending { proposal, answer });
            self.idle.send_replace(false);
            !std::mem::replace(&mut queue.proposing, true)
        };
        if first {
            self.propose();
        }
        answered.await.unwrap_or_else(|_| Err(unknown(self.failure().unwrap_or_default())))
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
            queue.proposing = false;
            self.idle.send_replace(true);
            std::mem::take(&mut queue.waiting)
        };
        for pending in waiting {
            let _ = pending.answer.send(Err(unknown(why.to_owned())));
        }
    }

    /// Why nothing is taken any more.
    pub fn failure(&self) -> Option<String> {
        self.lock().closed.clone()
    }

    fn propose(self: &Arc<Self>) {
        let Some(batch) = self.next_batch() else { return };
        let Some(raft) = self.raft.get() else {
            return self.fail("the store has not started");
        };
        // Only the way into openraft's queue is awaited here, and that queue is unbounded. A
        // message that does not get in is dropped, and its responder fails the pipeline.
        let _ = raft.client_write_ff(batch).now_or_never();
    }

    fn next_batch(self: &Arc<Self>) -> Option<Batch> {
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
        drop(queue);
        let replies = Replies { pipeline: self.clone(), answers };
        (!txns.is_empty()).then(|| Batch { txns: txns.into(), replies: Some(replies) })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(why: String) -> CommitError {
    CommitError::Unknown(why)
}

/// The writers who wait for one batch.
pub struct Replies {
    pipeline: Arc<Pipeline>,
    answers: Vec<oneshot::Sender<Answer>>,
}

/// Tells the writers of one batch what became of it, and sends the next batch off.
pub struct BatchResponder(Option<Replies>);

impl Responder<TypeConfig> for BatchResponder {
    type Receiver = ();

    fn from_app_data(mut batch: Batch) -> (Batch, Self, ()) {
        let replies = batch.replies.take();
        (batch, Self(replies), ())
    }

    fn send(mut self, result: ClientWriteResult<TypeConfig>) {
        let Some(Replies { pipeline, answers }) = self.0.take() else { return };
        match result {
            Ok(written) => {
                for (answer, outcome) in answers.into_iter().zip(written.data.0) {
                    let _ = answer.send(outcome);
                }
            }
            Err(error) => {
                for answer in answers {
                    let _ = answer.send(Err(unknown(error.to_string())));
                }
            }
        }
        pipeline.propose();
    }
}

impl Drop for BatchResponder {
    /// Dropped without a result: openraft has stopped.
    fn drop(&mut self) {
        if let Some(Replies { pipeline, answers }) = self.0.take() {
            pipeline.fail("the store has stopped; see its log");
            drop(answers);
        }
    }
}
