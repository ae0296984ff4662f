//! The seam to the other members: one request, one answer. `wire` is the real one; tests put a
//! network behind it that loses, delays and cuts.

use std::fmt;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

/// Another member, as the members' list knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its number in the cluster.
    pub number: u64,
    /// `host:port`.
    pub address: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The request has not left this node: nothing came of it.
    #[error("{0}")]
    NotSent(String),
    /// The request may have had its effect.
    #[error("{0}")]
    NoAnswer(String),
}

/// Carries requests of one member to others. What a request says is the business of
/// [`crate::RaftStore::answer`] at the other end.
pub trait Peers: Send + Sync + 'static {
    fn call<'a>(
        &'a self,
        to: &'a Peer,
        request: Vec<u8>,
        within: Duration,
    ) -> BoxFuture<'a, Result<Vec<u8>, CallError>>;
}

/// The way out of a node that is alone.
#[derive(Debug, Clone, Copy)]
pub struct NoPeers;

impl Peers for NoPeers {
    fn call<'a>(
        &'a self,
        to: &'a Peer,
        _request: Vec<u8>,
        _within: Duration,
    ) -> BoxFuture<'a, Result<Vec<u8>, CallError>> {
        let refused = CallError::NotSent(format!("this node is alone and cannot reach {to}"));
        async move { Err(refused) }.boxed()
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member {} at {}", self.number, self.address)
    }
}
