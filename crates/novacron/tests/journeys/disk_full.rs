//! A full disk: clear errors, deletions work, guests wait, nothing is spoilt.

use std::cell::Cell;
use std::fs::File;
use std::io::{ErrorKind, Write};
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
