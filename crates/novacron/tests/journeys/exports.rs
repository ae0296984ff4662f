//! Disks and whole VMs leave as files, come back elsewhere, and leave nothing behind on the way.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use crate::daemon::{Daemon, eventually, host, listed};

fn incoming(daemon: &Daemon) -> Vec<String> {
    listed(&daemon.data().join("pools/default/incoming"))
}

#[test]
fn a_volume_leaves_as_a_file_with_its_content() {
    let daemon = Daemon::start();
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    daemon.import_micro();
    daemon.run(&["volume", "create", "data", "--size", "64MiB"]);
    let launch = ["launch", "micro", "web", "--memory", "256MiB", "--volume", "data"];
    daemon.run(&launch);
    let write = |text: &str| {
        daemon.sh("web", &format!("echo {text} | dd of=/dev/vda conv=fsync"));
    };
    write("before");
    let said = daemon.refused(4, &["volume", "export", "data", &file("data.qcow2")]);
    assert!(said.contains("VM \"web\" is running") && said.contains("--snapshot"), "{said}");
    daemon.run(&["snapshot", "create", "web", "first"]);
    write("after");

    // Of the snapshot, beneath the running guest.
    let raw = file("first.raw");
    let of_first = ["--snapshot", "first", "--format", "raw"];
    daemon.run(&[&["volume", "export", "data", &raw], &of_first[..]].concat());
    let content = fs::read(&raw).unwrap();
    assert!(content.starts_with(b"before\n") && content.len() == 64 << 20);
    assert!(daemon.sh("web", "head -n 1 /dev/vda").starts_with("after"));

    // Of the stopped VM.
    daemon.run(&["stop", "web", "--force"]);
    let (qcow2, now) = (file("data.qcow2"), file("now.raw"));
    daemon.run(&["volume", "export", "data", &qcow2]);
    host("qemu-img", &["convert", "-f", "qcow2", "-O", "raw", &qcow2, &now]);
    assert!(fs::read(&now).unwrap().starts_with(b"after\n"));
    let stdout = daemon.cli(&["volume", "export", "data", "-", "--format", "raw"]).stdout;
    assert!(stdout == fs::read(&now).unwrap());

    daemon.refused(3, &["volume", "export", "absent", &file("x")]);
    daemon.refused(3, &["volume", "export", "data", &file("x"), "--snapshot", "absent"]);
    assert_eq!(listed(files.path()), ["data.qcow2", "first.raw", "now.raw"]);
    assert!(incoming(&daemon).is_empty());
}

/// A folder with a `qemu-img` that begins an export and does not end it.
fn slow_tool(dir: &Path) -> String {
    let real = host("sh", &["-c", "command -v qemu-img"]);
    let script = format!(
        "#!/bin/sh\nfor to; do :; done\n\
         case \"$*\" in *--image-opts*) echo half > \"$to\"; exec sleep 600;; esac\n\
         exec {} \"$@\"\n",
        real.trim()
    );
    let tool = dir.join("qemu-img");
    fs::write(&tool, script).unwrap();
    fs::set_permissions(&tool, Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", dir.display(), std::env::var("PATH").unwrap())
}

#[test]
fn an_export_that_ends_early_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = slow_tool(dir.path());
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &[]).env("PATH", &path);
    daemon.up();
    daemon.run(&["volume", "create", "data", "--size", "16MiB"]);
    let target = dir.path().join("out");
    fs::create_dir(&target).unwrap();
    let begin = |daemon: &Daemon| {
        let file = target.join("data.qcow2");
        let mut command = daemon.command();
        command.args(["volume", "export", "data"]).arg(file);
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("the export", || {
            let pool = daemon.data().join("pools/default/incoming");
            listed(&pool).iter().any(|name| pool.join(name).join("disk").exists())
        });
        child
    };

    // The client goes.
    let mut client = begin(&daemon);
    crate::daemon::signal(client.id(), rustix::process::Signal::INT);
    assert!(!client.wait().unwrap().success());
    eventually("swept", || incoming(&daemon).is_empty());

    // The daemon goes.
    let mut client = begin(&daemon);
    daemon.kill();
    assert_eq!(client.wait().unwrap().code(), Some(6));
    daemon.up();
    assert!(incoming(&daemon).is_empty());
    assert!(listed(&target).is_empty());
}

#[test]
fn a_vm_leaves_as_a_file_and_boots_again_under_another_name() {
    let daemon = Daemon::start();
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let tar = file("web.tar");
    daemon.import_micro();
    daemon.run(&["volume", "create", "data", "--size", "64MiB"]);
    let launch = ["launch", "micro", "web", "--memory", "256MiB", "--cpus", "1"];
    let disks = ["--disk", "32MiB", "--volume", "data", "--label", "tier=web"];
    daemon.run(&[&launch[..], &disks].concat());
    daemon
        .sh("web", "echo root | dd of=/dev/vda conv=fsync; echo data | dd of=/dev/vdb conv=fsync");
    daemon.run(&["snapshot", "create", "web", "first"]);
    daemon.sh("web", "echo later | dd of=/dev/vdb conv=fsync");
    let said = daemon.refused(4, &["export", "web", &tar]);
    assert!(said.contains("VM \"web\" is running") && said.contains("--snapshot"), "{said}");

    // Beneath the running guest; the name, the size and all else come from the file.
    daemon.run(&["export", "web", &tar, "--snapshot", "first"]);
    assert_eq!(host("tar", &["tf", &tar]).lines().next(), Some("image.toml"));
    daemon.run(&["import", &tar, "web-first", "--start"]);
    let vm = daemon.vm("web-first");
    assert_eq!((&vm["spec"]["cpus"], &vm["spec"]["memory"]), (&1.into(), &(256 << 20).into()));
    assert_eq!(vm["meta"]["labels"]["tier"], "web");
    let heads = "head -n 1 /dev/vda; head -n 1 /dev/vdb; cat /sys/block/vd[ab]/serial";
    assert_eq!(daemon.sh("web-first", heads), "root\ndata\nrootdata");
    assert_eq!(daemon.sh("web-first", "cat /sys/block/vdb/size").trim(), "131072");

    // Stopped, as an image that any number of VMs are made from, and one that is told otherwise.
    daemon.run(&["stop", "web", "--force"]);
    daemon.run(&["export", "web", &tar]);
    daemon.run(&["image", "import", &tar, "--name", "web-copy"]);
    let image = daemon.json(&["image", "show", "web-copy"]);
    assert_eq!(image["status"]["content"]["machine"]["name"], "web");
    daemon.run(&["launch", "web-copy", "web2", "--memory", "384MiB"]);
    assert_eq!(daemon.sh("web2", heads), "root\nlater\nrootdata");
    let vm = daemon.vm("web2");
    assert_eq!((&vm["spec"]["cpus"], &vm["spec"]["memory"]), (&1.into(), &(384 << 20).into()));
    let said = daemon.refused(4, &["image", "delete", "web-copy", "--yes"]);
    assert!(said.contains("web2"), "{said}");

    // Where nothing of it is left, under its own name.
    for vm in ["web", "web2", "web-first"] {
        daemon.run(&["delete", vm, "--yes", "--force"]);
    }
    daemon.run(&["import", &tar]);
    assert_eq!(daemon.vm("web")["status"]["state"], "stopped");
    assert!(incoming(&daemon).is_empty());
}
