//! Several daemons form a cluster on one machine, go, come back, and answer for each other.

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::Daemon;

/// A port that nobody listens on at the moment.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn server(data: &Path, name: &str, more: &[&str]) -> Daemon {
    let address = free_address();
    let args = ["--name", name, "--cluster-listen", &address];
    Daemon::stopped(&data.join(name), &[&args, more].concat())
}

/// A token that `daemon`'s cluster gives out.
fn token(daemon: &Daemon, more: &[&str]) -> String {
    let args = ["cluster", "token", "create", "--loopback"];
    daemon.run(&[&args, more].concat()).trim().to_owned()
}

/// Nodes a, b and c, all of which vote.
fn three() -> (TempDir, [Daemon; 3]) {
    let dir = tempfile::tempdir().unwrap();
    let mut a = server(dir.path(), "a", &[]);
    a.up();
    let join = |name: &str| {
        let token = token(&a, &[]);
        let mut joined = server(dir.path(), name, &["--join", &token]);
        joined.up();
        joined
    };
    let (b, c) = (join("b"), join("c"));
    a.until(&["cluster", "status"], "three voters", |status| status["voters"] == 3);
    (dir, [a, b, c])
}

fn names(list: &Value, key: &str) -> Vec<String> {
    let of = |item: &Value| item[key].as_str().unwrap_or_default().to_owned();
    list.as_array().unwrap().iter().map(of).collect()
}

#[test]
fn three_nodes_form_a_cluster_that_outlives_one_of_them() {
    let (_dir, [mut a, b, c]) = three();
    b.run(&["project", "create", "team"]);
    for node in [&a, &b, &c] {
        let listed = node.json(&["project", "list"]);
        assert!(listed.to_string().contains("team"), "{listed}");
        let status = node.json(&["cluster", "status"]);
        assert_eq!(names(&status["members"], "name"), ["a", "b", "c"]);
    }
    a.kill();
    let status = b.until(&["cluster", "status"], "a new leader", |status| {
        status["leader"].as_str().is_some_and(|leader| leader != "a")
            && status["members"][0]["reachable"] == false
    });
    let summary = status["summary"].as_str().unwrap();
    assert!(summary.contains("\"a\""), "{summary}");
    c.run(&["project", "create", "later"]);
    a.up();
    let listed = a.json(&["project", "list"]);
    assert!(listed.to_string().contains("later"), "what happened meanwhile: {listed}");
    a.until(&["cluster", "status"], "all there again", |status| {
        status["members"].as_array().unwrap().iter().all(|member| member["reachable"] == true)
    });
}

#[test]
fn only_an_empty_node_with_a_fresh_token_and_name_joins() {
    let dir = tempfile::tempdir().unwrap();
    let mut a = server(dir.path(), "a", &[]);
    a.up();
    let used = token(&a, &[]);
    let mut b = server(dir.path(), "b", &["--join", &used]);
    b.up();

    let refused = |name: &str, folder: &str, token: &str| {
        let address = free_address();
        let args = ["--name", name, "--cluster-listen", &address, "--join", token];
        let mut daemon = Daemon::stopped(&dir.path().join(folder), &args);
        daemon.spawn();
        daemon.ended()
    };
    assert!(refused("c", "c", &used).contains("used up"), "a token is for one node");
    let fresh = token(&a, &[]);
    assert!(refused("b", "d", &fresh).contains("is already a member"), "names are their own");
    let mistyped = format!("{}x", &fresh[..fresh.len() - 1]);
    assert!(refused("c", "e", &mistyped).contains("token"), "a slip is told as such");

    let mut full = server(dir.path(), "f", &[]);
    full.up();
    full.run(&["volume", "create", "data", "--size", "1GiB"]);
    full.stop();
    let said = refused("f", "f", &fresh);
    assert!(said.contains("node \"f\" holds 1 volume"), "{said}");
    full.up();
    assert!(full.json(&["volume", "list"]).to_string().contains("\"data\""), "nothing is lost");
}

