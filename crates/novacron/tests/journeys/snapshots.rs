//! Snapshots hold what a disk had, whether the VM runs or not.

use std::time::SystemTime;

use novacron_model::{Seconds, Time};

use crate::daemon::{Daemon, eventually, state_of};

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

#[test]
fn a_run_that_was_due_while_no_daemon_ran_is_made_up_for_once() {
    let mut daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB", "--disk", "64MiB"]);
    // A full minute that is not over before the schedule stands.
    let at = now().plus(Seconds(80)).to_string()[11..16].to_owned();
    let said = daemon.run(&["snapshot", "schedule", "web", "--hourly", "2", "--at", &at]);
    let minute = &at[3..];
    let expected = format!("keeps 2 hourly snapshots, taken at minute {minute} of every hour");
    assert!(said.contains(&expected), "{said}");
    let schedule = |vm: &serde_json::Value| vm["status"]["schedule"]["runs"][0].clone();
    let vm = daemon.vm_until("web", "planned", |vm| schedule(vm)["next"].is_string());
    let next: Time = schedule(&vm)["next"].as_str().unwrap().parse().unwrap();
    daemon.kill();
    eventually("the time at which it is due", || now() > next);
    daemon.up();
    let vm = daemon.vm_until("web", "snapshot", |vm| schedule(vm)["last"].is_string());
    let name = schedule(&vm)["last"].as_str().unwrap().to_owned();
    let all = daemon.json(&["snapshot", "list", "web"]);
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(
        (&all[0]["meta"]["name"], &all[0]["status"]["state"]),
        (&name.into(), &"ready".into())
    );
    // All file systems of this guest lie in memory.
    assert_eq!(all[0]["status"]["data"]["consistency"], "crash");
    let info = daemon.run(&["info", "web"]);
    assert!(info.contains("hourly: last auto-hourly-"), "{info}");
    let said = daemon.run(&["snapshot", "schedule", "web", "--none"]);
    assert!(said.contains("has no schedule"), "{said}");
    assert_eq!(daemon.json(&["snapshot", "list", "web"]).as_array().unwrap().len(), 1);
}

pub fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Time(i64::try_from(since.as_millis()).unwrap())
}

/// What the guest reads after a start; it is stopped again.
fn content(daemon: &Daemon) -> String {
    daemon.run(&["start", "web"]);
    let content = daemon.sh("web", "head -n 1 /dev/vda");
    daemon.run(&["stop", "web"]);
    content
}
