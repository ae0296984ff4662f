//! The way from this server to the APIs of other nodes.

use async_trait::async_trait;
use novacron_model::{Error, Result};

use crate::gateway::Duplex;

#[async_trait]
pub trait Nodes: Send + Sync + 'static {
    /// Whether this server speaks for a node itself.
    fn serves(&self, node: &str) -> bool;

    /// A connection to the API of another node, for HTTP/1.1. Whoever takes it there knows that a
    /// member calls.
    async fn connect(&self, node: &str) -> Result<Box<dyn Duplex>>;
}

/// A server without others.
#[derive(Debug, Clone, Copy)]
pub struct NoOthers;

#[async_trait]
impl Nodes for NoOthers {
    fn serves(&self, _node: &str) -> bool {
        true
    }

    async fn connect(&self, node: &str) -> Result<Box<dyn Duplex>> {
        Err(Error::unavailable(format!("node \"{node}\" cannot be reached from here")))
    }
}
