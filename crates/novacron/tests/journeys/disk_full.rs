//! A full disk: clear errors, deletions work, guests wait, nothing is spoilt.

use std::cell::Cell;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::daemon::{Daemon, PATIENCE, alive, eventually, host, listed, pid_of, state_of};

#[test]
fn a_full_data_directory_takes_deletions_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(&dir.path().join("data"), 320);
    let mut daemon = Daemon::stopped(&disk.0, &[]);
    daemon.up();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB"]);
    daemon.run(&["vm", "create", "other", "--image", "micro"]);
    daemon.run(&["project", "create", "early"]);
    let pid = pid_of(&daemon.vm("web"));
    daemon.sh("web", "true");

    disk.fill(0);
    // The store looks at its disk once a second; until then it takes what fits.
    let number = Cell::new(0);
    eventually("refused", || {
        number.set(number.get() + 1);
        let name = format!("late{}", number.get());
        !daemon.cli(&["project", "create", &name]).status.success()
    });
    let said = daemon.refused(4, &["project", "create", "refused"]);
    assert!(said.contains("full") && said.contains("only deletions"), "{said}");
    let said = daemon.refused(4, &["vm", "create", "third", "--image", "micro"]);
    assert!(said.contains("full"), "{said}");
    assert!(alive(pid));
    assert_eq!(daemon.sh("web", "echo here"), "here\n", "the guest is reached");
    daemon.run(&["project", "delete", "early", "--yes"]);
    daemon.run(&["delete", "other", "--yes"]);
    daemon.refused(3, &["vm", "show", "other"]);

    daemon.kill();
    daemon.up();
    assert_eq!(pid_of(&daemon.vm("web")), pid, "a daemon starts on a full disk");

    disk.make_room();
    daemon.succeeds(PATIENCE, &["project", "create", "again"]);
    daemon.kill();
    daemon.up();
    daemon.run(&["project", "show", "again"]);
    daemon.refused(3, &["project", "show", "early"]);
    daemon.run(&["delete", "web", "--yes", "--force"]);
}

#[test]
fn a_guest_waits_while_its_pool_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let disk = SmallDisk::mount(&data.join("pools/default"), 256);
    let mut daemon = Daemon::stopped(&data, &[]);
    daemon.up();
    daemon.import_micro();
    let launch = ["launch", "micro", "web", "--memory", "512MiB", "--disk", "128MiB"];
    daemon.run(&launch);
    daemon.sh("web", "dd if=/dev/urandom of=/tmp/told bs=1M count=48 2>/dev/null");
    disk.fill(16 << 20);
    let write = "(dd if=/tmp/told of=/dev/vda bs=1M conv=fsync && touch /tmp/written) \
        >/tmp/log 2>&1 &";
    daemon.sh("web", write);
    let vm = daemon.vm_until("web", "paused", |vm| state_of(vm) == "paused");
    let reason = vm["status"]["runtime"]["reason"].as_str().unwrap();
    assert!(reason.contains("full") && reason.contains("resume"), "{reason}");
    assert!(alive(pid_of(&vm)));

    let before = listed(&disk.0.join("images"));
    let micro = crate::daemon::guest("micro");
    let import = ["image", "import", micro.to_str().unwrap(), "--name", "more"];
    let said = daemon.refused(4, &import);
    assert!(said.contains("full"), "{said}");
    assert_eq!(listed(&disk.0.join("images")), before);
    eventually("no leftovers", || listed(&disk.0.join("incoming")).is_empty());

    disk.make_room();
    daemon.run(&["resume", "web"]);
    let compare = "for i in $(seq 120); do [ -e /tmp/written ] && break; sleep 1; done; \
        cmp -n 50331648 /tmp/told /dev/vda && echo same";
    let compared = daemon.run(&["exec", "web", "--timeout", "180s", "--", "sh", "-c", compare]);
    assert_eq!(compared, "same\n");
    daemon.run(&["stop", "web"]);
    let volume = disk.0.join("volumes").join(&listed(&disk.0.join("volumes"))[0]);
    host("qemu-img", &["check", "-q", "-f", "qcow2", volume.to_str().unwrap()]);
}

#[test]
fn a_snapshot_in_a_full_pool_is_told_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let disk = SmallDisk::mount(&data.join("pools/default"), 256);
    let mut daemon = Daemon::stopped(&data, &[]);
    daemon.up();
    two_disks(&daemon);
    for running in [false, true] {
        if running {
            daemon.run(&["start", "web"]);
            daemon.vm_until("web", "running", |vm| state_of(vm) == "running");
        }
        disk.fill(0);
        let late = daemon.cli(&["snapshot", "create", "web", "late"]);
        let said = String::from_utf8_lossy(&late.stderr);
        assert!(!late.status.success(), "running: {running}");
        assert!(said.contains("the disk of the pool is full"), "running: {running}: {said}");
        assert!(said.contains("remove volumes or images"), "running: {running}: {said}");
        disk.make_room();
        assert_eq!(tags(&disk.0), Vec::<String>::new(), "running: {running}");
        // It goes by itself, and its name is free.
        daemon.until(&["snapshot", "list"], "empty", |list| list == &serde_json::json!([]));
        daemon.run(&["snapshot", "create", "web", "late"]);
        assert_eq!(tags(&disk.0).len(), 2, "running: {running}: one on each disk");
        daemon.run(&["snapshot", "delete", "web", "late", "--yes"]);
        assert_eq!(tags(&disk.0), Vec::<String>::new(), "running: {running}");
    }
}