#[test]
fn a_node_that_was_removed_stops_and_its_number_is_not_given_again() {
    let (dir, [a, _b, mut c]) = three();
    a.run(&["cluster", "remove", "c", "--yes"]);
    assert!(c.ended().contains("was removed"), "{}", c.log());
    a.until(&["cluster", "status"], "two members", |status| {
        names(&status["members"], "name") == ["a", "b"]
    });
    let token = token(&a, &[]);
    let mut d = server(dir.path(), "d", &["--join", &token]);
    d.up();
    let status = a.until(&["cluster", "status"], "three voters", |status| status["voters"] == 3);
    let numbers: Vec<u64> = status["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 4]);
}

#[test]
fn the_founder_may_be_removed_and_its_successor_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut a = server(dir.path(), "a", &[]);
    a.up();
    let token = token(&a, &[]);
    let mut b = server(dir.path(), "b", &["--join", &token]);
    b.up();
    b.run(&["cluster", "remove", "a", "--yes"]);
    assert!(a.ended().contains("was removed"), "{}", a.log());
    let alone = b.until(&["cluster", "status"], "b alone", |status| status["leader"] == "b");
    assert_eq!(names(&alone["members"], "name"), ["b"]);
    b.run(&["project", "create", "later"]);
    b.stop();
    b.up();
    b.run(&["project", "create", "later-still"]);
}

#[test]
fn a_backup_of_any_member_begins_a_cluster_of_one() {
    let (dir, [_a, b, _c]) = three();
    b.run(&["project", "create", "kept"]);
    let file = dir.path().join("state.backup");
    b.run(&["state", "backup", file.to_str().unwrap()]);
    let data = dir.path().join("b2");
    let restored = crate::daemon::novacron()
        .args(["state", "restore", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(restored.status.success(), "{restored:?}");
    let mut alone = Daemon::stopped(&data, &["--name", "b", "--cluster-listen", &free_address()]);
    alone.up();
    assert!(alone.json(&["project", "list"]).to_string().contains("kept"));
    let status = alone.json(&["cluster", "status"]);
    assert_eq!(names(&status["members"], "name"), ["b"], "the others are not its own");
    let token = token(&alone, &[]);
    let mut d = server(dir.path(), "d", &["--join", &token]);
    d.up();
    let status = alone.json(&["cluster", "status"]);
    assert!(status["members"][1]["number"].as_u64().unwrap() > 1000, "numbers are not reused");
    assert_eq!(b.json(&["cluster", "status"])["voters"], 3, "the old cluster goes on");
}

#[test]
fn who_is_left_without_a_majority_says_so() {
    let (_dir, [mut a, mut b, c]) = three();
    a.kill();
    b.kill();
    let status = c.until(&["cluster", "status"], "the loss", |status| {
        status["members"].as_array().unwrap().iter().filter(|it| it["reachable"] == true).count()
            == 1
    });
    let summary = status["summary"].as_str().unwrap();
    assert!(summary.starts_with("only 1 of 3 voters can be reached"), "{summary}");
    assert_eq!(status["leader"], Value::Null);
    let said = c.refused(6, &["project", "create", "late"]);
    assert!(said.contains("no node leads") || said.contains("not known"), "{said}");
    a.up();
    c.run(&["project", "create", "later"]);
}

#[test]
fn a_node_that_is_killed_while_it_joins_joins_as_one_member() {
    let dir = tempfile::tempdir().unwrap();
    let mut a = server(dir.path(), "a", &[]);
    a.up();
    let token = token(&a, &[]);
    let mut b = server(dir.path(), "b", &["--join", &token]);
    // The first start takes some tens of milliseconds until it serves; each later one goes on.
    for millis in (0..60).step_by(3) {
        b.spawn();
        std::thread::sleep(std::time::Duration::from_millis(millis));
        b.kill();
    }
    b.up();
    let status = a.until(&["cluster", "status"], "both there", |status| {
        let members = status["members"].as_array().unwrap();
        members.len() == 2 && members.iter().all(|member| member["reachable"] == true)
    });
    assert_eq!(status["members"][1]["number"], 2, "one member, one number: {status}");
    b.run(&["project", "create", "together"]);
    assert!(a.json(&["project", "list"]).to_string().contains("together"));
}

#[test]
fn a_guest_is_reached_through_any_node() {
    let (_dir, [a, b, c]) = three();
    a.import_micro();
    a.run(&["launch", "micro", "web", "--memory", "128MiB"]);
    let node = a.vm("web")["status"]["placement"]["node"].as_str().unwrap().to_owned();
    assert!(["a", "b", "c"].contains(&node.as_str()), "{node}");
    for daemon in [&a, &b, &c] {
        daemon.serial_says("web", "guest is up", 1);
    }
    let told = |daemon: &Daemon, node: &str| daemon.run(&["node", "logs", node]);
    assert!(told(&a, "c").contains("agent has started"), "the log of another node's daemon");
}
