//! Snapshots hold what a disk had, whether the VM runs or not.

use crate::daemon::{Daemon, state_of};

const WRITE: &str = "dd of=/dev/vda conv=fsync 2>/dev/null";

#[test]
fn a_restored_disk_has_what_it_had() {
    let daemon = Daemon::start();
    daemon.import_micro();
    let launch = ["launch", "micro", "web", "--memory", "256MiB", "--disk", "64MiB"];
    daemon.run(&launch);
    daemon.sh("web", &format!("echo one | {WRITE}"));
    daemon.run(&["snapshot", "create", "web", "running"]);
    daemon.sh("web", &format!("echo two | {WRITE}"));
    let said = daemon.refused(4, &["snapshot", "restore", "web", "running", "--yes"]);
    assert!(said.contains("VM \"web\" is running"), "{said}");
    assert!(said.contains("stop it first, or use --stop"), "{said}");
    daemon.run(&["snapshot", "restore", "web", "running", "--yes", "--stop"]);
    daemon.vm_until("web", "running again", |vm| state_of(vm) == "running");
    assert_eq!(daemon.sh("web", "head -n 1 /dev/vda"), "one\n");
    daemon.sh("web", &format!("echo two | {WRITE}"));

    daemon.run(&["stop", "web"]);
    daemon.run(&["snapshot", "create", "web", "stopped"]);
    daemon.run(&["snapshot", "restore", "web", "running", "--yes"]);
    assert_eq!(content(&daemon), "one\n");
    daemon.run(&["snapshot", "restore", "web", "stopped", "--yes"]);
    assert_eq!(content(&daemon), "two\n");

    let snapshots = daemon.json(&["snapshot", "list", "web"]);
    assert_eq!(snapshots.as_array().unwrap().len(), 2);
    daemon.run(&["snapshot", "delete", "web", "running", "--yes"]);
    daemon.refused(3, &["snapshot", "restore", "web", "running", "--yes"]);
    daemon.run(&["delete", "web", "--yes"]);
    assert!(daemon.json(&["snapshot", "list"]).as_array().unwrap().is_empty());
}

#[test]
fn a_stopped_vm_with_an_image_under_its_disk_is_snapshot_and_restored() {
    let daemon = Daemon::start();
    let image = daemon.data().join("small.raw");
    std::fs::write(&image, vec![7; 1 << 20]).unwrap();
    daemon.run(&["image", "import", image.to_str().unwrap(), "--name", "small"]);
    daemon.run(&["vm", "create", "web", "--image", "small"]);
    daemon.run(&["snapshot", "create", "web", "before"]);
    daemon.run(&["snapshot", "restore", "web", "before", "--yes"]);
    daemon.run(&["snapshot", "delete", "web", "before", "--yes"]);
}

/// What the guest reads after a start; it is stopped again.
fn content(daemon: &Daemon) -> String {
    daemon.run(&["start", "web"]);
    let content = daemon.sh("web", "head -n 1 /dev/vda");
    daemon.run(&["stop", "web"]);
    content
}
