//! Connections to other members: made when needed, kept, made anew when they break.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use novacron_pki::member_name;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Body, CALL, full};
use crate::peers::{CallError, Peer, Peers};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(3);
/// A connection on which nothing moves is asked for a sign of life this often,
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// and given up without one after this long.
const KEEP_ALIVE_PATIENCE: Duration = Duration::from_secs(5);
/// How much may be on its way to or from one member before it is read.
const WINDOW_BYTES: u32 = 8 << 20;
/// A longer answer to a call is refused.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A member's connections to the others.
pub struct Links {
    tls: TlsConnector,
    open: Mutex<BTreeMap<u64, Link>>,
}

#[derive(Clone)]
struct Link {
    address: String,
    sender: SendRequest<Body>,
}

impl Links {
    /// Connects as the member whose TLS this is.
    pub fn new(tls: ClientConfig) -> Self {
        Self { tls: TlsConnector::from(Arc::new(tls)), open: Mutex::default() }
    }

    /// Sends a request to another member; the answer's body comes as the member sends it.
    pub async fn request(
        &self,
        to: &Peer,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, CallError> {
        let mut sender = self.link(to).await.map_err(|error| not_sent(to, &error))?;
        let sent = sender.try_send_request(request).await;
        sent.map_err(|mut refused| {
            if refused.take_message().is_some() {
                not_sent(to, refused.error())
            } else {
                CallError::NoAnswer(format!("{to} does not answer: {}", refused.error()))
            }
        })
    }

    /// A stream of bytes to another member, for its API. It has a connection of its own: a reader
    /// who takes his time must not hold up what Raft says.
    pub async fn tunnel(&self, to: &Peer) -> Result<Tunnel, CallError> {
        let name = member_name(to.number);
        let there = format!("{name}:443");
        let request = Request::connect(there).body(full(Bytes::new()));
        let request = request.map_err(|error| not_sent(to, &error))?;
        let connected = connect(&self.tls, &to.address, name).await;
        let mut sender = connected.map_err(|error| not_sent(to, &error))?;
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| not_sent(to, &error))?;
        if !answer.status().is_success() {
            return Err(not_sent(to, &format!("it answers {}", answer.status())));
        }
        let upgraded = hyper::upgrade::on(answer).await;
        let stream = upgraded.map_err(|error| not_sent(to, &error))?;
        Ok(Tunnel { stream: TokioIo::new(stream), _connection: sender })
    }

    async fn link(&self, to: &Peer) -> io::Result<SendRequest<Body>> {
        let known = self.lock().get(&to.number).cloned();
        if let Some(mut link) = known.filter(|link| link.address == to.address)
            && link.sender.ready().await.is_ok()
        {
            return Ok(link.sender);
        }
        let name = member_name(to.number);
        let sender = connect(&self.tls, &to.address, name).await?;
        let link = Link { address: to.address.clone(), sender: sender.clone() };
        self.lock().insert(to.number, link);
        Ok(sender)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Link>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peers for Links {
    fn call<'a>(
        &'a self,
        to: &'a Peer,
        request: Vec<u8>,
        within: Duration,
    ) -> BoxFuture<'a, Result<Vec<u8>, CallError>> {
        let call = async move {
            let uri = format!("https://{}{CALL}", member_name(to.number));
            let request = Request::post(uri).body(full(request));
            let request = request.map_err(|error| not_sent(to, &error))?;
            let answer = self.request(to, request).await?;
            let broken = |error: &dyn std::fmt::Display| {
                CallError::NoAnswer(format!("the answer of {to} broke off: {error}"))
            };
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| broken(&error))?.to_bytes();
            if !status.is_success() {
                return Err(broken(&String::from_utf8_lossy(&body)));
            }
            Ok(Bytes::into(body))
        };
        async move {
            let late = |_| CallError::NoAnswer(format!("{to} has not answered in time"));
            tokio::time::timeout(within, call).await.map_err(late)?
        }
        .boxed()
    }
}

/// A stream of bytes to another member.
pub struct Tunnel {
    stream: TokioIo<Upgraded>,
    /// The connection lives as long as somebody might send requests on it.
    _connection: SendRequest<Body>,
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn not_sent(to: &Peer, error: &dyn std::fmt::Display) -> CallError {
    CallError::NotSent(format!("{to} cannot be reached: {error}"))
}

/// Connects to a cluster of which only its CA's fingerprint is known.
pub async fn connect_pinned(address: &str, fingerprint: &str) -> io::Result<SendRequest<Body>> {
    let tls = novacron_pki::pinned(fingerprint).map_err(io::Error::other)?;
    let name = novacron_pki::ANY_MEMBER.to_owned();
    connect(&TlsConnector::from(Arc::new(tls)), address, name).await
}

async fn connect(tls: &TlsConnector, address: &str, name: String) -> io::Result<SendRequest<Body>> {
    let connecting = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let stream = tls.connect(name, stream).await?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_PATIENCE)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // It ends with its senders, or says through them why it broke.
        tokio::spawn(connection);
        Ok(sender)
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
    tokio::time::timeout(CONNECT, connecting).await.map_err(late)?
}
