//! Images over HTTPS, as all of the built-in catalogue are: fetched from whom the node's system
//! trusts, and from nobody else.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::daemon::{Daemon, guest, host, listed};

/// A certificate authority that no system knows.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// What a server at 127.0.0.1 shows.
    fn vouches(&self) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = own.signed_by(&key, &self.0).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap()
    }
}

type Files = BTreeMap<String, Vec<u8>>;

/// Serves the files until the test's process ends.
fn serve(listener: TcpListener, tls: ServerConfig, files: Files) {
    let (tls, files) = (Arc::new(tls), Arc::new(files));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (tls, files) = (tls.clone(), files.clone());
            std::thread::spawn(move || answer(tls, stream, &files));
        }
    });
}

/// A client that hangs up, for want of trust say, is no trouble of ours.
fn answer(tls: Arc<ServerConfig>, stream: TcpStream, files: &Files) {
    let mut stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
    let mut head = [0; 4096];
    let read = stream.read(&mut head).unwrap_or(0);
    let head = String::from_utf8_lossy(&head[..read]);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let Some(file) = files.get(path) else {
        let _sent = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        return;
    };
    let _sent = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", file.len());
    let _sent = stream.write_all(file);
    stream.conn.send_close_notify();
    let _sent = stream.flush();
}

/// A daemon with the catalogue at this URL, which trusts the authorities in the file.
fn daemon(dir: &Path, catalogue: &str, trusted: &Path) -> Daemon {
    let settings = dir.join("novacron.toml");
    fs::write(&settings, format!("[images]\ncatalogue = \"{catalogue}\"\n")).unwrap();
    let args = ["--config", settings.to_str().unwrap()];
    let none = dir.join("none");
    fs::create_dir(&none).unwrap();
    Daemon::stopped(&dir.join("data"), &args)
        .env("SSL_CERT_FILE", trusted.to_str().unwrap())
        .env("SSL_CERT_DIR", none.to_str().unwrap())
}

#[test]
fn an_image_over_https_comes_from_whom_the_system_trusts_and_from_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let url = |path: &str| format!("https://{address}{path}");
    let micro = guest("micro");
    let sums = host("sha256sum", &[micro.to_str().unwrap()]);
    let (image, sums_at) = (url("/micro.tar"), url("/SUMS"));
    let entry =
        format!("name = \"tiny/1\"\nos = \"Tiny\"\nurl = \"{image}\"\nsums = \"{sums_at}\"\n");
    let file = |path: &str, bytes: Vec<u8>| (path.to_owned(), bytes);
    let files = Files::from([
        file("/micro.tar", fs::read(&micro).unwrap()),
        file("/SUMS", format!("{}  micro.tar\n", &sums[..64]).into_bytes()),
        file("/catalogue.toml", format!("format = 1\n[[image]]\n{entry}").into_bytes()),
    ]);
    let (right, other) = (Authority::new("right"), Authority::new("other"));
    serve(listener, right.vouches(), files);
    let trusted = dir.path().join("trusted.pem");
    fs::write(&trusted, other.0.pem()).unwrap();
    let mut daemon = daemon(dir.path(), &url("/catalogue.toml"), &trusted);
    daemon.up();

    // Trust is told apart from a server that does not answer, wherever it is asked.
    let import = ["image", "import", &image, "--name", "micro"];
    for (code, command) in [
        (1, &import[..]),
        (6, &["image", "catalogue"]),
        (1, &["launch", "tiny/1", "early", "--memory", "256MiB"]),
    ] {
        let said = daemon.refused(code, command);
        let wanted = "does not trust the certificate of 127.0.0.1 (UnknownIssuer)";
        assert!(said.contains(wanted) && said.contains("update-ca-certificates"), "{said}");
    }
    fs::write(&trusted, "").unwrap();
    let said = daemon.refused(1, &import);
    assert!(said.contains("apt install ca-certificates"), "{said}");

    // The system is asked anew each time.
    fs::write(&trusted, other.0.pem() + &right.0.pem()).unwrap();
    let elsewhere = image.replace("127.0.0.1", "localhost");
    let said = daemon.refused(1, &["image", "import", &elsewhere, "--name", "micro"]);
    assert!(said.contains("the certificate of localhost") && said.contains("name"), "{said}");
    daemon.run(&import);
    daemon.run(&["delete", "early", "--yes"]);
    daemon.run(&["launch", "tiny/1", "web", "--memory", "256MiB"]);
    assert_eq!(daemon.json(&["image", "show", "tiny-1"])["spec"]["source"]["catalogue"], "tiny/1");
    daemon.serial_says("web", "guest is up", 1);
    daemon.run(&["delete", "web", "--yes", "--force"]);
    daemon.run(&["image", "delete", "micro", "tiny-1", "--yes"]);
    let pool = daemon.data().join("pools/default");
    assert_eq!([listed(&pool.join("images")), listed(&pool.join("incoming"))].concat(), [""; 0]);
}
