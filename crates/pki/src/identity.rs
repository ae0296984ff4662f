//! Who a member is to the others: a key of its own, and a certificate that the CA renews while the
//! member runs.

use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use novacron_model::{Error, Result};
use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};
use sha2::{Digest, Sha256};

use crate::broken;
use crate::files::{self, Access};

const SUFFIX: &str = ".novacron.internal";
/// The name that every member's certificate carries beside its own, for those who do not know yet
/// whom they will meet.
pub const ANY_MEMBER: &str = "member.novacron.internal";

/// The name of a member in its certificate.
pub fn member_name(number: u64) -> String {
    format!("m{number}{SUFFIX}")
}

/// The number of the member whose certificate this is. The certificate must have been verified.
pub fn member_of(certificate: &CertificateDer<'_>) -> Option<u64> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    let number = |name: &str| name.strip_suffix(SUFFIX)?.strip_prefix('m')?.parse().ok();
    certificate.valid_dns_names().find_map(number)
}

/// A member's own key. It never leaves the machine.
pub struct MemberKey(KeyPair);

impl MemberKey {
    /// The key in a file; made at the first call.
    pub fn load_or_make(path: &Path) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::internal(format!("the member's key {}: {error}", path.display()))
        };
        if path.exists() {
            let pem = fs::read_to_string(path).map_err(|error| failed(&error))?;
            return Ok(Self(KeyPair::from_pem(&pem).map_err(|error| failed(&error))?));
        }
        let key = KeyPair::generate().map_err(broken)?;
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(|error| failed(&error))?;
        }
        files::write(path, &key.serialize_pem(), Access::Private)
            .map_err(|error| failed(&error))?;
        Ok(Self(key))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key_raw().to_vec())
    }
}

/// The public half of a member's key: a point on P-256, uncompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Takes what a node sent.
    pub fn new(point: &[u8]) -> Result<Self> {
        if point.len() != 65 || point.first() != Some(&4) {
            return Err(Error::invalid("key", "the public key is no uncompressed point on P-256"));
        }
        Ok(Self(point.to_vec()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Hex SHA-256.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(&self.0);
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }
}

impl PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// What a member shows on both ends of a connection. The certificate can be replaced while
/// connections come and go.
pub struct Identity {
    ca: CertificateDer<'static>,
    shown: Arc<Shown>,
}

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl Identity {
    pub fn new(
        ca: CertificateDer<'static>,
        key: &MemberKey,
        certificate: CertificateDer<'static>,
    ) -> Result<Self> {
        let shown = certified(&ca, key, certificate)?;
        Ok(Self { ca, shown: Arc::new(Shown(RwLock::new(shown))) })
    }

    /// Shows another certificate from now on.
    pub fn renew(&self, key: &MemberKey, certificate: CertificateDer<'static>) -> Result<()> {
        let shown = certified(&self.ca, key, certificate)?;
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = shown;
        Ok(())
    }

    /// For those who call: a member shows a certificate of the CA; who shows none may only ask to
    /// join, which is up to the service behind.
    pub fn server(&self) -> Result<ServerConfig> {
        let verifier = WebPkiClientVerifier::builder_with_provider(
            Arc::new(self.roots()?),
            Arc::new(aws_lc_rs::default_provider()),
        );
        let verifier = verifier.allow_unauthenticated().build().map_err(broken)?;
        let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(broken)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.shown.clone());
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    /// For calls to other members.
    pub fn client(&self) -> Result<ClientConfig> {
        let mut config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(broken)?
            .with_root_certificates(self.roots()?)
            .with_client_cert_resolver(self.shown.clone());
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.clone()).map_err(broken)?;
        Ok(roots)
    }
}

/// The chain ends in the CA itself, so that a node that knows only its fingerprint finds it there.
fn certified(
    ca: &CertificateDer<'static>,
    key: &MemberKey,
    certificate: CertificateDer<'static>,
) -> Result<Arc<CertifiedKey>> {
    let private = PrivateKeyDer::try_from(key.0.serialize_der()).map_err(broken)?;
    let signing = aws_lc_rs::sign::any_supported_type(&private).map_err(broken)?;
    let certified = CertifiedKey::new(vec![certificate, ca.clone()], signing);
    certified.keys_match().map_err(broken)?;
    Ok(Arc::new(certified))
}

