//! A newer version takes over what an older one has left: its store, and the guests that run on.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::daemon::{Daemon, alive, pid_of, state_of};

/// Makes the store of a daemon that has ended one that the version before wrote: nothing but `meta`
/// differs.
fn as_format_1(store: &Path) {
    let path = store.join("meta");
    let text = fs::read_to_string(&path).unwrap();
    let mut meta: Value = serde_json::from_str(text.split_once(' ').unwrap().1).unwrap();
    assert_eq!(meta["format"], 2, "of a newer format: convert it back here, too");
    meta["format"] = 1.into();
    meta.as_object_mut().unwrap().remove("version").unwrap();
    let json = format!("{meta}\n");
    fs::write(&path, format!("{:08x} {json}", crc32fast::hash(json.as_bytes()))).unwrap();
}

#[test]
fn a_guest_runs_on_while_the_store_of_the_version_before_is_converted() {
    let mut daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB", "--disk", "16MiB"]);
    daemon.sh("web", "echo before | dd of=/dev/vda conv=fsync 2>/dev/null; touch /tmp/told");
    daemon.run(&["snapshot", "create", "web", "before"]);
    let pid = pid_of(&daemon.vm("web"));
    let store = daemon.data().join("store");
    // After an orderly end, and after a crash.
    for crash in [false, true] {
        if crash {
            daemon.kill();
        } else {
            daemon.stop();
        }
        assert!(alive(pid));
        as_format_1(&store);
        let old = fs::read(store.join("meta")).unwrap();
        daemon.up();
        let vm = daemon.vm_until("web", "adopted", |vm| state_of(vm) == "running");
        assert_eq!(pid_of(&vm), pid, "the same guest");
        assert_eq!(daemon.sh("web", "ls /tmp/told"), "/tmp/told\n");
        let meta = fs::read_to_string(store.join("meta")).unwrap();
        assert!(meta.contains("\"format\":2") && meta.contains("\"version\""), "{meta}");
        let name = if crash { "store-format-1-2" } else { "store-format-1" };
        let copy = daemon.data().join("backups").join(name);
        assert_eq!(fs::read(copy.join("store/meta")).unwrap(), old, "{name}");
    }
    // It is obeyed, and what it had is there.
    daemon.sh("web", "echo after | dd of=/dev/vda conv=fsync 2>/dev/null");
    daemon.run(&["snapshot", "restore", "web", "before", "--yes", "--stop"]);
    assert!(!alive(pid));
    assert_eq!(daemon.sh("web", "head -n 1 /dev/vda"), "before\n");
}
