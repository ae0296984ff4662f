//! Clusters that are not on this machine: first trust, tokens, TLS.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::program::{Did, feed, program};
use crate::server::{Reply, Shared, ok, page, problem};

struct Remote {
    shared: Shared,
    url: String,
    fingerprint: String,
}

/// A server with a certificate authority of its own, which knows one token.
async fn remote() -> Remote {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = own.signed_by(&key, &issuer).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let fingerprint = novacron_cli::fingerprint(issuer.der());
    let pem = issuer.pem();
    let shared = Shared::new(move |seen| {
        let token = seen.headers.get("authorization").map(|value| value.to_str().unwrap());
        match (seen.path.as_str(), token) {
            ("/ca.pem", None) => Reply::Bytes(pem.clone().into_bytes()),
            ("/ca.pem", Some(_)) => panic!("the token was sent before the server was trusted"),
            (_, Some("Bearer s3cret")) if seen.path == "/v1/system" => ok(json!({"node": "n1"})),
            (_, Some("Bearer s3cret")) => page(&json!([{"meta": {"name": seen.path}}])),
            _ => problem(401, "unauthenticated", "sign in or send a valid token"),
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let (serving, acceptor) = (shared.clone(), TlsAcceptor::from(Arc::new(config)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (serving, acceptor) = (serving.clone(), acceptor.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serving.serve(stream).await;
                }
            });
        }
    });
    Remote { shared, url, fingerprint }
}

async fn run(home: &Path, line: &str) -> Did {
    let mut command = program(home);
    command.args(line.split_whitespace()).stdin(Stdio::null());
    command.output().await.unwrap().into()
}

async fn add(home: &Path, line: &str, token: &str) -> Did {
    let mut command = program(home);
    command.args(["context", "add"]).args(line.split_whitespace()).arg("--token-stdin");
    feed(command, token.as_bytes()).await
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn a_context_is_added_by_its_fingerprint_and_used_with_its_token() {
    let (home, remote) = (home(), remote().await);
    let plain = remote.fingerprint.replace(':', "").to_lowercase();
    let line = format!("prod {} --fingerprint {plain} --project team", remote.url);
    let did = add(home.path(), &line, "s3cret\n").await;
    assert_eq!((did.code, did.out.as_str()), (0, "context \"prod\" added\n"), "{did:?}");
    let file = home.path().join(".config/novacron/contexts.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let did = run(home.path(), "--context prod list -o json").await;
    assert!(did.out.contains("/v1/projects/team/vms"), "{did:?}");
    assert_eq!(run(home.path(), "context use prod").await.code, 0);
    let did = run(home.path(), "list -o json --project other").await;
    assert!(did.out.contains("/v1/projects/other/vms"), "{did:?}");

    let did = run(home.path(), "context list -o json").await;
    let shown: Value = serde_json::from_str(&did.out).unwrap();
    assert_eq!(shown[1]["name"], "prod");
    assert_eq!(shown[1]["current"], true);
    assert!(!did.out.contains("s3cret"));
    assert_eq!(run(home.path(), "context remove prod").await.code, 0);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("s3cret"));
    assert_eq!(run(home.path(), "--context prod list").await.code, 2);
}

#[tokio::test]
async fn a_wrong_fingerprint_is_refused_before_the_token_is_sent() {
    let (home, remote) = (home(), remote().await);
    let line = format!("prod {} --fingerprint AA:BB", remote.url);
    let did = add(home.path(), &line, "s3cret\n").await;
    assert_eq!(did.code, 5, "{did:?}");
    assert!(did.err.contains(&remote.fingerprint), "{}", did.err);
    assert_eq!(remote.shared.lines(), ["GET /ca.pem"]);
    assert!(!home.path().join(".config").exists());
}

#[tokio::test]
async fn without_a_terminal_the_fingerprint_must_be_given() {
    let (home, remote) = (home(), remote().await);
    let did = add(home.path(), &format!("prod {}", remote.url), "s3cret\n").await;
    assert_eq!(did.code, 2, "{did:?}");
    assert!(did.err.contains(&remote.fingerprint) && did.err.contains("--fingerprint"));
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_a_missing_one_remarked_on() {
    let (home, remote) = (home(), remote().await);
    let line = format!("prod {} --fingerprint {}", remote.url, remote.fingerprint);
    assert_eq!(add(home.path(), &line, "guess\n").await.code, 5);
    let did = run(home.path(), &format!("context add {line}")).await;
    assert!(did.code == 0 && did.out.contains("without a token"), "{did:?}");
    assert_eq!(run(home.path(), "--context prod list").await.code, 5);
}

#[tokio::test]
async fn another_authority_is_not_trusted() {
    let (home, first, second) = (home(), remote().await, remote().await);
    let line = format!("prod {} --fingerprint {}", first.url, first.fingerprint);
    assert_eq!(add(home.path(), &line, "s3cret\n").await.code, 0);
    let file = home.path().join(".config/novacron/contexts.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace(&first.url, &second.url);
    std::fs::write(&file, text).unwrap();
    let did = run(home.path(), "--context prod list").await;
    assert_eq!(did.code, 6, "{did:?}");
    assert!(did.err.contains("cannot be trusted"), "{}", did.err);
    assert!(second.shared.lines().is_empty());
}

#[tokio::test]
async fn a_token_never_leaves_in_the_clear() {
    let home = home();
    let did = add(home.path(), "prod http://192.0.2.1:7600", "s3cret\n").await;
    assert_eq!(did.code, 2, "{did:?}");
    assert!(did.err.contains("in the clear"), "{}", did.err);
}