impl Shown {
    fn now(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::ServerName;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;
    use crate::{Authority, Purpose, pinned};

    fn authority() -> (tempfile::TempDir, Authority) {
        let directory = tempfile::tempdir().unwrap();
        let made = Authority::load_or_make(directory.path()).unwrap();
        (directory, made)
    }

    fn identity(ca: &Authority, number: u64) -> Identity {
        let directory = tempfile::tempdir().unwrap();
        let key = MemberKey::load_or_make(&directory.path().join("member.key")).unwrap();
        let names = vec![member_name(number), ANY_MEMBER.to_owned()];
        let lasts = Duration::from_hours(1);
        let signed = ca.issue(&key.public(), names, Purpose::Member, lasts).unwrap();
        Identity::new(ca.certificate().clone(), &key, signed).unwrap()
    }

    /// Who the server takes the client for, once both have spoken; or why they do not speak.
    async fn meet(
        server: ServerConfig,
        client: ClientConfig,
        name: &str,
    ) -> std::io::Result<Option<u64>> {
        let (near, far) = tokio::io::duplex(1 << 16);
        let answering = tokio::spawn(async move {
            let mut stream = TlsAcceptor::from(Arc::new(server)).accept(far).await?;
            stream.write_all(b"!").await?;
            stream.flush().await?;
            let chain = stream.get_ref().1.peer_certificates();
            let number = chain.and_then(|chain| member_of(chain.first()?));
            Ok::<_, std::io::Error>(number)
        });
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut stream = TlsConnector::from(Arc::new(client)).connect(name, near).await?;
        stream.read_exact(&mut [0]).await?;
        answering.await?
    }

    #[tokio::test]
    async fn members_of_one_cluster_know_each_other() {
        let (_directory, ca) = authority();
        let (one, two) = (identity(&ca, 1), identity(&ca, 2));
        let met = meet(one.server().unwrap(), two.client().unwrap(), &member_name(1)).await;
        assert_eq!(met.unwrap(), Some(2));
    }

    #[tokio::test]
    async fn nobody_passes_for_another_member_or_comes_from_another_cluster() {
        let ((_one, ca), (_other, elsewhere)) = (authority(), authority());
        let (one, two, stranger) = (identity(&ca, 1), identity(&ca, 2), identity(&elsewhere, 2));
        let wrong = meet(one.server().unwrap(), two.client().unwrap(), &member_name(3)).await;
        assert!(wrong.is_err(), "member 1 answers as member 3");
        let strange =
            meet(one.server().unwrap(), stranger.client().unwrap(), &member_name(1)).await;
        assert!(strange.is_err(), "a server of another CA is believed");
        let strange =
            meet(stranger.server().unwrap(), two.client().unwrap(), &member_name(2)).await;
        assert!(strange.is_err(), "a client of another CA is believed");
    }

    #[tokio::test]
    async fn who_knows_the_fingerprint_alone_meets_that_cluster_alone() {
        let ((_one, ca), (_other, elsewhere)) = (authority(), authority());
        let one = identity(&ca, 1);
        let right = pinned(&ca.fingerprint()).unwrap();
        assert_eq!(meet(one.server().unwrap(), right, ANY_MEMBER).await.unwrap(), None);
        let wrong = pinned(&elsewhere.fingerprint()).unwrap();
        assert!(meet(one.server().unwrap(), wrong, ANY_MEMBER).await.is_err());
    }

    #[tokio::test]
    async fn a_renewed_certificate_is_shown_at_once_and_one_for_another_key_never() {
        let (_directory, ca) = authority();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("member.key");
        let key = MemberKey::load_or_make(&path).unwrap();
        let issue = |number, key: &MemberKey| {
            let names = vec![member_name(number), ANY_MEMBER.to_owned()];
            ca.issue(&key.public(), names, Purpose::Member, Duration::from_hours(1)).unwrap()
        };
        let seen = Identity::new(ca.certificate().clone(), &key, issue(1, &key)).unwrap();
        seen.renew(&MemberKey::load_or_make(&path).unwrap(), issue(9, &key)).unwrap();
        let two = identity(&ca, 2);
        let met = meet(seen.server().unwrap(), two.client().unwrap(), &member_name(9)).await;
        assert_eq!(met.unwrap(), Some(2));
        let other = MemberKey::load_or_make(&directory.path().join("other.key")).unwrap();
        assert!(seen.renew(&key, issue(1, &other)).is_err());
    }

    #[test]
    fn the_ca_of_a_directory_stays_the_same() {
        let (directory, ca) = authority();
        let again = Authority::load_or_make(directory.path()).unwrap();
        assert_eq!(again.fingerprint(), ca.fingerprint());
        let copy = tempfile::tempdir().unwrap();
        Authority::store(copy.path(), ca.pem(), &ca.key_pem()).unwrap();
        let moved = Authority::load(copy.path()).unwrap().unwrap();
        assert_eq!(moved.fingerprint(), ca.fingerprint());
    }
}
