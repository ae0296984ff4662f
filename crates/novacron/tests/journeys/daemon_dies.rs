//! The daemon may die at any moment: guests go on, nothing acknowledged is lost.

use crate::daemon::{Daemon, alive, pid_of, state_of};

#[test]
fn a_guest_outlives_the_daemon_and_is_adopted() {
    let mut daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "hello", "--memory", "256MiB"]);
    let pid = pid_of(&daemon.vm("hello"));

    daemon.kill();
    assert!(alive(pid));
    daemon.up();
    let vm = daemon.vm_until("hello", "running", |vm| state_of(vm) == "running");
    assert_eq!(pid_of(&vm), pid, "adopted, not started anew");

    daemon.stop();
    assert!(alive(pid), "a graceful stop leaves guests running");
    daemon.up();
    assert_eq!(pid_of(&daemon.vm("hello")), pid);
    daemon.run(&["stop", "hello", "--force", "--timeout", "60s"]);
    assert!(!alive(pid), "an adopted guest is still obeyed");
}

#[test]
fn a_guest_that_ended_while_the_daemon_was_away_is_noticed() {
    let mut daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "hello", "--memory", "256MiB", "--restart", "never"]);
    let pid = pid_of(&daemon.vm("hello"));
    daemon.kill();
    crate::daemon::signal(pid, rustix::process::Signal::KILL);
    daemon.up();
    let vm = daemon.vm_until("hello", "failed", |vm| state_of(vm) == "failed");
    assert_eq!(vm["status"]["runtime"]["exit"]["cause"], "crash");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_daemon_is_killed_during_writes() {
    let rounds = if std::env::var_os("NOVACRON_NIGHTLY").is_some() { 40 } else { 4 };
    let mut daemon = Daemon::start();
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..rounds {
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut done = Vec::new();
                for number in 0.. {
                    let name = format!("n{round}-{number}");
                    if !daemon.cli(&["project", "create", &name]).status.success() {
                        return done;
                    }
                    done.push(name);
                }
                done
            });
            let pid = daemon.pid();
            let began = daemon.json(&["project", "list"]).as_array().unwrap().len();
            while daemon.json(&["project", "list"]).as_array().unwrap().len() < began + 8 {}
            crate::daemon::signal(pid, rustix::process::Signal::KILL);
            acknowledged.extend(writer.join().unwrap());
        });
        daemon.reap();
        daemon.up();
        let projects = daemon.json(&["project", "list"]);
        let names: Vec<&str> = projects
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|it| it["meta"]["name"].as_str())
            .collect();
        for name in &acknowledged {
            assert!(names.contains(&name.as_str()), "{name} was acknowledged and is gone");
        }
    }
    assert!(acknowledged.len() >= rounds, "the loop wrote too little to prove anything");
}
