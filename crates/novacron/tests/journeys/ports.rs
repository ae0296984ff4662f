//! Ports of the host that lead into a guest.

use std::net::TcpListener;
use std::time::Duration;

use crate::daemon::{Daemon, PATIENCE, eventually, free_port, pid_of, state_of};

#[test]
fn a_forwarded_port_reaches_the_guests_server() {
    let daemon = Daemon::start();
    daemon.import_micro();
    let port = free_port();
    let forward = format!("{port}:80");
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB", "--port", &forward]);
    let url = format!("http://127.0.0.1:{port}/");
    eventually("a page from the guest", || page(&url).contains("micro guest"));
    // It leads elsewhere while the guest runs.
    let (other, pid) = (free_port(), pid_of(&daemon.vm("web")));
    daemon.run(&["set", "web", "--port", &format!("{other}:80")]);
    let url = format!("http://127.0.0.1:{other}/");
    eventually("a page behind the other port", || page(&url).contains("micro guest"));
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok(), "the first port is free again");
    assert_eq!(pid_of(&daemon.vm("web")), pid, "the same guest");
    daemon.run(&["delete", "web", "--yes", "--force"]);
    assert!(TcpListener::bind(("127.0.0.1", other)).is_ok(), "the port is free again");
}

#[test]
fn a_port_that_another_program_uses_is_named() {
    let daemon = Daemon::start();
    daemon.import_micro();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let forward = format!("{port}:80");
    let launch = ["launch", "micro", "web", "--memory", "256MiB", "--port", &forward];
    let said = daemon.refused(4, &launch);
    let why = format!("port {port} on 127.0.0.1 is in use");
    assert!(said.contains(&why), "{said}");
    assert!(said.contains("hint: end what uses it, or forward another port"), "{said}");
    let vm = daemon.vm("web");
    assert!(vm["status"]["runtime"]["reason"].as_str().unwrap().contains(&why), "{vm:#}");

    // The other program ends: the policy, or the user, tries again.
    drop(taken);
    daemon.succeeds(PATIENCE, &["start", "web"]);
    assert_eq!(state_of(&daemon.vm("web")), "running");
}

fn page(url: &str) -> String {
    let patience = Duration::from_secs(5).as_secs().to_string();
    let output = std::process::Command::new("curl")
        .args(["-s", "--max-time", &patience, url])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
