//! The CA: made once, kept on voters, signs for a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use novacron_model::{Error, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use crate::broken;
use crate::files::{self, Access};

/// Clocks of a cluster may differ by this much: a new certificate is valid from so long ago.
const SKEW: Duration = Duration::from_hours(24);

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To serve browsers and the CLI.
    Server,
    /// To serve other members, and to call them.
    Member,
}

/// The cluster's own CA.
pub struct Authority {
    pem: String,
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    /// The CA in a directory: `ca.pem` and `ca.key`; made at the first call.
    pub fn load_or_make(directory: &Path) -> Result<Self> {
        if let Some(there) = Self::load(directory)? {
            return Ok(there);
        }
        let key = KeyPair::generate().map_err(broken)?;
        let pem = ca_params().self_signed(&key).map_err(broken)?.pem();
        Self::store(directory, &pem, &key.serialize_pem())?;
        Self::new(pem, key)
    }

    /// The CA in a directory, if there is one.
    pub fn load(directory: &Path) -> Result<Option<Self>> {
        let (pem, key) = paths(directory);
        if !pem.exists() || !key.exists() {
            return Ok(None);
        }
        let failed = |error: &dyn std::fmt::Display| {
            Error::internal(format!("the cluster's CA in {}: {error}", directory.display()))
        };
        let pem = fs::read_to_string(&pem).map_err(|error| failed(&error))?;
        let key = fs::read_to_string(&key).map_err(|error| failed(&error))?;
        Self::new(pem, KeyPair::from_pem(&key).map_err(|error| failed(&error))?).map(Some)
    }

    /// Puts a CA that another member has made into a directory; the key comes first, so that a
    /// certificate never stands there without it.
    pub fn store(directory: &Path, pem: &str, key_pem: &str) -> Result<()> {
        let (pem_path, key_path) = paths(directory);
        fs::create_dir_all(directory)
            .and_then(|()| files::write(&key_path, key_pem, Access::Private))
            .and_then(|()| files::write(&pem_path, pem, Access::Public))
            .map_err(|error| {
                Error::internal(format!("the cluster's CA in {}: {error}", directory.display()))
            })
    }

    fn new(pem: String, key: KeyPair) -> Result<Self> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(broken)?;
        Ok(Self { pem, certificate, key })
    }

    pub fn pem(&self) -> &str {
        &self.pem
    }

    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The secret half, for another voter.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// SHA-256 of the certificate: `AB:CD:…`.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.certificate)
    }

    /// Signs a certificate for the holder of a key, valid from now for this long.
    pub fn issue(
        &self,
        holder: &impl PublicKeyData,
        names: Vec<String>,
        purpose: Purpose,
        lasts: Duration,
    ) -> Result<CertificateDer<'static>> {
        let mut params = CertificateParams::new(names).map_err(broken)?;
        params.distinguished_name.push(DnType::CommonName, "NovaCron");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if purpose == Purpose::Member {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        }
        params.use_authority_key_identifier_extension = true;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(broken)?;
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + now.saturating_sub(SKEW);
        params.not_after = epoch + now + lasts;
        let issuer = Issuer::new(ca_params(), &self.key);
        let signed = params.signed_by(holder, &issuer).map_err(broken)?;
        Ok(signed.der().clone())
    }
}

fn paths(directory: &Path) -> (PathBuf, PathBuf) {
    (directory.join("ca.pem"), directory.join("ca.key"))
}

/// The same each time, so that the issuer's name stands for the stored certificate.
fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "NovaCron cluster CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// SHA-256 of a certificate: `AB:CD:…`.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate);
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}
