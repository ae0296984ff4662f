//! Tokens: credentials for scripts and browsers. The secret itself is never stored; its SHA-256
//! is the index row [`HASH_INDEX`] of the token's record.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::meta::{Kind, Scope};
use crate::units::Time;

/// Index under which a token is found by the hex SHA-256 of its secret.
pub const HASH_INDEX: &str = "token-hash";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token;

impl Kind for Token {
    const KIND: &'static str = "token";
    const PLURAL: &'static str = "tokens";
    const SCOPE: Scope = Scope::Cluster;
    type Spec = TokenSpec;
    type Status = TokenStatus;
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenSpec {
    #[serde(default)]
    pub purpose: TokenPurpose,
    #[serde(default)]
    pub description: String,
    /// Absent: valid until revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenPurpose {
    /// `Authorization: Bearer`, for scripts.
    #[default]
    Api,
    /// A one-time code of `novacron web`; traded for a session, then gone.
    SignIn,
    /// A browser's cookie.
    Session,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenStatus {}
