//! From nothing to a VM and back: the first hour.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::daemon::{Daemon, alive, free_port, pid_of, state_of};

#[test]
fn a_vm_lives_its_whole_life() {
    let daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "hello", "--memory", "256MiB", "--cpus", "1"]);
    let vm = daemon.vm("hello");
    assert_eq!(state_of(&vm), "running");
    let pid = pid_of(&vm);
    daemon.serial_says("hello", "guest is up", 1);

    daemon.run(&["pause", "hello"]);
    assert_eq!(state_of(&daemon.vm("hello")), "paused");
    daemon.run(&["resume", "hello"]);
    assert_eq!(pid_of(&daemon.vm("hello")), pid);

    daemon.run(&["reset", "hello"]);
    daemon.serial_says("hello", "guest is up", 2);
    assert_eq!(pid_of(&daemon.vm("hello")), pid, "a reset keeps the process");

    daemon.run(&["restart", "hello"]);
    daemon.vm_until("hello", "restarted", |vm| {
        state_of(vm) == "running" && vm["status"]["runtime"]["pid"] != pid
    });
    daemon.serial_says("hello", "guest is up", 3);

    daemon.run(&["stop", "hello"]);
    let stopped = daemon.vm("hello");
    assert_eq!(state_of(&stopped), "stopped");
    assert_eq!(stopped["status"]["runtime"]["exit"]["cause"], "requested");

    daemon.run(&["start", "hello"]);
    let pid = pid_of(&daemon.vm("hello"));
    let said = daemon.refused(4, &["delete", "hello", "--yes"]);
    assert!(said.contains("running") && said.contains("--force"), "{said}");
    daemon.run(&["delete", "hello", "--yes", "--force"]);
    assert!(!alive(pid));
    daemon.refused(3, &["vm", "show", "hello"]);
}

#[test]
fn what_is_typed_into_the_serial_console_reaches_the_guest() {
    let daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "shell", "--memory", "256MiB"]);
    daemon.serial_says("shell", "guest is up", 1);
    let mut console = daemon
        .command()
        .args(["console", "shell"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut typed = console.stdin.take().unwrap();
    typed.write_all(b"\necho sum=$((40+2))\n").unwrap();
    let mut shown = console.stdout.take().unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains("sum=42") {
        let n = shown.read(&mut buffer).unwrap();
        assert!(n > 0, "the console ended:\n{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    console.kill().unwrap();
    console.wait().unwrap();
}

#[test]
fn a_forwarded_port_cannot_be_taken_twice() {
    let daemon = Daemon::start();
    daemon.import_micro();
    let port = free_port();
    let forward = format!("{port}:80");
    daemon.run(&["vm", "create", "web", "--image", "micro", "--port", &forward]);
    let said = daemon.refused(4, &["vm", "create", "web2", "--image", "micro", "--port", &forward]);
    assert!(said.contains(&format!("port {port} on 127.0.0.1 is used by VM \"web\"")), "{said}");
}

#[test]
fn a_long_data_directory_works() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("d".repeat(150));
    let mut daemon = Daemon::stopped(&data, &[]);
    daemon.up();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "deep", "--memory", "256MiB"]);
    daemon.serial_says("deep", "guest is up", 1);
}
