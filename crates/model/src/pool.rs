//! Pools: where volumes and images lie.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::meta::{Kind, Meta, Scope};
use crate::name::Name;
use crate::units::Bytes;

/// Names of the sections that nodes write: `nodes/NODE`.
pub const NODES: &str = "nodes";

/// The pool that exists from the start.
pub const DEFAULT: &str = "default";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool;

impl Kind for Pool {
    const KIND: &'static str = "pool";
    const PLURAL: &'static str = "pools";
    const SCOPE: Scope = Scope::Cluster;
    type Spec = PoolSpec;
    type Status = PoolStatus;

    fn summarize(_meta: &Meta, _spec: &PoolSpec, status: &mut PoolStatus) {
        // A store of an earlier version holds what the only node there said.
        if !status.nodes.is_empty() {
            status.usage = Some(PoolUsage::of_all(&status.nodes));
        }
        let failed = status.usage.iter().find_map(|usage| usage.error.clone());
        let works = |node: &PoolNode| node.usage.error.is_none();
        status.state = match &status.usage {
            None => PoolState::Pending,
            Some(usage) if usage.error.is_none() => PoolState::Ready,
            Some(_) if status.nodes.iter().any(works) => PoolState::Ready,
            Some(_) => PoolState::Failed,
        };
        status.reason = failed;
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolSpec {
    #[serde(default)]
    pub kind: PoolKind,
    /// Absolute directory on each node; the node's data directory decides when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolKind {
    /// Files in a directory.
    #[default]
    Dir,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolStatus {
    /// Derived from the rest.
    #[serde(default)]
    pub state: PoolState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Derived: of all nodes together.
    #[serde(default)]
    pub usage: Option<PoolUsage>,
    /// A section for each node. Writer: that node's agent; refreshed when it changes by more than a
    /// hundredth.
    #[serde(default)]
    pub nodes: Vec<PoolNode>,
}

impl PoolStatus {
    /// What a node has said.
    pub fn on(&self, node: &str) -> Option<&PoolUsage> {
        self.nodes.iter().find(|each| each.node.as_str() == node).map(|each| &each.usage)
    }
}

/// The pool on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolNode {
    pub node: Name,
    pub usage: PoolUsage,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolState {
    #[default]
    Pending,
    Ready,
    Failed,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolUsage {
    /// The directory in use; of several nodes, if they agree.
    pub path: String,
    /// Size of the file system that the pool lies on.
    pub total: Bytes,
    pub free: Bytes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl PoolUsage {
    fn of_all(nodes: &[PoolNode]) -> Self {
        let path = nodes.first().map(|node| node.usage.path.clone()).unwrap_or_default();
        let agree = nodes.iter().all(|node| node.usage.path == path);
        let failed = nodes.iter().find_map(|node| {
            let error = node.usage.error.as_ref()?;
            Some(if nodes.len() == 1 {
                error.clone()
            } else {
                format!("node \"{}\": {error}", node.node)
            })
        });
        Self {
            path: if agree { path } else { String::new() },
            total: Bytes(nodes.iter().map(|node| node.usage.total.0).sum()),
            free: Bytes(nodes.iter().map(|node| node.usage.free.0).sum()),
            error: failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(node: &str, free: u64, error: Option<&str>) -> PoolNode {
        let usage = PoolUsage {
            path: "/srv/pool".to_owned(),
            total: Bytes(100),
            free: Bytes(free),
            error: error.map(str::to_owned),
        };
        PoolNode { node: Name::new(node).unwrap(), usage }
    }

    fn summarized(nodes: Vec<PoolNode>) -> PoolStatus {
        let mut status = PoolStatus { nodes, ..PoolStatus::default() };
        let meta: Meta = serde_json::from_value(serde_json::json!({
            "name": "default", "uid": uuid::Uuid::nil(), "owner": "control", "revision": 1,
            "generation": 1, "created": "2026-01-01T00:00:00Z",
        }))
        .unwrap();
        Pool::summarize(&meta, &PoolSpec::default(), &mut status);
        status
    }

    #[test]
    fn a_pool_is_what_its_nodes_have_together() {
        let status = summarized(vec![on("a", 10, None), on("b", 30, None)]);
        let usage = status.usage.unwrap();
        assert_eq!((usage.total, usage.free), (Bytes(200), Bytes(40)));
        assert_eq!(usage.path, "/srv/pool");
    }

    #[test]
    fn a_pool_works_while_it_does_on_one_node_and_says_where_not() {
        let status = summarized(vec![on("a", 10, None), on("b", 0, Some("gone"))]);
        assert_eq!(status.state, PoolState::Ready);
        assert_eq!(status.reason.as_deref(), Some("node \"b\": gone"));
        let status = summarized(vec![on("a", 0, Some("gone"))]);
        assert_eq!((status.state, status.reason.as_deref()), (PoolState::Failed, Some("gone")));
    }
}
