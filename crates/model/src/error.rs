//! The one error of NovaCron, free of any transport.
//!
//! An error says what was wrong, with what, and what to do. `api` turns it into an RFC 9457
//! problem, `cli` into an exit code.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure this is; stable, meant for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The input is wrong; `field` names where.
    Invalid,
    /// No session or token, or one that is not valid.
    Unauthenticated,
    /// Known, but not allowed.
    Denied,
    NotFound,
    /// The state of the world forbids it now (in use, running, name taken).
    Conflict,
    /// `If-Match` or a precondition did not hold: read again, then retry.
    PreconditionFailed,
    /// A quota or a capacity is used up.
    Exhausted,
    TooLarge,
    /// This node or driver has no such power.
    Unsupported,
    Timeout,
    /// The disk under the store or a pool is full.
    StorageFull,
    /// For now: starting, stopping, guest agent away, node unreachable.
    Unavailable,
    /// A fault of NovaCron itself; the details are in the log.
    Internal,
}

/// What went wrong, with what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub code: Code,
    /// One sentence without a full stop, naming the thing at fault.
    pub message: String,
    /// JSON path of the input at fault (`spec.memory`), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, hint: None }
    }

    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message).at(field)
    }

    /// `kind` as in [`crate::Kind::KIND`].
    pub fn not_found(kind: &str, name: &str) -> Self {
        let kind = crate::key::display_kind(kind);
        Self::new(Code::NotFound, format!("{kind} \"{name}\" does not exist"))
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Code::Conflict, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Code::Unsupported, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, message)
    }

    /// Names the input at fault.
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
