//! TLS for every address that is not loopback: with a given certificate, or one that the cluster's
//! own CA signs. The CA lives in `<data>/tls`; server certificates are made anew at each start.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use novacron_model::{Error, Result};
use novacron_pki::{Authority as Ca, Purpose};
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::names;
use crate::config::{ApiConfig, TlsFiles};

/// Clients refuse server certificates that live longer than 825 days.
const LASTS: Duration = Duration::from_hours(800 * 24);

/// The own CA, as clients see it.
#[derive(Debug, Clone)]
pub struct Authority {
    pub ca_pem: String,
    /// SHA-256 of the certificate: `AB:CD:…`.
    pub fingerprint: String,
}

/// What the listeners need.
#[derive(Clone, Default)]
pub(super) struct Tls {
    pub acceptor: Option<TlsAcceptor>,
    pub authority: Option<Authority>,
}

/// Nothing when every address is loopback.
pub(super) fn setup(config: &ApiConfig, addresses: &[SocketAddr]) -> Result<Tls> {
    if addresses.iter().all(|address| address.ip().is_loopback()) {
        return Ok(Tls::default());
    }
    if let Some(files) = &config.tls {
        let (chain, key) = given(files)?;
        return Ok(Tls { acceptor: Some(acceptor(chain, key)?), authority: None });
    }
    let ca = Ca::load_or_make(&config.data_dir.join("tls"))?;
    let (chain, key) = issue(&ca, names::for_certificate(config, addresses))?;
    let authority = Authority { fingerprint: ca.fingerprint(), ca_pem: ca.pem().to_owned() };
    Ok(Tls { acceptor: Some(acceptor(chain, key)?), authority: Some(authority) })
}

type Chain = Vec<CertificateDer<'static>>;

fn given(files: &TlsFiles) -> Result<(Chain, PrivateKeyDer<'static>)> {
    let unreadable = |path: &Path, error: &dyn std::fmt::Display| {
        Error::invalid("tls", format!("{}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<std::result::Result<Chain, _>>)
        .map_err(|error| unreadable(&files.cert, &error))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unreadable(&files.key, &error))?;
    Ok((chain, key))
}

fn acceptor(chain: Chain, key: PrivateKeyDer<'static>) -> Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(&error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| {
            Error::invalid("tls", format!("the certificate cannot be used: {error}"))
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn issue(ca: &Ca, names: Vec<String>) -> Result<(Chain, PrivateKeyDer<'static>)> {
    let key = KeyPair::generate().map_err(|error| broken(&error))?;
    let signed = ca.issue(&key, names, Purpose::Server, LASTS)?;
    let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(Error::internal)?;
    Ok((vec![signed], private))
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    Error::internal(format!("TLS: {error}"))
}
