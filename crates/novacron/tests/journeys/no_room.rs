//! No room: for a disk that is to grow, for an export in the pool, for its file at the client.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::daemon::{Daemon, eventually, host, listed, pid_of, state_of};
use crate::disk_full::SmallDisk;
use crate::killed_in_steps::noise;

/// A daemon whose default pool lies on a disk of its own.
fn with_pool(dir: &Path, mib: u64) -> (SmallDisk, Daemon) {
    let data = dir.join("data");
    let disk = SmallDisk::mount(&data.join("pools/default"), mib);
    let mut daemon = Daemon::stopped(&data, &[]);
    daemon.up();
    (disk, daemon)
}

/// The VM `web` with two disks of as many MiB, which are in use to their ends; never started.
fn full_disks(daemon: &Daemon, mib: u32) {
    for (number, name) in [(1, "one"), (2, "two")] {
        let file = daemon.data().join(name);
        fs::write(&file, noise(number, mib)).unwrap();
        daemon.run(&["image", "import", file.to_str().unwrap(), "--name", name]);
    }
    daemon.run(&["vm", "create", "web", "--image", "one"]);
    daemon.run(&["volume", "create", "data", "--image", "two"]);
    daemon.run(&["volume", "attach", "data", "web"]);
}

#[test]
fn a_disk_that_finds_no_room_to_grow_is_told_and_grows_once_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, daemon) = with_pool(dir.path(), 256);
    daemon.import_micro();
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB", "--disk", "64MiB"]);
    daemon.sh("web", "echo kept | dd of=/dev/vda conv=fsync 2>/dev/null");
    let pid = pid_of(&daemon.vm("web"));
    let show = ["volume", "show", "web-root"];
    // By QEMU while the guest runs, by qemu-img while it does not. The table of a disk of so many
    // TiB takes room at once.
    for (running, tib) in [(true, 8_u64), (false, 16)] {
        if !running {
            daemon.run(&["stop", "web"]);
        }
        disk.fill(0);
        let before = daemon.json(&show)["status"]["data"]["size"].clone();
        let said = daemon.refused(4, &["volume", "resize", "web-root", &format!("{tib}TiB")]);
        assert!(said.contains("has not grown: the disk of the pool is full"), "{running}: {said}");
        assert!(said.contains("remove volumes or images"), "{running}: {said}");
        let data = daemon.json(&show)["status"]["data"].clone();
        assert_eq!(data["grow_error"]["code"], "storage_full", "{running}: {data}");
        assert_eq!(data["size"], before, "{running}: {data}");
        let vm = daemon.vm("web");
        let state = if running { "running" } else { "stopped" };
        assert_eq!(state_of(&vm), state, "{vm:#}");
        disk.make_room();
        daemon.until(&show, "grown", |volume| {
            let data = &volume["status"]["data"];
            data["size"] == tib << 40 && data["grow_error"].is_null()
        });
        if running {
            assert_eq!(pid_of(&vm), pid);
            let sectors = daemon.sh("web", "cat /sys/block/vda/size");
            assert_eq!(sectors.trim().parse::<u64>().unwrap(), tib << 31, "seen by the guest");
        }
    }
    let volumes = disk.0.join("volumes");
    let file = volumes.join(&listed(&volumes)[0]);
    host("qemu-img", &["check", "-q", "-f", "qcow2", file.to_str().unwrap()]);
    daemon.run(&["start", "web"]);
    assert_eq!(daemon.sh("web", "head -n 1 /dev/vda"), "kept\n");
}

#[test]
fn an_export_that_finds_no_room_in_its_pool_is_told_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, daemon) = with_pool(dir.path(), 128);
    full_disks(&daemon, 16);
    let target = dir.path().join("out");
    fs::create_dir(&target).unwrap();
    let tar = target.join("web.tar").to_str().unwrap().to_owned();
    // The first of the two disks finds its room.
    disk.fill(24 << 20);
    let free = || {
        let stat = rustix::fs::statvfs(&disk.0).unwrap();
        stat.f_bavail * stat.f_frsize
    };
    let before = free();
    let volume = target.join("data.qcow2").to_str().unwrap().to_owned();
    let said = daemon.refused(4, &["export", "web", &tar]);
    assert!(said.contains("the disk of the pool is full"), "{said}");
    assert!(said.contains("remove volumes or images"), "{said}");
    let socket = daemon.data().join("api.sock");
    let url = "http://localhost/v1/projects/default/vms/web/export";
    let curl = ["-s", "-w", "\n%{http_code}", "--unix-socket", socket.to_str().unwrap(), url];
    let answer = host("curl", &curl);
    let (problem, status) = answer.rsplit_once('\n').unwrap();
    assert_eq!(status, "507");
    let problem: Value = serde_json::from_str(problem).unwrap();
    assert_eq!(problem["code"], "storage_full", "{problem}");
    daemon.run(&["volume", "export", "data", &volume]);
    assert_eq!(listed(&disk.0.join("incoming")), Vec::<String>::new());
    eventually("the room of what was made is free again", || free() == before);
    assert_eq!(listed(&target), ["data.qcow2"]);

    disk.fill(4 << 20);
    let said = daemon.refused(4, &["volume", "export", "data", &volume]);
    assert!(said.contains("the disk of the pool is full"), "{said}");
    disk.make_room();
    daemon.run(&["export", "web", &tar]);
    assert_eq!(host("tar", &["tf", &tar]).lines().count(), 4, "{}", host("tar", &["tf", &tar]));
}

#[test]
fn a_client_without_room_says_so_and_keeps_what_it_had() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &[]);
    daemon.up();
    full_disks(&daemon, 16);
    let disk = SmallDisk::mount(&dir.path().join("small"), 8);
    let target = |name: &str| disk.0.join(name).to_str().unwrap().to_owned();
    let (tar, volume) = (target("web.tar"), target("data.qcow2"));
    fs::write(&tar, "of last week").unwrap();
    for command in [&["export", "web", &tar][..], &["volume", "export", "data", &volume]] {
        let said = daemon.refused(1, command);
        assert!(said.contains("cannot be written: No space left on device"), "{said}");
        assert!(said.contains(disk.0.to_str().unwrap()), "{said}");
        assert_eq!(listed(&disk.0), ["web.tar"]);
    }
    assert_eq!(fs::read(&tar).unwrap(), b"of last week");
    for command in [&["export", "web", "-"][..], &["volume", "export", "data", "-"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut child = daemon.command();
        child.args(command).stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
        let ended = child.spawn().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains("No space left on device"), "{said}");
    }
    let incoming = daemon.data().join("pools/default/incoming");
    eventually("nothing left", || listed(&incoming).is_empty());
}
