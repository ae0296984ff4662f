//! Events: what happened, as a stream in the store.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::meta::ObjectRef;
use crate::units::Time;

/// Name of the store's stream.
pub const STREAM: &str = "events";

/// How many entries the stream keeps.
pub const KEEP: u64 = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Position in the stream; assigned by the store.
    #[serde(default)]
    pub sequence: u64,
    pub time: Time,
    pub level: Level,
    /// Stable and dotted: `vm.started`, `vm.crashed`, `image.imported`, `task.failed`.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// One sentence for people.
    pub text: String,
    /// Who caused it: a user, a token, `scheduler`, `node n1`.
    pub actor: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Info,
    Warning,
    Error,
}
