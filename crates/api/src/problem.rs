//! Errors on the wire: RFC 9457 problems with a stable `code`, the field at fault and a hint.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use novacron_model::{Code, Error};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong, with what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` tells kinds of problems apart.
    #[serde(rename = "type")]
    pub kind: String,
    /// The meaning of `status`.
    pub title: String,
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    pub code: Code,
    /// One sentence that names the thing at fault.
    pub detail: String,
    /// JSON path of the input at fault (`spec.memory`), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A [`Error`] with the status it is answered with.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: StatusCode,
    pub error: Error,
}

pub type Answer<T> = std::result::Result<T, Refusal>;

impl Refusal {
    pub fn new(status: StatusCode, error: Error) -> Self {
        Self { status, error }
    }

    /// The request itself is not well-formed (as opposed to well-formed but wrong).
    pub fn malformed(error: Error) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    pub fn unauthenticated() -> Self {
        let error = Error::new(Code::Unauthenticated, "sign in or send a valid token")
            .hint("`novacron web` prints a sign-in link, `novacron token create` makes a token");
        error.into()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { status: status_of(error.code), error }
    }
}

/// The status that a code is answered with unless the place of the error says otherwise.
pub fn status_of(code: Code) -> StatusCode {
    match code {
        Code::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Denied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::Conflict | Code::Exhausted => StatusCode::CONFLICT,
        Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::Unsupported => StatusCode::NOT_IMPLEMENTED,
        Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Code::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let Self { status, error } = self;
        if status.is_server_error() {
            tracing::warn!(status = status.as_u16(), error = %error, "request failed");
        }
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: error.code,
            detail: error.message,
            field: error.field,
            hint: error.hint,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
