//! A whole Debian with cloud-init and the guest agent: what a user does with a real guest.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Output, Stdio};
use std::time::Duration;

use crate::daemon::{Daemon, alive, guest, pid_of, state_of};

/// A stock distribution boots slowly where the CPU is emulated.
pub const BOOT: Duration = Duration::from_mins(6);
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJHusWe9um5o2t6IUitgoFhZGHAC/5MMj0TUghAxGh7H";
/// Of the one who calls, in `~/.ssh`.
const OWN_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPgb5jBBlY2xQ9nYpC0ll5AYEBGcHYbhRPa1RPeHkfZE";

#[test]
fn a_debian_guest_is_told_who_it_is_and_does_as_asked() {
    let mut daemon = Daemon::start();
    daemon.run(&["image", "import", guest("debian").to_str().unwrap(), "--name", "debian"]);
    let file = |name: &str, text: &str| {
        let path = daemon.data().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let user_data =
        "#cloud-config\nwrite_files:\n  - path: /etc/journey\n    content: \"written\\n\"\n";
    let (user_data, key) = (file("user-data", user_data), file("key.pub", KEY));
    let launch = ["launch", "debian", "web", "--memory", "1GiB", "--cloud-init", &user_data];
    let told = ["--hostname", "webhost", "--ssh-key", &key, "--password", "sesame"];
    std::fs::create_dir(daemon.data().join(".ssh")).unwrap();
    file(".ssh/id_ed25519.pub", OWN_KEY);
    let launched = daemon.cli(&[&launch[..], &told].concat());
    let said = String::from_utf8_lossy(&launched.stderr);
    assert!(launched.status.success() && said.contains(".ssh/id_ed25519.pub"), "{said}");
    daemon.succeeds(BOOT, &["exec", "web", "--", "test", "-e", "/etc/journey"]);
    let wait = "cloud-init status --wait >&2; cat /etc/journey; hostname";
    let said = daemon.run(&["exec", "web", "--timeout", "360s", "--", "sh", "-c", wait]);
    assert_eq!(said, "written\nwebhost\n");
    let keys = "cat /home/debian/.ssh/authorized_keys; grep ^debian: /etc/shadow";
    let said = daemon.sh("web", keys);
    assert!([KEY, OWN_KEY, "debian:$"].iter().all(|part| said.contains(part)), "{said}");

    programs(&daemon);
    files(&daemon);
    let agent = |vm: &serde_json::Value| vm["status"]["runtime"]["agent"].clone();
    let vm = daemon.vm_until("web", "known by its agent", |vm| {
        agent(vm)["addresses"].as_array().is_some_and(|all| !all.is_empty())
    });
    assert_eq!(agent(&vm)["hostname"], "webhost");
    assert!(agent(&vm)["os"].as_str().unwrap().starts_with("Debian GNU/Linux 12"));
    let info = daemon.run(&["info", "web"]);
    assert!(info.contains("10.0.2.15") && info.contains("Debian GNU/Linux 12"), "{info}");
    assert!(!daemon.log().contains("sesame"), "the password is in the log");

    daemon.run(&["snapshot", "create", "web", "frozen"]);
    let shown = daemon.json(&["snapshot", "show", "web", "frozen"]);
    assert_eq!(shown["status"]["data"]["consistency"], "filesystem", "{shown:#}");

    let pid = pid_of(&vm);
    daemon.kill();
    assert!(alive(pid));
    left_frozen(&daemon, vm["meta"]["uid"].as_str().unwrap());
    daemon.up();
    daemon.vm_until("web", "adopted", |vm| state_of(vm) == "running" && pid_of(vm) == pid);
    assert_eq!(daemon.sh("web", "date > /root/thawed && sync && hostname"), "webhost\n");
    daemon.run(&["stop", "web", "--timeout", "120s"]);
    assert_eq!(daemon.vm("web")["status"]["runtime"]["exit"]["cause"], "requested");
}

/// As a daemon leaves a guest that dies between freeze and thaw.
fn left_frozen(daemon: &Daemon, uid: &str) {
    let run = daemon.data().join("run").join(uid);
    std::fs::write(run.join("frozen"), "").unwrap();
    let mut agent = UnixStream::connect(run.join("agent.sock")).unwrap();
    agent.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    agent.write_all(b"\xff{\"execute\": \"guest-fsfreeze-freeze\"}\n").unwrap();
    for answer in BufReader::new(agent).split(b'\n') {
        let answer = String::from_utf8_lossy(&answer.unwrap()).into_owned();
        if answer.contains("return") {
            return;
        }
        // What the byte that ends older requests is answered with.
        assert!(answer.contains("JSON parse error"), "{answer}");
    }
    panic!("the guest agent hung up");
}

fn programs(daemon: &Daemon) {
    let output = exec(daemon, &["sh", "-c", "echo out; echo err >&2; exit 7"], b"");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    assert_eq!(exec(daemon, &["cat"], &bytes).stdout, bytes, "binary input and output");
    let late = daemon.refused(124, &["exec", "web", "--timeout", "1s", "--", "sleep", "60"]);
    assert!(late.contains("sleep"), "{late}");
    let missing = daemon.refused(2, &["exec", "web", "--", "/no/such/program"]);
    assert!(missing.contains("/no/such/program"), "{missing}");
}

fn files(daemon: &Daemon) {
    let bytes: Vec<u8> =
        (0_u32..700_000).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    let (here, back) = (daemon.data().join("here"), daemon.data().join("back"));
    std::fs::write(&here, &bytes).unwrap();
    daemon.run(&["file", "push", here.to_str().unwrap(), "web:/root/there"]);
    daemon.run(&["file", "pull", "web:/root/there", back.to_str().unwrap()]);
    assert!(std::fs::read(&back).unwrap() == bytes, "the file came back otherwise");
    daemon.refused(3, &["file", "pull", "web:/root/nothing", back.to_str().unwrap()]);
    assert_eq!(std::fs::read(&back).unwrap().len(), bytes.len(), "a failed pull keeps what was");
}

fn exec(daemon: &Daemon, argv: &[&str], stdin: &[u8]) -> Output {
    let mut command = daemon.command();
    command.args(["exec", "web", "--"]).args(argv);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    child.wait_with_output().unwrap()
}
