//! Join tokens: let one new node into the cluster. The secret itself is never stored; its SHA-256
//! is the index row [`JOIN_HASH_INDEX`] of the token's record.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::member::MemberRole;
use crate::meta::{Kind, Meta, Scope};
use crate::name::Name;
use crate::units::Time;

/// Index under which a join token is found by the hex SHA-256 of its secret.
pub const JOIN_HASH_INDEX: &str = "join-token-hash";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinToken;

impl Kind for JoinToken {
    const KIND: &'static str = "join-token";
    const PLURAL: &'static str = "join-tokens";
    const SCOPE: Scope = Scope::Cluster;
    type Spec = JoinTokenSpec;
    type Status = JoinTokenStatus;
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinTokenSpec {
    /// What the new member's role will be.
    #[serde(default)]
    pub role: MemberRole,
    #[serde(default)]
    pub description: String,
    /// An hour after its creation unless said; from a minute to seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// It may lead to a loopback address, which only processes of the same machine reach.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loopback: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinTokenStatus {
    /// Writer: admission of the join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<JoinUse>,
}

/// The one use of a join token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinUse {
    pub member: Name,
    /// Hex SHA-256 of the new member's public key: who asks again with it gets the same answer.
    pub key: String,
    pub at: Time,
}

/// A new join token with what `novacron server --join` takes, which is shown this once.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewJoinToken {
    pub meta: Meta,
    pub spec: JoinTokenSpec,
    /// Address, the CA's fingerprint and secret as one string: see
    /// [`crate::invitation::Invitation`].
    pub secret: String,
}
