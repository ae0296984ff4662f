//! A transaction's way to the leader, wherever it is taken in.
//!
//! ```text
//!  commit ─┬─ this node leads ─▶ batch
//!          ├─ another leads ──▶ its `answer`, then wait until the transaction is applied here too
//!          └─ nobody leads ───▶ wait for an election, up to a deadline
//! ```
//!
//! A transaction is sent again only while it is certain that nothing came of it.

use std::sync::Arc;
use std::time::Duration;

use novacron_store::{CommitError, Revision};
use tokio::time::Instant;

use crate::batch::{self, Pipeline};
use crate::machine::Shared;
use crate::message::{CommitAnswer, Sent, decode, encode};
use crate::peers::{CallError, Peer, Peers};
use crate::types::{Proposal, Raft};

/// How long a transaction waits for somebody to lead.
const ELECTION_PATIENCE: Duration = Duration::from_secs(10);
/// How long the leader may take over a transaction.
const COMMIT_PATIENCE: Duration = Duration::from_secs(15);
/// Pause before a leader is looked for again, if no election ends it earlier.
const PAUSE: Duration = Duration::from_millis(100);

/// What a commit needs on its way.
pub struct Route<'a> {
    pub raft: &'a Raft,
    pub pipeline: &'a Arc<Pipeline>,
    pub shared: &'a Shared,
    pub peers: &'a dyn Peers,
}

/// Who leads, from where this node stands.
pub enum Leader {
    Here,
    There(Peer),
    Nobody,
}

impl Route<'_> {
    pub async fn commit(&self, mut proposal: Proposal) -> Result<Revision, CommitError> {
        let deadline = Instant::now() + ELECTION_PATIENCE;
        loop {
            match self.leader() {
                Leader::Here => match self.pipeline.commit(proposal).await {
                    batch::Answer::Done(outcome) => return outcome,
                    batch::Answer::NotLeader(back) => proposal = back,
                },
                Leader::There(peer) => {
                    if let Some(outcome) = self.ask(&peer, &proposal).await {
                        return outcome;
                    }
                }
                Leader::Nobody => {}
            }
            if let Some(why) = self.pipeline.failure() {
                return Err(CommitError::Unknown(why));
            }
            if Instant::now() >= deadline {
                return Err(CommitError::NoLeader);
            }
            self.election().await;
        }
    }

    pub fn leader(&self) -> Leader {
        let metrics = self.raft.metrics();
        let now = metrics.borrow();
        match now.current_leader {
            None => Leader::Nobody,
            Some(number) if number == now.id => Leader::Here,
            Some(number) => {
                let node = now.membership_config.membership().get_node(&number);
                node.map_or(Leader::Nobody, |node| {
                    Leader::There(Peer { number, address: node.addr.clone() })
                })
            }
        }
    }

    /// Waits until who leads has changed, but not long.
    async fn election(&self) {
        let mut changes = self.raft.server_metrics();
        // Either way the leader is looked for again.
        let _ = tokio::time::timeout(PAUSE, changes.changed()).await;
    }

    /// Lets another member commit; `None`: nothing came of it.
    async fn ask(&self, peer: &Peer, proposal: &Proposal) -> Option<Result<Revision, CommitError>> {
        let message = match encode(&Sent::Commit(proposal), &[]) {
            Ok(message) => message,
            Err(error) => return Some(Err(CommitError::Unknown(error.to_string()))),
        };
        match self.peers.call(peer, message, COMMIT_PATIENCE).await {
            Err(CallError::NotSent(_)) => None,
            Err(CallError::NoAnswer(why)) => Some(Err(CommitError::Unknown(why))),
            Ok(answer) => match decode::<CommitAnswer>(&answer) {
                Err(error) => Some(Err(CommitError::Unknown(error.to_string()))),
                Ok((CommitAnswer::NotLeader, _)) => None,
                Ok((CommitAnswer::Done { outcome, revision }, _)) => {
                    Some(self.here_too(outcome, revision).await)
                }
            },
        }
    }

    /// What was committed must show in this node's snapshots before its writer hears of it; and who
    /// was refused must not decide again on the state on which that happened.
    async fn here_too(
        &self,
        outcome: Result<Revision, CommitError>,
        revision: Revision,
    ) -> Result<Revision, CommitError> {
        let reached = self.shared.hub.reached(revision);
        let here = tokio::time::timeout(COMMIT_PATIENCE, reached).await;
        match (outcome, here) {
            (Ok(committed), Ok(true)) => Ok(committed),
            (Ok(_), _) => {
                let why = "it was committed, but this node has not heard of it yet";
                Err(CommitError::Unknown(why.to_owned()))
            }
            (refused, _) => refused,
        }
    }
}
