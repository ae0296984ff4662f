//! JSON bodies: of a bounded size, within a bounded time, of a content type that browsers do not
//! send across origins without asking.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use novacron_model::{Code, Error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::auth::Caller;
use crate::problem::{Answer, Refusal};
use crate::resource::body;
use crate::state::Api;

const BYTES_MAX: usize = 1 << 20;
/// Of those who are not signed in: a sign-in code is all that they have to send.
const STRANGERS_BYTES_MAX: usize = 4 << 10;
/// Of a body that is too large so much more is read and dropped: a client that is still sending when
/// the connection closes never sees the answer.
const DROPPED_MAX: usize = 16 << 20;
const TIME_MAX: Duration = Duration::from_secs(30);

/// A body as JSON; `None` when there is none.
pub struct Payload(Option<Value>);

impl Payload {
    pub fn required(self) -> Answer<Value> {
        self.0.ok_or_else(|| {
            Refusal::malformed(Error::new(Code::Invalid, "the request needs a body of JSON"))
        })
    }

    /// Decodes the body strictly.
    pub fn into<T: Serialize + DeserializeOwned>(self) -> Answer<T> {
        body::strict(self.required()?)
    }

    /// The body, or an empty object where there is none.
    pub fn or_empty(self) -> Value {
        self.0.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
    }

    pub fn is_absent(&self) -> bool {
        self.0.is_none()
    }
}

impl FromRequest<Arc<Api>> for Payload {
    type Rejection = Refusal;

    async fn from_request(request: Request, _api: &Arc<Api>) -> Answer<Self> {
        let known = request.extensions().get::<Caller>().is_some();
        let (parts, body) = request.into_parts();
        let max = if known { BYTES_MAX } else { STRANGERS_BYTES_MAX };
        let dropped = if known { DROPPED_MAX } else { STRANGERS_BYTES_MAX };
        let bytes = match tokio::time::timeout(TIME_MAX, read(body, max, dropped)).await {
            Ok(Ok(Some(bytes))) => bytes,
            Ok(Ok(None)) => return Err(too_large(max)),
            Ok(Err(_)) => {
                let error = Error::new(Code::Invalid, "the body could not be read to its end");
                return Err(Refusal::malformed(error));
            }
            Err(_) => {
                let error = Error::new(Code::Timeout, "the body took too long to arrive");
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, error));
            }
        };
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        check_type(&parts.headers)?;
        let mut value = serde_json::from_slice(&bytes).map_err(|error| {
            let error = Error::new(Code::Invalid, format!("the body is not JSON: {error}"));
            Refusal::malformed(error)
        })?;
        body::whole_numbers(&mut value);
        Ok(Self(Some(value)))
    }
}

/// A body of at most `max` bytes; of a larger one up to `dropped` more are read, and there is none.
async fn read(mut body: Body, max: usize, dropped: usize) -> Result<Option<Bytes>, axum::Error> {
    let (mut bytes, mut size) = (BytesMut::new(), 0);
    while size <= max + dropped
        && let Some(frame) = body.frame().await
    {
        let Ok(data) = frame?.into_data() else { continue };
        size += data.len();
        if size <= max {
            bytes.extend_from_slice(&data);
        }
    }
    Ok((size <= max).then(|| bytes.freeze()))
}

fn too_large(max: usize) -> Refusal {
    let message = format!("the body is larger than {} KiB", max >> 10);
    Error::new(Code::TooLarge, message).into()
}

fn check_type(headers: &HeaderMap) -> Answer<()> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let known = ["application/json", "application/merge-patch+json"];
    if known.iter().any(|each| media.eq_ignore_ascii_case(each)) {
        return Ok(());
    }
    let error = Error::invalid("Content-Type", "the body must be JSON");
    let error = error.hint("send Content-Type: application/json");
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error))
}
