//! The way from this node's API to those of the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use novacron_api::Nodes;
use novacron_api::gateway::Duplex;
use novacron_model::{Error, Member as Listed, Result};
use novacron_raft::Peer;
use novacron_store::{Store, object};

use super::Member;

/// Nodes by name: those of this process, and the members of the cluster.
pub struct Others {
    pub member: Arc<Member>,
    /// Nodes whose agents run in this process.
    pub here: BTreeSet<String>,
}

#[async_trait]
impl Nodes for Others {
    fn serves(&self, node: &str) -> bool {
        self.here.contains(node)
    }

    async fn connect(&self, node: &str) -> Result<Box<dyn Duplex>> {
        let at = self.member.store()?.snapshot();
        let member = object::expect::<Listed>(&at, None, node)?;
        let peer = Peer { number: member.spec.number, address: member.spec.address };
        let stream = self.member.links.tunnel(&peer).await;
        Ok(Box::new(stream.map_err(|error| Error::unavailable(error.to_string()))?))
    }
}
