//! Openraft's way to the other members: its requests become messages for [`Peers`].

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::error::{
    Fatal, RPCError, RaftError, RemoteError, ReplicationClosed, StreamingError, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{BasicNode, Snapshot};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::message::{PartAnswer, Request, SnapshotPart, decode, encode};
use crate::peers::{CallError, Peer, Peers};
use crate::types::{TypeConfig, Vote};

/// Bytes of a snapshot that travel in one message.
const PART_BYTES: usize = 1 << 20;
/// How long a member may take over one part; the last one is installed before it is answered.
const PART_PATIENCE: Duration = Duration::from_mins(1);
/// Pause before a member that could not be reached is tried again.
const BACKOFF: Duration = Duration::from_millis(200);

type RpcResult<T> = Result<T, RPCError<u64, BasicNode, RaftError<u64>>>;

/// When each member answered last.
#[derive(Default)]
pub struct Heard(Mutex<BTreeMap<u64, Instant>>);

impl Heard {
    fn note(&self, number: u64) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(number, Instant::now());
    }

    /// Whether a member has answered within this time.
    pub fn within(&self, number: u64, time: Duration) -> bool {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.get(&number).is_some_and(|at| at.elapsed() <= time)
    }
}

pub struct Network {
    pub peers: Arc<dyn Peers>,
    pub heard: Arc<Heard>,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Connection;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Connection {
        let peer = Peer { number: target, address: node.addr.clone() };
        Connection { peers: self.peers.clone(), heard: self.heard.clone(), peer }
    }
}

pub struct Connection {
    peers: Arc<dyn Peers>,
    heard: Arc<Heard>,
    peer: Peer,
}

impl Connection {
    async fn call<A: DeserializeOwned>(
        &self,
        request: &impl Serialize,
        body: &[u8],
        within: Duration,
    ) -> Result<A, CallError> {
        let message =
            encode(request, body).map_err(|error| CallError::NotSent(error.to_string()))?;
        let answer = self.peers.call(&self.peer, message, within).await?;
        let (answer, _) =
            decode(&answer).map_err(|error| CallError::NoAnswer(error.to_string()))?;
        self.heard.note(self.peer.number);
        Ok(answer)
    }

    async fn ask<A: DeserializeOwned>(&self, request: Request, option: &RPCOption) -> RpcResult<A> {
        let answer: Result<A, RaftError<u64>> = self
            .call(&request, &[], option.hard_ttl())
            .await
            .map_err(|error| unreachable(&error))?;
        answer.map_err(|error| RemoteError::new(self.peer.number, error).into())
    }

    /// Sends the snapshot file as it is now. It says itself what it holds, so it may be a newer one
    /// than openraft has in mind.
    async fn send(
        &self,
        vote: Vote,
        snapshot: Snapshot<TypeConfig>,
    ) -> Result<SnapshotResponse<u64>, CallError> {
        let failed = |error: io::Error| CallError::NotSent(error.to_string());
        let stored = snapshot.snapshot;
        let file = stored.disk.open(&stored.name).map_err(failed)?;
        let length = file.len().map_err(failed)?;
        let mut part =
            SnapshotPart { vote, transfer: snapshot.meta.snapshot_id, offset: 0, last: false };
        loop {
            let mut body = vec![0; PART_BYTES];
            let read = file.read_at(&mut body, part.offset).map_err(failed)?;
            body.truncate(read);
            part.last = part.offset + read as u64 >= length;
            let answer = self.call(&Request::Snapshot(part.clone()), &body, PART_PATIENCE).await?;
            match answer {
                PartAnswer::Go if !part.last => part.offset += read as u64,
                PartAnswer::Installed(response) => return Ok(response),
                PartAnswer::Failed(why) => return Err(CallError::NoAnswer(why)),
                PartAnswer::Go | PartAnswer::Again => {
                    return Err(CallError::NoAnswer(
                        "the transfer was overtaken by another".to_owned(),
                    ));
                }
            }
        }
    }
}

impl RaftNetwork<TypeConfig> for Connection {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> RpcResult<AppendEntriesResponse<u64>> {
        self.ask::<AppendEntriesResponse<u64>>(Request::Append(rpc), &option).await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        option: RPCOption,
    ) -> RpcResult<VoteResponse<u64>> {
        self.ask::<VoteResponse<u64>>(Request::Vote(rpc), &option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<TypeConfig>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<TypeConfig, Fatal<u64>>> {
        tokio::select! {
            closed = cancel => Err(closed.into()),
            sent = self.send(vote, snapshot) => {
                sent.map_err(|error| StreamingError::Unreachable(Unreachable::new(&error)))
            }
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(BACKOFF))
    }
}

/// All is tried again after a pause: an address may be wrong for a while, a process may start.
fn unreachable(error: &CallError) -> RPCError<u64, BasicNode, RaftError<u64>> {
    Unreachable::new(error).into()
}
