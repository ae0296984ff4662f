//! Listeners: TCP (plain on loopback, TLS elsewhere) and the unix socket, in front of one router.

mod connection;
pub mod handed;
pub mod names;
pub mod tls;
mod unix;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware;
use novacron_model::{Error, Result};
use novacron_store::Store;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::auth::guard;
use crate::auth::tickets::Tickets;
use crate::config::ApiConfig;
use crate::forward;
use crate::gateway::{Duplex, Gateway};
use crate::problem::Refusal;
use crate::state::Api;
use crate::{console, graphql, metrics, rest};

/// How long requests that run may take to end when the server shuts down.
const GRACE: Duration = Duration::from_secs(5);

/// A running server. Dropping it leaves the server running; see [`ServerHandle::shutdown`].
#[derive(Debug)]
pub struct ServerHandle {
    /// The TCP addresses in use, in the order of the configuration.
    pub addresses: Vec<SocketAddr>,
    /// The unix socket.
    pub socket: PathBuf,
    /// Where browsers find the console.
    pub base_url: String,
    /// SHA-256 of the own CA's certificate, where TLS is served with it: `AB:CD:…`.
    pub fingerprint: Option<String>,
    closing: CancellationToken,
    connections: TaskTracker,
    upkeep: JoinHandle<()>,
    serving: connection::Serving,
}

impl ServerHandle {
    /// Takes no more connections, ends every stream, and waits for running requests, but not long.
    pub async fn shutdown(self) {
        self.closing.cancel();
        self.upkeep.abort();
        self.connections.close();
        if tokio::time::timeout(GRACE, self.connections.wait()).await.is_err() {
            tracing::warn!("some requests were cut off by the shutdown");
        }
    }

    /// What takes connections that other members have opened.
    pub fn for_members(&self) -> ForMembers {
        ForMembers(self.serving.clone())
    }

    /// The token that ends the server when it is cancelled.
    pub fn closing(&self) -> CancellationToken {
        self.closing.clone()
    }
}

/// Serves the API to other members of the cluster.
#[derive(Debug, Clone)]
pub struct ForMembers(connection::Serving);

impl ForMembers {
    /// Speaks HTTP/1.1 on a connection that a member has opened.
    pub async fn serve(&self, stream: impl Duplex + 'static) {
        self.0.clone().member(stream).await;
    }
}

/// Starts to serve. Returns once every address is bound.
pub async fn serve(
    config: ApiConfig,
    store: Arc<dyn Store>,
    gateway: Arc<dyn Gateway>,
) -> Result<ServerHandle> {
    metrics::install();
    let mut listeners = Vec::new();
    for address in &config.listen {
        listeners.push(bind(*address).await?);
    }
    let addresses: Vec<SocketAddr> =
        listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let (socket_path, socket) = unix::bind(&config.data_dir, config.group.as_deref())?;
    let tls = tls::setup(&config, &addresses)?;
    let (closing, connections) = (CancellationToken::new(), TaskTracker::new());
    let fingerprint = tls.authority.as_ref().map(|authority| authority.fingerprint.clone());
    let base_url = names::base_url(&config, &addresses);
    let grouped = config.group.is_some();
    let api = Arc::new(Api {
        store,
        gateway,
        tickets: Tickets::default(),
        authority: tls.authority,
        base_url: base_url.clone(),
        names: names::of_this_machine(&config),
        closing: closing.clone(),
        config,
    });
    let serving = connection::Serving {
        router: router(api),
        closing: closing.clone(),
        connections: connections.clone(),
    };
    connections.spawn(serving.clone().unix(socket, grouped));
    for (listener, address) in listeners.into_iter().zip(&addresses) {
        let acceptor = tls.acceptor.clone().filter(|_| !address.ip().is_loopback());
        connections.spawn(serving.clone().tcp(listener, acceptor));
    }
    let upkeep = tokio::spawn(metrics::upkeep());
    Ok(ServerHandle {
        addresses,
        socket: socket_path,
        base_url,
        fingerprint,
        closing,
        connections,
        upkeep,
        serving,
    })
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let taken = error.kind() == std::io::ErrorKind::AddrInUse;
        let message = format!("cannot listen on {address}: {error}");
        let error = Error::conflict(message).at("listen");
        if taken { error.hint("choose another with --listen ADDRESS:PORT") } else { error }
    })
}

fn router(api: Arc<Api>) -> Router {
    let routes = rest::routes().merge(graphql::routes(&api)).fallback(console::serve);
    let guarded = routes
        .layer(middleware::from_fn_with_state(api.clone(), forward::forward))
        .layer(middleware::from_fn_with_state(api.clone(), guard::guard))
        .layer(CatchPanicLayer::custom(|_| {
            axum::response::IntoResponse::into_response(Refusal::from(Error::internal(
                "the request met a fault; the details are in the log",
            )))
        }))
        .layer(middleware::from_fn(metrics::observe));
    security_headers()
        .into_iter()
        .fold(guarded, |router, (name, value)| {
            let value = HeaderValue::from_static(value);
            router.layer(SetResponseHeaderLayer::if_not_present(name, value))
        })
        .with_state(api)
}

/// On every answer. Styles may be inline because the terminal and the charts set them so.
fn security_headers() -> [(HeaderName, &'static str); 6] {
    [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
             img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; \
             worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ]
}
