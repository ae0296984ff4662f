//! The way from the API to the cluster as it is now: who leads, who can be reached, and where a
//! new node may knock.

use async_trait::async_trait;
use novacron_model::cluster::MemberView;
use novacron_model::{ClusterView, Error, Result};

#[async_trait]
pub trait Cluster: Send + Sync + 'static {
    /// As this node sees it.
    async fn view(&self) -> ClusterView;

    /// Where other nodes can reach this one; opens the listener between nodes if need be. A
    /// loopback address, which other machines cannot reach, is refused unless asked for.
    async fn invite(&self, loopback: bool) -> Result<Invite>;
}

/// What a new node must know before it can ask to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// `HOST:PORT`
    pub address: String,
    /// SHA-256 of the cluster's CA certificate, in hex.
    pub fingerprint: String,
}

/// A server that no other can join.
#[derive(Debug, Clone)]
pub struct Alone {
    pub node: String,
}

#[async_trait]
impl Cluster for Alone {
    async fn view(&self) -> ClusterView {
        let own = MemberView {
            name: self.node.clone(),
            number: 1,
            voter: true,
            leader: true,
            reachable: Some(true),
            ..MemberView::default()
        };
        ClusterView::of(None, 0, vec![own])
    }

    async fn invite(&self, _loopback: bool) -> Result<Invite> {
        Err(Error::unsupported("this server is alone: other nodes cannot join it"))
    }
}
