//! Speaking HTTP with the API: requests, problems, event streams and web sockets.
//!
//! Values stay [`serde_json::Value`] from the wire to the output, so fields that this version does
//! not know are shown all the same.

use std::io;
use std::os::fd::OwnedFd;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HOST};
use http::{HeaderName, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::failure::{Failure, Result};
use crate::transport::{Endpoint, Stream};

pub mod body;
pub mod path;
pub mod problem;
pub mod sse;
pub mod websocket;

pub use path::segment;

/// Header that names the task made by a request.
const TASK: HeaderName = HeaderName::from_static("novacron-task");

pub type Body = UnsyncBoxBody<Bytes, io::Error>;

pub struct Client {
    endpoint: Endpoint,
    token: Option<String>,
    /// A connection whose last answer has been read to its end.
    idle: Mutex<Option<SendRequest<Body>>>,
}

/// A request under way.
pub struct Call {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, String)>,
    body: Body,
}

/// What came back, read whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    /// The task that goes on, where one was made.
    pub task: Option<String>,
    pub etag: Option<String>,
    /// `null` when there was no content.
    pub value: Value,
}

impl Call {
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        Self { method, path: path.into(), headers: Vec::new(), body }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub fn post(path: impl Into<String>, value: &Value) -> Self {
        Self::new(Method::POST, path).json(value)
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// A merge patch (RFC 7396).
    pub fn patch(path: impl Into<String>, value: &Value) -> Self {
        let bytes = Bytes::from(value.to_string());
        Self::new(Method::PATCH, path)
            .header(CONTENT_TYPE, "application/merge-patch+json")
            .body(Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
    }

    pub fn json(self, value: &Value) -> Self {
        let bytes = Bytes::from(value.to_string());
        self.header(CONTENT_TYPE, "application/json")
            .body(Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
    }

    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}

impl Client {
    pub fn new(endpoint: Endpoint, token: Option<String>) -> Self {
        Self { endpoint, token, idle: Mutex::new(None) }
    }

    /// The JSON that stands at `path`.
    pub async fn get(&self, path: &str) -> Result<Value> {
        Ok(self.call(Call::get(path)).await?.value)
    }

    /// Sends a request and reads the whole answer; problems become failures.
    pub async fn call(&self, call: Call) -> Result<Answer> {
        let (response, sender) = self.exchange(call).await?;
        let answer = answer(response).await?;
        *self.idle.lock().await = Some(sender);
        Ok(answer)
    }

    /// Whether [`Client::hand_over`] can be tried.
    pub fn is_local(&self) -> bool {
        self.endpoint.is_local()
    }

    /// Sends a request with an open file beside it, on a connection of its own.
    pub async fn hand_over(&self, call: Call, file: OwnedFd) -> Result<Answer> {
        let request = self.request(call)?;
        let stream = TokioIo::new(self.endpoint.dial_with(file).await?);
        answer(exchange(&mut handshake(stream).await?, request).await?).await
    }

    /// Sends a request whose answer is read bit by bit; problems become failures.
    pub async fn stream(&self, call: Call) -> Result<Incoming> {
        Ok(self.exchange(call).await?.0.into_body())
    }

    async fn exchange(&self, call: Call) -> Result<(Response<Incoming>, SendRequest<Body>)> {
        let request = self.request(call)?;
        let mut sender = self.sender().await?;
        Ok((exchange(&mut sender, request).await?, sender))
    }

    fn request(&self, call: Call) -> Result<Request<Body>> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(call.path)
            .header(HOST, self.endpoint.authority());
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        request
            .body(call.body)
            .map_err(|error| Failure::usage(format!("this cannot be sent: {error}")))
    }

    async fn sender(&self) -> Result<SendRequest<Body>> {
        if let Some(mut sender) = self.idle.lock().await.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        handshake(TokioIo::new(self.endpoint.dial().await?)).await
    }
}

async fn handshake<S: Stream + 'static>(stream: TokioIo<S>) -> Result<SendRequest<Body>> {
    let (sender, connection) = http1::handshake(stream).await.map_err(|error| broken(&error))?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn exchange(
    sender: &mut SendRequest<Body>,
    request: Request<Body>,
) -> Result<Response<Incoming>> {
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let bytes = collect(response).await?;
    Err(problem::failure(status, &bytes))
}

/// Reads it to its end.
async fn answer(response: Response<Incoming>) -> Result<Answer> {
    let header = |name: HeaderName| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let (status, etag, task) = (response.status(), header(ETAG), header(TASK));
    let bytes = collect(response).await?;
    let value = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes)
            .map_err(|error| Failure::failed(format!("the server's answer is not JSON: {error}")))?
    };
    let task = task.or_else(|| task_in(status, &value));
    Ok(Answer { status, task, etag, value })
}

/// The uid of the task that an answer consists of.
fn task_in(status: StatusCode, value: &Value) -> Option<String> {
    let uid = value.pointer("/meta/uid")?.as_str()?;
    (status == StatusCode::ACCEPTED).then(|| uid.to_owned())
}

async fn collect(response: Response<Incoming>) -> Result<Bytes> {
    let body = response.into_body().collect().await.map_err(|error| broken(&error))?;
    Ok(body.to_bytes())
}

/// A connection that ended before its answer did.
pub fn broken(error: &hyper::Error) -> Failure {
    Failure::unreachable(format!("the connection to NovaCron broke: {error}"))
        .hint("it may be restarting; try again")
}
