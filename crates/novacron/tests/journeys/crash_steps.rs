//! The daemon is killed at whatever moment: the next one brings everything to its end, and no
//! guest ever has two processes.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::{Daemon, eventually, guest, host, listed, state_of};
use crate::disk_full::tags;

#[test]
fn whatever_the_daemon_did_when_it_was_killed_comes_to_its_end() {
    let rounds = if std::env::var_os("NOVACRON_NIGHTLY").is_some() { 60 } else { 6 };
    let mut daemon = Daemon::start();
    daemon.import_micro();
    let micro = guest("micro").to_str().unwrap().to_owned();
    for round in 0..rounds {
        let name = format!("vm{round}");
        let launch =
            ["launch", "micro", &name, "--memory", "256MiB", "--cpus", "1", "--disk", "8MiB"];
        killed_during(&mut daemon, round, 3, &launch);
        if daemon.cli(&["vm", "show", &name]).status.success() {
            daemon.vm_until(&name, "running", |vm| state_of(vm) == "running");
            one_process(&daemon, &name);
            killed_during(&mut daemon, round, 5, &["stop", &name, "--force", "--timeout", "1s"]);
            settled(&daemon);
            one_process(&daemon, &name);
            killed_during(&mut daemon, round, 13, &["clone", &name, "copy"]);
            settled(&daemon);
            if daemon.cli(&["vm", "show", "copy"]).status.success() {
                daemon.vm_until("copy", "whole", |vm| state_of(vm) == "stopped");
                daemon.run(&["delete", "copy", "--yes"]);
            }
            killed_during(&mut daemon, round, 7, &["delete", &name, "--yes", "--force"]);
            settled(&daemon);
            // The kill may have come before the request: then the VM is whole, and is deleted now.
            if daemon.cli(&["vm", "show", &name]).status.success() {
                daemon.run(&["delete", &name, "--yes", "--force"]);
            }
        }
        killed_during(&mut daemon, round, 11, &["image", "import", &micro, "--name", "again"]);
        if daemon.cli(&["image", "show", "again"]).status.success() {
            daemon.run(&["image", "delete", "again", "--yes", "--force"]);
        }
        nothing_is_left(&daemon);
    }
}

#[test]
fn a_snapshot_whose_daemon_was_killed_is_whole_or_gone() {
    let rounds = if std::env::var_os("NOVACRON_NIGHTLY").is_some() { 40 } else { 8 };
    let mut daemon = Daemon::start();
    daemon.import_micro();
    let launch = ["launch", "micro", "web", "--memory", "256MiB", "--cpus", "1", "--disk", "8MiB"];
    daemon.run(&launch);
    for round in 0..rounds {
        // By QEMU while the guest runs, by qemu-img while it does not.
        let running = round % 4 < 2;
        let verb = if running { &["start", "web"][..] } else { &["stop", "web", "--force"] };
        daemon.cli(verb);
        let name = format!("s{round}");
        killed_during(&mut daemon, round, 3, &["snapshot", "create", "web", &name]);
        disks_hold_what_is_listed(&daemon, round);
        if daemon.cli(&["snapshot", "show", "web", &name]).status.success() {
            daemon.run(&["snapshot", "restore", "web", &name, "--yes", "--stop"]);
            killed_during(&mut daemon, round, 5, &["snapshot", "delete", "web", &name, "--yes"]);
            disks_hold_what_is_listed(&daemon, round);
        }
    }
    daemon.vm_until("web", "settled", |vm| ["running", "stopped"].contains(&state_of(vm)));
    daemon.run(&["delete", "web", "--yes", "--force"]);
}

