//! Clones of VMs and volumes: they start with what their source had, and share nothing with it.

use std::process::Command;

use crate::daemon::{Daemon, listed, state_of};

const WRITE: &str = "dd of=/dev/vda conv=fsync 2>/dev/null";

fn launched() -> Daemon {
    let daemon = Daemon::start();
    daemon.import_micro();
    let port = format!("{}:80", crate::daemon::free_port());
    let launch = ["launch", "micro", "web", "--memory", "256MiB", "--disk", "64MiB"];
    daemon.run(&[&launch[..], &["--port", &port, "--label", "tier=front"]].concat());
    daemon
}

#[test]
fn a_clone_starts_with_its_sources_content_and_shares_nothing() {
    let daemon = launched();
    daemon.sh("web", &format!("echo one | {WRITE}"));
    let said = daemon.refused(4, &["volume", "clone", "web-root", "copy"]);
    assert!(said.contains("VM \"web\" is running"), "{said}");
    assert!(said.contains("or clone one of its snapshots with --snapshot"), "{said}");
    daemon.run(&["stop", "web"]);
    let output = daemon.cli(&["clone", "web", "web2", "--start"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("stays with VM \"web\""), "{said}");
    assert_eq!(daemon.sh("web2", "head -n 1 /dev/vda"), "one\n");
    daemon.sh("web2", &format!("echo two | {WRITE}"));

    daemon.run(&["start", "web"]);
    assert_eq!(daemon.sh("web", "head -n 1 /dev/vda"), "one\n", "what the clone wrote is its own");
    daemon.sh("web", &format!("echo three | {WRITE}"));
    assert_eq!(daemon.sh("web2", "head -n 1 /dev/vda"), "two\n");
    let (web, web2) = (daemon.vm("web"), daemon.vm("web2"));
    let mac = |vm: &serde_json::Value| vm["status"]["runtime"]["nics"][0]["mac"].clone();
    assert!(mac(&web).is_string() && mac(&web) != mac(&web2), "{} {}", mac(&web), mac(&web2));
    assert_eq!(web2["meta"]["labels"]["tier"], "front");
    assert_eq!(web2["spec"]["nics"][0]["ports"], serde_json::json!([]));

    daemon.run(&["delete", "web", "--yes", "--force"]);
    daemon.run(&["restart", "web2"]);
    assert_eq!(daemon.sh("web2", "head -n 1 /dev/vda"), "two\n", "its source is gone");
    daemon.run(&["delete", "web2", "--yes", "--force"]);
    assert!(listed(&daemon.data().join("pools/default/volumes")).is_empty());
    assert!(listed(&daemon.data().join("pools/default/incoming")).is_empty());
}

#[test]
fn a_snapshot_of_a_running_vm_is_cloned_while_it_writes_on() {
    let daemon = launched();
    daemon.sh("web", &format!("echo one | {WRITE}"));
    daemon.run(&["snapshot", "create", "web", "before"]);
    daemon.sh("web", &format!("echo two | {WRITE}"));
    daemon.run(&["clone", "web", "web2", "--snapshot", "before", "--start"]);
    assert_eq!(daemon.sh("web2", "head -n 1 /dev/vda"), "one\n");
    assert_eq!(daemon.sh("web", "head -n 1 /dev/vda"), "two\n");
    assert_eq!(state_of(&daemon.vm("web")), "running");
    // Nothing holds the snapshot any more, and the copy has none of its own.
    daemon.run(&["snapshot", "delete", "web", "before", "--yes"]);
    let copy = daemon.json(&["volume", "show", "web2-root"]);
    let file = format!("{}.qcow2", copy["meta"]["uid"].as_str().unwrap());
    let path = daemon.data().join("pools/default/volumes").join(file);
    let info = Command::new("qemu-img").args(["info", "-U", "--output=json"]).arg(path).output();
    let info: serde_json::Value = serde_json::from_slice(&info.unwrap().stdout).unwrap();
    assert!(info.get("snapshots").is_none(), "{info}");
}

#[test]
fn a_running_vm_is_cloned_by_a_snapshot_that_goes_again() {
    let daemon = launched();
    daemon.sh("web", &format!("echo one | {WRITE}"));
    let output = daemon.cli(&["clone", "web", "web2", "--start"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("is taken for it"), "{said}");
    daemon.sh("web", &format!("echo two | {WRITE}"));
    assert_eq!(daemon.sh("web2", "head -n 1 /dev/vda"), "one\n");
    daemon.until(&["snapshot", "list"], "no snapshot", |list| list.as_array().unwrap().is_empty());
}

#[test]
fn volumes_are_copied_with_what_they_hold_over_their_image() {
    let daemon = Daemon::start();
    let image = daemon.data().join("small.raw");
    std::fs::write(&image, vec![7; 1 << 20]).unwrap();
    daemon.run(&["image", "import", image.to_str().unwrap(), "--name", "small"]);
    daemon.run(&["volume", "create", "data", "--image", "small"]);
    daemon.run(&["volume", "create", "flat", "--size", "8MiB", "--format", "raw"]);
    for (from, to) in [("data", "data2"), ("flat", "flat2")] {
        daemon.run(&["volume", "clone", from, to, "--size", "16MiB"]);
        daemon.run(&["volume", "delete", from, "--yes"]);
    }
    let copy = daemon.json(&["volume", "show", "data2"]);
    assert_eq!(
        (&copy["spec"]["image"], &copy["spec"]["size"]),
        (&"small".into(), &(16 << 20).into())
    );
    assert_eq!(copy["spec"]["source"]["volume"], "data");
    assert_eq!(copy["status"]["copying"], serde_json::Value::Null);
    let said = daemon.refused(4, &["image", "delete", "small", "--yes"]);
    assert!(said.contains("data2"), "{said}");
    daemon.run(&["volume", "delete", "data2", "flat2", "--yes"]);
    daemon.run(&["image", "delete", "small", "--yes"]);
}
