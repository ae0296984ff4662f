//! The host's clock jumps by a year, forth and back, while a guest runs: nothing else happens.

use std::path::{Path, PathBuf};

use crate::daemon::{Daemon, pid_of, signal, state_of};

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

#[test]
fn a_clock_that_jumps_disturbs_nobody() {
    assert!(Path::new(LIBRARY).exists(), "install the Debian package faketime (make setup)");
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock(dir.path().join("clock"));
    clock.jump("+0");
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &[])
        .env("LD_PRELOAD", LIBRARY)
        .env("FAKETIME_TIMESTAMP_FILE", clock.0.to_str().unwrap())
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    daemon.up();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB"]);
    let pid = pid_of(&daemon.vm("web"));
    daemon.sh("web", "true");
    let before = uptime(&daemon);

    for (jump, name) in [("+365d", "later"), ("-365d", "earlier")] {
        clock.jump(jump);
        daemon.run(&["project", "create", name]);
        let created = daemon.json(&["project", "show", name])["meta"]["created"].clone();
        let year = created.as_str().unwrap()[..4].parse::<i32>().unwrap() - this_year();
        assert_eq!(year.signum(), if name == "later" { 1 } else { -1 }, "the daemon saw the jump");
        daemon.run(&["pause", "web"]);
        daemon.run(&["resume", "web"]);
        let up = uptime(&daemon);
        assert!((before..before + 3600.0).contains(&up), "the guest's time goes on as it went");
        let vm = daemon.vm("web");
        assert_eq!((pid_of(&vm), state_of(&vm)), (pid, "running"));
        daemon.kill();
        daemon.up();
        let vm = daemon.vm_until("web", "adopted", |vm| state_of(vm) == "running");
        assert_eq!(pid_of(&vm), pid);
    }
}

#[test]
fn a_restart_that_is_due_comes_although_the_clock_was_set_back() {
    assert!(Path::new(LIBRARY).exists(), "install the Debian package faketime (make setup)");
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock(dir.path().join("clock"));
    clock.jump("+0");
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &[])
        .env("LD_PRELOAD", LIBRARY)
        .env("FAKETIME_TIMESTAMP_FILE", clock.0.to_str().unwrap())
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    daemon.up();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB"]);
    for _ in 0..3 {
        let pid = pid_of(&daemon.vm_until("web", "running", |vm| state_of(vm) == "running"));
        signal(pid, rustix::process::Signal::KILL);
        daemon.vm_until("web", "seen to be dead", |vm| vm["status"]["runtime"]["pid"] != pid);
    }
    // Its next start is due in a few seconds of a year that is now far ahead.
    clock.jump("-365d");
    let vm = daemon.vm_until("web", "running again", |vm| state_of(vm) == "running");
    assert_eq!(vm["status"]["runtime"]["restarts"], 3);
}

/// What libfaketime shows to the daemon.
struct Clock(PathBuf);

impl Clock {
    /// Replaces the file, so that nobody reads half of it.
    fn jump(&self, by: &str) {
        let fresh = self.0.with_extension("new");
        std::fs::write(&fresh, format!("{by}\n")).unwrap();
        std::fs::rename(fresh, &self.0).unwrap();
    }
}

fn uptime(daemon: &Daemon) -> f64 {
    let text = daemon.sh("web", "cat /proc/uptime");
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn this_year() -> i32 {
    crate::daemon::host("date", &["-u", "+%Y"]).trim().parse().unwrap()
}