#[test]
fn a_restore_that_ends_between_two_disks_says_so_and_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let tools = dir.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    let (second, full) = (tools.join("second"), tools.join("full"));
    // While `full` is there, the pool fills up after the first disk has gone back.
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in snapshot*\" -a \"*)\n  \
         if [ -e {full} ] && ! mkdir {second} 2>/dev/null; then\n    \
         echo 'qemu-img: Could not apply snapshot: No space left on device' >&2; exit 1\n  \
         fi;;\nesac\nexec {real} \"$@\"\n",
        full = full.display(),
        second = second.display(),
        real = host("sh", &["-c", "command -v qemu-img"]).trim(),
    );
    let tool = tools.join("qemu-img");
    std::fs::write(&tool, script).unwrap();
    std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &[]).env("PATH", &path);
    daemon.up();
    two_disks(&daemon);
    let write = |word: &str| {
        daemon.run(&["start", "web"]);
        let write = |device| format!("echo {word} | dd of={device} conv=fsync 2>/dev/null");
        daemon.sh("web", &format!("{}; {}", write("/dev/vda"), write("/dev/vdb")));
        daemon.run(&["stop", "web"]);
    };
    write("one");
    daemon.run(&["snapshot", "create", "web", "one"]);
    write("two");
    File::create(&full).unwrap();
    let failed = daemon.cli(&["snapshot", "restore", "web", "one", "--yes"]);
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success());
    assert!(said.contains("the disk of the pool is full"), "{said}");
    assert!(said.contains("\"root\" went back to the snapshot and \"data\" did not"), "{said}");
    assert!(said.contains("restore the snapshot again before the VM runs"), "{said}");
    let read = || {
        daemon.run(&["start", "web"]);
        let read = daemon.sh("web", "head -n 1 /dev/vda /dev/vdb | grep -v '^==' | xargs");
        daemon.run(&["stop", "web"]);
        read
    };
    assert_eq!(read(), "one two\n", "as it was said");
    std::fs::remove_file(&full).unwrap();
    daemon.run(&["snapshot", "restore", "web", "one", "--yes"]);
    assert_eq!(read(), "one one\n");
}

/// The VM `web`, stopped, with the disks `root` and `data`.
fn two_disks(daemon: &Daemon) {
    daemon.import_micro();
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB", "--disk", "32MiB"]);
    daemon.run(&["volume", "create", "data", "--size", "32MiB"]);
    daemon.run(&["stop", "web"]);
    daemon.run(&["volume", "attach", "data", "web"]);
}

/// Names of the snapshots inside the volumes of a pool.
pub fn tags(pool: &Path) -> Vec<String> {
    let volumes = pool.join("volumes");
    let mut tags = Vec::new();
    for name in listed(&volumes) {
        let path = volumes.join(name);
        // Shared: a guest may have it.
        let args = ["info", "-U", "-f", "qcow2", "--output=json", path.to_str().unwrap()];
        let info: serde_json::Value = serde_json::from_str(&host("qemu-img", &args)).unwrap();
        let snapshots = info["snapshots"].as_array().cloned().unwrap_or_default();
        tags.extend(snapshots.iter().map(|it| it["name"].as_str().unwrap().to_owned()));
    }
    tags.sort();
    tags
}

/// A file system of a few MiB, unmounted in the end.
pub struct SmallDisk(pub PathBuf);

impl SmallDisk {
    pub fn mount(at: &Path, mib: u64) -> Self {
        let root = rustix::process::geteuid().is_root();
        assert!(root, "this test mounts a small disk: run it as root");
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={mib}m,mode=0700");
        host("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", at.to_str().unwrap()]);
        Self(at.to_owned())
    }

    /// Leaves this many bytes free.
    pub fn fill(&self, leave: u64) {
        let mut filler = File::create(self.0.join("filler")).unwrap();
        let block = vec![1; 64 << 10];
        loop {
            let stat = rustix::fs::statvfs(&self.0).unwrap();
            if stat.f_bavail * stat.f_frsize <= leave {
                return;
            }
            match filler.write_all(&block) {
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                written => written.unwrap(),
            }
        }
    }

    pub fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A guest that was just killed may hold it for a moment.
        let _detached = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