#[test]
fn a_disk_that_grows_while_the_daemon_is_killed_has_one_size_for_all() {
    let rounds = if std::env::var_os("NOVACRON_NIGHTLY").is_some() { 40 } else { 6 };
    let mut daemon = Daemon::start();
    daemon.import_micro();
    let launch = ["launch", "micro", "web", "--memory", "256MiB", "--cpus", "1", "--disk", "64MiB"];
    daemon.run(&launch);
    daemon.sh("web", "echo kept | dd of=/dev/vda conv=fsync 2>/dev/null");
    for round in 0..rounds {
        let mib = 64 * (round + 2);
        let resize = ["volume", "resize", "web-root", &format!("{mib}MiB")];
        killed_during(&mut daemon, round, 17, &resize);
        // The kill may have come before the request.
        daemon.run(&resize);
        let data = daemon.json(&["volume", "show", "web-root"])["status"]["data"].clone();
        assert_eq!((&data["size"], &data["grow_error"]), (&(mib << 20).into(), &Value::Null));
        let sectors = daemon.sh("web", "cat /sys/block/vda/size");
        assert_eq!(sectors.trim(), (mib << 11).to_string(), "round {round}");
    }
    assert_eq!(daemon.sh("web", "head -n 1 /dev/vda"), "kept\n");
    daemon.run(&["stop", "web", "--force"]);
    let volumes = daemon.data().join("pools/default/volumes");
    let disk = volumes.join(&listed(&volumes)[0]);
    host("qemu-img", &["check", "-q", "-f", "qcow2", disk.to_str().unwrap()]);
}

/// Once everything has come to rest, each snapshot is ready, and the disk has it and no other one.
fn disks_hold_what_is_listed(daemon: &Daemon, round: u64) {
    settled(daemon);
    let ready = |snapshots: &Value| {
        let state = |snapshot: &Value| snapshot["status"]["state"] == "ready";
        snapshots.as_array().unwrap().iter().all(state)
    };
    let snapshots = daemon.until(&["snapshot", "list", "web"], "ready", ready);
    let uids = snapshots.as_array().unwrap().iter();
    let mut uids: Vec<_> = uids.map(|it| it["meta"]["uid"].as_str().unwrap().to_owned()).collect();
    uids.sort();
    let pool = daemon.data().join("pools/default");
    assert_eq!(tags(&pool), uids, "round {round}");
}

/// Starts the command, kills the daemon a little later (another moment in each round), and starts
/// it again.
fn killed_during(daemon: &mut Daemon, round: u64, salt: u64, args: &[&str]) {
    let mut command = daemon.command();
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut command = command.spawn().unwrap();
    // No wait for a condition: any moment is meant.
    let moment = Instant::now() + Duration::from_millis((round * 37 + salt * 53) % 250);
    while Instant::now() < moment {
        std::thread::yield_now();
    }
    daemon.kill();
    daemon.up();
    // It follows its task over the restart, or found the connection broken.
    let _either = command.wait().unwrap();
}

fn settled(daemon: &Daemon) {
    let running = |tasks: &Value| {
        tasks.as_array().unwrap().iter().any(|task| task["status"]["state"] == "running")
    };
    daemon.until(&["task", "list"], "at rest", |tasks| !running(tasks));
}

fn one_process(daemon: &Daemon, name: &str) {
    let vm = daemon.vm(name);
    let uid = vm["meta"]["uid"].as_str().unwrap();
    let wanted = usize::from(state_of(&vm) == "running");
    assert_eq!(processes_of(uid), wanted, "{vm:#}");
}

/// QEMU processes that run this guest.
fn processes_of(uid: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let command_line = |dir: &Path| std::fs::read(dir.join("cmdline")).unwrap_or_default();
    let names_guest = |line: &[u8]| {
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words[0].starts_with(b"qemu-system") && words.contains(&uid.as_bytes())
    };
    entries.filter(|entry| names_guest(&command_line(&entry.path()))).count()
}

fn nothing_is_left(daemon: &Daemon) {
    settled(daemon);
    let data = daemon.data();
    let left = || [listed(&data.join("run")), listed(&data.join("pools/default/volumes"))].concat();
    eventually("nothing left", || left().is_empty());
    eventually("one image left", || {
        listed(&data.join("pools/default/images")).len() == 1
            && listed(&data.join("pools/default/incoming")).is_empty()
    });
}
