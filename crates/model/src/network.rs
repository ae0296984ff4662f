//! Networks that NICs plug into.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::meta::{Kind, Scope};

/// The network that exists from the start.
pub const DEFAULT: &str = "user";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network;

impl Kind for Network {
    const KIND: &'static str = "network";
    const PLURAL: &'static str = "networks";
    const SCOPE: Scope = Scope::Project;
    type Spec = NetworkSpec;
    type Status = NetworkStatus;
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkSpec {
    #[serde(default)]
    pub kind: NetworkKind,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkKind {
    /// Outbound through the host's own stack plus port forwards; needs no rights.
    #[default]
    User,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkStatus {}
