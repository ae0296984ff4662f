//! Accepting and serving connections. Each runs by itself, so a slow client holds up nobody: TLS
//! handshakes, request heads and unread answers have deadlines, and there is a limit to their
//! number.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::handed::{Handed, Taking};
use super::unix;
use crate::auth::Peer;

const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Time for a request's head, also the first one of a connection.
const HEAD_MAX: Duration = Duration::from_secs(20);
/// How long a client may leave unread what it was sent.
const UNREAD_MAX: Duration = Duration::from_mins(1);
/// Connections per listener, if the process may have that many files open.
const CONNECTIONS_MAX: usize = 8192;
/// Pause after accepting failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A quarter of the files that this process may have open: strangers who hold connections must
/// not keep the store from its log, nor the agent from its guests.
fn connections_max() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    CONNECTIONS_MAX.min(files / 4)
}

/// What every listener's loop needs.
#[derive(Debug, Clone)]
pub(super) struct Serving {
    pub router: Router,
    pub closing: CancellationToken,
    pub connections: TaskTracker,
}

impl Serving {
    pub async fn tcp(self, listener: TcpListener, acceptor: Option<TlsAcceptor>) {
        let limit = Arc::new(Semaphore::new(connections_max()));
        loop {
            let accepted = tokio::select! {
                () = self.closing.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Some((stream, _)) = survive(accepted).await else { continue };
            let Ok(permit) = limit.clone().try_acquire_owned() else { continue };
            let Ok(local) = stream.local_addr() else { continue };
            prepare(&stream, UNREAD_MAX);
            let (serving, acceptor) = (self.clone(), acceptor.clone());
            let peer = Peer::Tcp { local, tls: acceptor.is_some() };
            self.connections.spawn(async move {
                let Some(acceptor) = acceptor else {
                    return serving.client(stream, peer, None, permit).await;
                };
                let handshake = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await;
                if let Ok(Ok(stream)) = handshake {
                    serving.client(stream, peer, None, permit).await;
                }
            });
        }
    }

    /// Serves the socket to root, to the daemon's own user and, where there is a group for it, to
    /// whomever the kernel lets connect.
    pub async fn unix(self, listener: UnixListener, grouped: bool) {
        let limit = Arc::new(Semaphore::new(connections_max()));
        loop {
            let accepted = tokio::select! {
                () = self.closing.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Some((stream, _)) = survive(accepted).await else { continue };
            let Ok(permit) = limit.clone().try_acquire_owned() else { continue };
            let Some(uid) = stream.peer_cred().ok().map(|peer| peer.uid()) else { continue };
            if !grouped && !unix::is_trusted(uid) {
                tracing::warn!(uid, "a user without rights tried the unix socket");
                continue;
            }
            let serving = self.clone();
            let (stream, handed) = Taking::new(stream);
            self.connections.spawn(async move {
                serving.client(stream, Peer::Unix { uid }, Some(handed), permit).await;
            });
        }
    }

    /// Serves a connection that another member has opened.
    pub async fn member<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connections = self.connections.clone();
        connections.track_future(self.http(stream, Peer::Member, None)).await;
    }

    async fn client<S>(
        self,
        stream: S,
        peer: Peer,
        handed: Option<Handed>,
        _permit: OwnedSemaphorePermit,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.http(stream, peer, handed).await;
    }

    /// `handed`: where the connection's descriptors are put.
    async fn http<S>(self, stream: S, peer: Peer, handed: Option<Handed>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router;
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            if let Some(handed) = &handed {
                request.extensions_mut().insert(handed.clone());
            }
            router.clone().oneshot(request.map(axum::body::Body::new))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = self.closing.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

/// Sets what only makes a connection better, so that a failure is none of the client's business.
fn prepare(stream: &TcpStream, unread_max: Duration) {
    // Without it small answers wait for the client's acknowledgements.
    let _ = stream.set_nodelay(true);
    // Without it a client that reads no more holds its connection for ever: tcp(7).
    let millis = u32::try_from(unread_max.as_millis()).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, millis);
}

async fn survive<T>(accepted: io::Result<T>) -> Option<T> {
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_client_that_reads_no_more_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        prepare(&stream, Duration::from_millis(500));
        let answer = vec![0; 64 << 20];
        let written = tokio::time::timeout(Duration::from_mins(1), stream.write_all(&answer)).await;
        let error = written.expect("the write must not wait for ever").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
