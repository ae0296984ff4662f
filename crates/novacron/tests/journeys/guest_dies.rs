//! A QEMU that is killed is seen, reported, and restarted by policy.

use crate::daemon::{Daemon, pid_of, signal, state_of};

#[test]
fn a_killed_guest_is_started_again() {
    let daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "hello", "--memory", "256MiB"]);
    let pid = pid_of(&daemon.vm("hello"));
    signal(pid, rustix::process::Signal::KILL);
    let vm = daemon.vm_until("hello", "running anew", |vm| {
        state_of(vm) == "running" && vm["status"]["runtime"]["pid"] != pid
    });
    assert_eq!(vm["status"]["runtime"]["restarts"], 1);
    let events = daemon.json(&["events"]);
    let kinds: Vec<&str> =
        events.as_array().unwrap().iter().filter_map(|event| event["kind"].as_str()).collect();
    assert!(kinds.contains(&"vm.crashed"), "{kinds:?}");
}

#[test]
fn a_guest_that_shuts_itself_down_stays_down() {
    let daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "hello", "--memory", "256MiB"]);
    daemon.serial_says("hello", "guest is up", 1);
    let mut console = daemon
        .command()
        .args(["console", "hello"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut console.stdin.as_ref().unwrap(), b"\npoweroff -f\n").unwrap();
    let vm = daemon.vm_until("hello", "stopped", |vm| {
        state_of(vm) == "stopped" && vm["spec"]["run"] == "stopped"
    });
    assert_eq!(vm["status"]["runtime"]["exit"]["cause"], "guest");
    console.kill().unwrap();
    console.wait().unwrap();
}
