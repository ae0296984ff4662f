//! The far end: takes connections, finds out which member is calling, hands requests on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use novacron_pki::member_of;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{Body, full};
use crate::RaftStore;

/// How long a caller may take to show who it is.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Pause after a connection that could not be taken, for want of descriptors for example.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections at once, of all and of those who are no members.
const CONNECTIONS_MAX: usize = 1024;
const STRANGERS_MAX: usize = 32;
/// How long somebody who asks to join may take over it, the decision included.
const STRANGER_PATIENCE: Duration = Duration::from_secs(30);
/// A longer call is refused. Entries of the log are the longest; `log` keeps them below.
const CALL_BYTES_MAX: usize = 64 << 20;
const WINDOW_BYTES: u32 = 8 << 20;
/// A connection that shows no sign of life is given up.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// It holds a certificate for this number. Whether it still is a member is not known here.
    Member(u64),
    /// Somebody without a certificate, who may only ask to join.
    Stranger,
}

/// Answers what members, and those who want to be, ask.
pub trait Handler: Send + Sync + 'static {
    fn handle(
        self: Arc<Self>,
        caller: Caller,
        request: Request<Incoming>,
    ) -> BoxFuture<'static, Response<Body>>;
}

/// Answers a request of Raft: what [`super::Links`] sends as [`crate::Peers`].
pub async fn answer_call(store: &RaftStore, request: Request<Incoming>) -> Response<Body> {
    let body = Limited::new(request.into_body(), CALL_BYTES_MAX).collect().await;
    let answer = match body {
        Ok(body) => store.answer(&body.to_bytes()).await.map_err(|error| error.to_string()),
        Err(error) => Err(format!("the request broke off: {error}")),
    };
    match answer {
        Ok(answer) => Response::new(full(answer)),
        Err(why) => refuse(StatusCode::BAD_REQUEST, why),
    }
}

/// A refusal in plain words.
pub fn refuse(status: StatusCode, why: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(full(why));
    *answer.status_mut() = status;
    answer
}

/// Serves until `end`.
pub async fn serve(
    listener: TcpListener,
    tls: ServerConfig,
    handler: Arc<dyn Handler>,
    end: CancellationToken,
) {
    let tls = TlsAcceptor::from(Arc::new(tls));
    let room = Room::new();
    loop {
        let accepted = tokio::select! {
            () = end.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let Ok(place) = room.all.clone().try_acquire_owned() else { continue };
                let (tls, handler, end) = (tls.clone(), handler.clone(), end.clone());
                let strangers = room.strangers.clone();
                tokio::spawn(async move {
                    let conversation = converse(stream, tls, handler, strangers);
                    let served = end.run_until_cancelled(conversation).await;
                    drop(place);
                    if let Some(Err(error)) = served {
                        tracing::debug!(%from, %error, "a connection between members has ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection between members was not taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// How many connections there may be at once: who holds many must not keep the store from its log.
struct Room {
    all: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

impl Room {
    fn new() -> Self {
        let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
        Self { all: Arc::new(Semaphore::new(CONNECTIONS_MAX)), strangers }
    }
}

async fn converse(
    stream: TcpStream,
    tls: TlsAcceptor,
    handler: Arc<dyn Handler>,
    strangers: Arc<Semaphore>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the other side takes too long");
    let stream = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await.map_err(late)??;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let caller = match shown.map(member_of) {
        None => Caller::Stranger,
        Some(Some(number)) => Caller::Member(number),
        Some(None) => return Err(io::Error::other("the certificate names no member")),
    };
    let service = service_fn(move |request| {
        let answer = handler.clone().handle(caller, request);
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE);
    if caller != Caller::Stranger {
        http.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
        let served = http.serve_connection(TokioIo::new(stream), service);
        return served.await.map_err(io::Error::other);
    }
    let full = |_| io::Error::other("too many ask to join at once");
    let _place = strangers.try_acquire_owned().map_err(full)?;
    http.max_concurrent_streams(1);
    let served = http.serve_connection(TokioIo::new(stream), service);
    let served = tokio::time::timeout(STRANGER_PATIENCE, served).await.map_err(late)?;
    served.map_err(io::Error::other)
}
