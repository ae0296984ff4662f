//! Beyond loopback the API is served with TLS, by an authority that clients pin.

use std::process::{Command, Output};

use crate::daemon::{Daemon, host, novacron};

#[test]
fn a_remote_context_trusts_by_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &[]).listen("0.0.0.0:0");
    daemon.up();
    let port = said_after(&daemon, "url=https://").rsplit_once(':').unwrap().1.to_owned();
    let fingerprint = said_after(&daemon, "CA fingerprint (SHA-256): ");
    let (url, home) = (format!("https://127.0.0.1:{port}"), dir.path().join("home"));
    std::fs::create_dir(&home).unwrap();
    let token = daemon.json(&["token", "create", "laptop"])["secret"].as_str().unwrap().to_owned();
    let client = |args: &[&str]| -> Output {
        let mut command = novacron();
        command.env("HOME", &home).env_remove("XDG_CONFIG_HOME").env("NOVACRON_TOKEN", &token);
        command.args(args).output().unwrap()
    };

    let wrong = fingerprint.replace(|c: char| c.is_ascii_digit(), "F");
    let refused = client(&["context", "add", "lab", &url, "--fingerprint", &wrong]);
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not who it should be"));
    assert_eq!(client(&["--context", "lab", "list"]).status.code(), Some(2), "nothing was kept");

    let added = client(&["context", "add", "lab", &url, "--fingerprint", &fingerprint]);
    assert!(added.status.success(), "{added:?}");
    let listed = client(&["--context", "lab", "-o", "json", "project", "list"]);
    assert!(listed.status.success(), "{listed:?}");
    assert!(String::from_utf8_lossy(&listed.stdout).contains("\"default\""));

    let authority = dir.path().join("ca.pem");
    std::fs::write(&authority, host("curl", &["-sk", &format!("{url}/ca.pem")])).unwrap();
    let pinned = ["-sf", "--cacert", authority.to_str().unwrap(), &format!("{url}/healthz")];
    host("curl", &pinned);
    let stranger = Command::new("curl").args(["-s", &format!("{url}/healthz")]).output().unwrap();
    assert!(!stranger.status.success(), "the system does not know this authority");
    let plain = format!("http://127.0.0.1:{port}/healthz");
    let plain = Command::new("curl").args(["-sf", &plain]).output().unwrap();
    assert!(!plain.status.success() && plain.stdout.is_empty(), "plain HTTP is not served");

    daemon.run(&["token", "revoke", "laptop"]);
    assert_eq!(client(&["--context", "lab", "list"]).status.code(), Some(5));

    // The authority stays over restarts, so the pin holds.
    daemon.stop();
    let mut daemon = daemon.listen(&format!("0.0.0.0:{port}"));
    daemon.up();
    assert_eq!(client(&["--context", "lab", "list"]).status.code(), Some(5), "still the same CA");
}

#[test]
fn a_certificate_of_the_users_own_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(path("cert.pem"), own.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), own.signing_key.serialize_pem()).unwrap();
    let settings = |cert: &str| format!("[tls]\ncert = {cert:?}\nkey = {:?}\n", path("key.pem"));
    std::fs::write(path("good.toml"), settings(&path("cert.pem"))).unwrap();
    std::fs::write(path("bad.toml"), settings(&path("absent.pem"))).unwrap();

    let args = ["--config", &path("good.toml")];
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &args).listen("0.0.0.0:0");
    daemon.up();
    let port = said_after(&daemon, "url=https://").rsplit_once(':').unwrap().1.to_owned();
    let url = format!("https://localhost:{port}/healthz");
    assert_eq!(host("curl", &["-sf", "--cacert", &path("cert.pem"), &url]), "ok\n");

    let server = ["server", "--listen", "0.0.0.0:0", "--config", &path("bad.toml")];
    let refused = novacron().args(server).args(["--data-dir", &path("other")]).output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("absent.pem"), "{said}");
}

/// The rest of the word, or of the line, that follows in the daemon's output.
fn said_after(daemon: &Daemon, mark: &str) -> String {
    let log = daemon.log();
    let rest = &log[log.find(mark).unwrap_or_else(|| panic!("no {mark} in {log}")) + mark.len()..];
    rest.split_whitespace().next().unwrap().to_owned()
}
