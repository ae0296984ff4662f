//! Pools: where volumes and images lie.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::meta::{Kind, Meta, Scope};
use crate::units::Bytes;

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
        (status.state, status.reason) = match &status.usage {
            None => (PoolState::Pending, None),
            Some(PoolUsage { error: Some(error), .. }) => (PoolState::Failed, Some(error.clone())),
            Some(_) => (PoolState::Ready, None),
        };
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
    /// Writer: the node's agent; refreshed when it changes by more than a hundredth.
    #[serde(default)]
    pub usage: Option<PoolUsage>,
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
    /// The directory in use.
    pub path: String,
    /// Size of the file system that the pool lies on.
    pub total: Bytes,
    pub free: Bytes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
