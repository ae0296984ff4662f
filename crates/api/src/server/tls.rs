//! TLS for every address that is not loopback: with a given certificate, or one that the cluster's
//! own CA signs. The CA lives in `<data>/tls`; server certificates are made anew at each start.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use novacron_model::{Error, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use super::names;
use crate::config::{ApiConfig, TlsFiles};
use crate::edge;

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
    let (ca_pem, ca_key) = load_or_make_ca(&config.data_dir.join("tls"))?;
    let (chain, key) = issue(&ca_key, names::for_certificate(config, addresses))?;
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(|error| broken(&error))?;
    let authority = Authority { fingerprint: fingerprint(&ca), ca_pem };
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

fn load_or_make_ca(directory: &Path) -> Result<(String, KeyPair)> {
    let (cert, key) = (directory.join("ca.pem"), directory.join("ca.key"));
    let failed = |error: &dyn std::fmt::Display| {
        Error::internal(format!("the cluster's CA in {}: {error}", directory.display()))
    };
    if cert.exists() && key.exists() {
        let cert = fs::read_to_string(&cert).map_err(|error| failed(&error))?;
        let key = fs::read_to_string(&key).map_err(|error| failed(&error))?;
        return Ok((cert, KeyPair::from_pem(&key).map_err(|error| failed(&error))?));
    }
    let pair = KeyPair::generate().map_err(|error| failed(&error))?;
    let made = ca_params().self_signed(&pair).map_err(|error| failed(&error))?.pem();
    fs::create_dir_all(directory).map_err(|error| failed(&error))?;
    write(&key, &pair.serialize_pem(), 0o600).map_err(|error| failed(&error))?;
    write(&cert, &made, 0o644).map_err(|error| failed(&error))?;
    Ok((made, pair))
}

/// The same each time, so that the issuer's name stands for the stored certificate.
fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "NovaCron cluster CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn issue(ca_key: &KeyPair, names: Vec<String>) -> Result<(Chain, PrivateKeyDer<'static>)> {
    let key = KeyPair::generate().map_err(|error| broken(&error))?;
    let mut params = CertificateParams::new(names).map_err(|error| broken(&error))?;
    params.distinguished_name.push(DnType::CommonName, "NovaCron");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    // Clients refuse server certificates that live longer than 825 days.
    let year = edge::now().to_string().get(..4).and_then(|year| year.parse::<i32>().ok());
    let year = year.unwrap_or(2026);
    params.not_before = date_time_ymd(year - 1, 12, 1);
    params.not_after = date_time_ymd(year + 1, 12, 31);
    let issuer = Issuer::new(ca_params(), ca_key);
    let cert = params.signed_by(&key, &issuer).map_err(|error| broken(&error))?;
    let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(Error::internal)?;
    Ok((vec![cert.der().clone()], private))
}

fn fingerprint(cert: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(cert);
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// Written beside and renamed, so that a crash leaves no half of a key.
fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(part, path)
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    Error::internal(format!("TLS: {error}"))
}
