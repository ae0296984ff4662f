//! Where the API is, and how to open a byte stream to it.
//!
//! An [`Endpoint`] is a unix socket of a daemon on this machine, plain TCP on loopback, or TLS with
//! the authorities that a context pins. What is spoken over the stream is `client`'s.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use self::handing::Handing;
use crate::failure::{DENIED, Failure, Result};

pub mod handing;
pub mod socket;
pub mod tls;

/// A connection to the API.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

#[derive(Clone)]
pub enum Endpoint {
    /// The socket of a daemon on this machine.
    Socket(std::path::PathBuf),
    /// `HOST:PORT`, only on loopback.
    Plain { authority: String },
    /// `HOST:PORT`, with the name that the certificate must show.
    Tls { authority: String, host: String, config: Arc<ClientConfig> },
}

impl Endpoint {
    /// Opens a connection, or says why there is none and what to do.
    pub async fn dial(&self) -> Result<Box<dyn Stream>> {
        match self {
            Self::Socket(path) => match socket::connect(path).await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) => Err(no_daemon(path, &error)),
            },
            Self::Plain { authority } => Ok(Box::new(tcp(authority).await?)),
            Self::Tls { authority, host, config } => {
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| Failure::usage(format!("\"{host}\" is not a host name")))?;
                let stream = tcp(authority).await?;
                let stream = TlsConnector::from(config.clone())
                    .connect(name, stream)
                    .await
                    .map_err(|error| not_trusted(authority, &error))?;
                Ok(Box::new(stream))
            }
        }
    }

    /// Whether an open file can be handed over.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Socket(_))
    }

    /// Opens a connection that hands over an open file beside the first request.
    pub async fn dial_with(&self, file: OwnedFd) -> Result<Handing> {
        let Self::Socket(path) = self else {
            return Err(Failure::usage("files are handed over on this machine only"));
        };
        let stream = socket::connect(path).await.map_err(|error| no_daemon(path, &error))?;
        Ok(Handing::new(stream, file))
    }

    /// What goes into the `Host` header.
    pub fn authority(&self) -> &str {
        match self {
            Self::Socket(_) => "localhost",
            Self::Plain { authority } | Self::Tls { authority, .. } => authority,
        }
    }
}

async fn tcp(authority: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(authority).await.map_err(|error| {
        Failure::unreachable(format!("no NovaCron at {authority}: {error}"))
            .hint("check that the daemon runs there and that the address is right")
    })?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn no_daemon(path: &std::path::Path, error: &std::io::Error) -> Failure {
    let directory = path.parent().unwrap_or(path).display();
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        return Failure::new(DENIED, format!("{} is not yours to open", path.display()))
            .hint("ask as the user who started the daemon, or as root");
    }
    Failure::unreachable(format!("no NovaCron at {directory}")).hint(format!(
        "start one with `novacron server --data-dir {directory}`, or name another with --data-dir \
         or --context"
    ))
}

fn not_trusted(authority: &str, error: &std::io::Error) -> Failure {
    Failure::unreachable(format!("{authority} cannot be trusted: {error}")).hint(
        "if its certificate authority was changed on purpose, add the context again with \
         `novacron context add`",
    )
}
