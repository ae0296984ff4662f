//! How a command ends when it does not succeed: what to say, and with which exit code.
//!
//! Exit codes: 1 failed, 2 wrong use, 3 not found, 4 conflict or quota, 5 not allowed,
//! 6 unreachable, 124 timeout; 128 and its number after a signal, so 130 after Ctrl-C.

use std::fmt;
use std::io;

use novacron_model::{Code, Error};
use serde_json::Value;

pub const FAILED: u8 = 1;
pub const USAGE: u8 = 2;
pub const NOT_FOUND: u8 = 3;
pub const CONFLICT: u8 = 4;
pub const DENIED: u8 = 5;
pub const UNREACHABLE: u8 = 6;
pub const TIMEOUT: u8 = 124;

pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a command ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: u8,
    /// One sentence; empty when all has been said already.
    pub message: String,
    pub field: Option<String>,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(exit: u8, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), field: None, hint: None }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(FAILED, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }

    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(UNREACHABLE, message)
    }

    /// Ends with a code and without a word.
    pub fn silent(exit: u8) -> Self {
        Self::new(exit, "")
    }

    /// Ended by a signal, with the code that shells give such ends.
    pub fn signalled(number: u8) -> Self {
        Self::silent(128 + number)
    }

    pub fn is_signalled(&self) -> bool {
        matches!(self.exit, 129..=143)
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn is_unreachable(&self) -> bool {
        self.exit == UNREACHABLE
    }
}

/// The exit code for each kind of error.
pub fn exit_code(code: Code) -> u8 {
    match code {
        Code::Invalid | Code::TooLarge => USAGE,
        Code::NotFound => NOT_FOUND,
        Code::Conflict | Code::PreconditionFailed | Code::Exhausted | Code::StorageFull => CONFLICT,
        Code::Unauthenticated | Code::Denied => DENIED,
        Code::Unavailable => UNREACHABLE,
        Code::Timeout => TIMEOUT,
        Code::Unsupported | Code::Internal => FAILED,
    }
}

/// The failure behind an error that stands in an object's status, or `otherwise` if that tells
/// nothing. Whoever told it was reached: "unreachable" would send scripts the wrong way.
pub fn reported(error: &Value, otherwise: &str) -> Failure {
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    let code = error.get("code").cloned().and_then(|code| serde_json::from_value(code).ok());
    let exit = code.map(exit_code).filter(|exit| *exit != UNREACHABLE);
    Failure {
        exit: exit.unwrap_or(FAILED),
        message: text("message").unwrap_or_else(|| otherwise.to_owned()),
        field: text("field"),
        hint: text("hint"),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            exit: exit_code(error.code),
            message: error.message,
            field: error.field,
            hint: error.hint,
        }
    }
}

impl From<io::Error> for Failure {
    /// A reader that went away (`novacron list | head -1`) is no failure.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::silent(0),
            _ => Self::failed(error.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(field) = &self.field {
            write!(f, "\n  field: {field}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_the_exit_code_that_scripts_rely_on() {
        let expected = [
            (Code::Invalid, 2),
            (Code::Unauthenticated, 5),
            (Code::Denied, 5),
            (Code::NotFound, 3),
            (Code::Conflict, 4),
            (Code::PreconditionFailed, 4),
            (Code::Exhausted, 4),
            (Code::TooLarge, 2),
            (Code::Unsupported, 1),
            (Code::Timeout, 124),
            (Code::StorageFull, 4),
            (Code::Unavailable, 6),
            (Code::Internal, 1),
        ];
        for (code, exit) in expected {
            assert_eq!(exit_code(code), exit, "{code:?}");
        }
    }

    #[test]
    fn an_error_says_field_and_hint() {
        let error = Error::invalid("spec.memory", "memory is too small").hint("give 64 MiB");
        let shown = Failure::from(error).to_string();
        assert_eq!(shown, "error: memory is too small\n  field: spec.memory\n  hint: give 64 MiB");
    }
}
