//! Reading RFC 9457 problems.

use http::StatusCode;
use novacron_model::Code;
use serde::Deserialize;

use crate::failure::{self, Failure, exit_code};

#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    field: Option<String>,
    #[serde(default)]
    hint: Option<String>,
    #[serde(default)]
    code: Option<String>,
}

/// What an answer that is not a success means.
pub fn failure(status: StatusCode, body: &[u8]) -> Failure {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let code = problem.code.and_then(|code| serde_json::from_value::<Code>(code.into()).ok());
    let message =
        problem.detail.or(problem.title).unwrap_or_else(|| format!("the server answered {status}"));
    let hint = problem.hint.or_else(|| default_hint(status).map(str::to_owned));
    Failure {
        exit: code.map_or_else(|| exit_for(status), exit_code),
        message,
        field: problem.field,
        hint,
    }
}

fn default_hint(status: StatusCode) -> Option<&'static str> {
    (status == StatusCode::UNAUTHORIZED).then_some(
        "give the context a token that is valid: `novacron context add` with --token-stdin",
    )
}

/// For answers that carry no code: something between us and NovaCron, or a newer one.
fn exit_for(status: StatusCode) -> u8 {
    match status.as_u16() {
        401 | 403 => failure::DENIED,
        404 | 410 => failure::NOT_FOUND,
        409 | 412 | 429 | 507 => failure::CONFLICT,
        400..=499 => failure::USAGE,
        502 | 503 => failure::UNREACHABLE,
        504 => failure::TIMEOUT,
        _ => failure::FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_its_words() {
        let body = br#"{"type":"about:blank","title":"Conflict","status":409,"code":"conflict",
            "detail":"VM \"web\" is running","hint":"stop it first","extra":1}"#;
        let failure = failure(StatusCode::CONFLICT, body);
        assert_eq!(failure.exit, 4);
        assert_eq!(failure.message, "VM \"web\" is running");
        assert_eq!(failure.hint.as_deref(), Some("stop it first"));
    }

    #[test]
    fn an_unknown_code_falls_back_to_the_status() {
        let body = br#"{"code":"from_the_future","title":"Gone fishing"}"#;
        let unknown = failure(StatusCode::NOT_FOUND, body);
        assert_eq!((unknown.exit, unknown.message.as_str()), (3, "Gone fishing"));
        assert_eq!(failure(StatusCode::BAD_GATEWAY, b"<html>").exit, 6);
    }
}
