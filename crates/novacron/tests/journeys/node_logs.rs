//! What a node's daemon has logged is read where the node is, without a way to its machine.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::daemon::Daemon;

#[test]
fn a_nodes_log_is_what_its_daemon_writes_from_its_start_on() {
    let dir = tempfile::tempdir().unwrap();
    let settings = dir.path().join("novacron.toml");
    std::fs::write(&settings, "name = \"n1\"\n[log]\nlevel = \"debug\"\n").unwrap();
    let args = ["--config", settings.to_str().unwrap()];
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &args);
    daemon.up();
    let secret = daemon.json(&["token", "create", "ci"])["secret"].as_str().unwrap().to_owned();
    let log = daemon.run(&["node", "logs", "n1", "--tail", "4MiB"]);
    for words in [" INFO the agent has started\n", " INFO ready url=", "path=\"/v1/tokens\""] {
        assert!(log.contains(words), "no {words:?} in {log}");
    }
    assert!(!log.contains(&secret), "the secret is in the log");
    let said = daemon.refused(3, &["node", "logs", "n2"]);
    assert!(said.contains("node \"n2\""), "{said}");
    let end = daemon.run(&["node", "logs", "n1", "--tail", "200"]);
    assert!(!end.is_empty() && end.len() <= 200, "{end}");

    let mut follower = daemon.command();
    follower.args(["node", "logs", "n1", "--follow", "--tail", "0"]);
    let mut follower = follower.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    daemon.run(&["project", "create", "beside"]);
    // Other requests of the command line come before it.
    let seen = lines.find(|line| line.as_ref().unwrap().contains("method=\"POST\""));
    assert!(seen.is_some_and(|line| line.unwrap().contains("path=\"/v1/projects\"")));
    daemon.stop();
    // The stream ends with the daemon, and so does who follows.
    lines.for_each(|line| drop(line.unwrap()));
    follower.wait().unwrap();

    daemon.up();
    let log = daemon.run(&["node", "logs", "n1", "--tail", "4MiB"]);
    assert_eq!(log.matches("the agent has started").count(), 1, "since its start: {log}");
}

#[test]
fn simulated_nodes_do_not_show_each_others_lines() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &["--sim", "3"]);
    daemon.up();
    for node in ["n1", "n2", "n3"] {
        let log = daemon.run(&["node", "logs", node]);
        assert_eq!(log.matches("the agent has started").count(), 1, "{node}: {log}");
        assert!(log.contains("INFO ready url="), "the server's line is of no single node: {log}");
    }
}
