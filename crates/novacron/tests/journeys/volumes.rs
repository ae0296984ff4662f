//! Volumes that are made, given to a VM, seen by its guest, taken back and deleted.

use std::time::{Duration, Instant};

use crate::daemon::{Daemon, eventually, listed, pid_of};

#[test]
fn a_volume_goes_from_guest_to_guest_with_its_content() {
    let daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["volume", "create", "data", "--size", "64MiB"]);
    for vm in ["first", "second"] {
        daemon.run(&["vm", "create", vm, "--image", "micro", "--memory", "256MiB"]);
    }
    daemon.run(&["volume", "attach", "data", "first"]);
    let said = daemon.refused(4, &["volume", "attach", "data", "second"]);
    assert!(said.contains("volume \"data\"") && said.contains("VM \"first\""), "{said}");
    let said = daemon.refused(4, &["volume", "delete", "data", "--yes"]);
    assert!(said.contains("VM \"first\""), "{said}");

    daemon.run(&["start", "first"]);
    assert_eq!(daemon.sh("first", "cat /sys/block/vda/serial"), "data");
    assert_eq!(daemon.sh("first", "cat /sys/block/vda/size").trim(), "131072", "64 MiB in sectors");
    daemon.sh("first", "echo kept | dd of=/dev/vda conv=fsync");
    daemon.run(&["stop", "first"]);
    daemon.run(&["volume", "detach", "data", "first"]);

    daemon.run(&["volume", "attach", "data", "second"]);
    daemon.run(&["start", "second"]);
    assert_eq!(daemon.sh("second", "head -n 1 /dev/vda"), "kept\n");
    daemon.run(&["stop", "second"]);
    daemon.run(&["volume", "detach", "data", "second"]);
    daemon.run(&["volume", "delete", "data", "--yes"]);
    daemon.refused(3, &["volume", "show", "data"]);
    assert!(listed(&daemon.data().join("pools/default/volumes")).is_empty());
}

#[test]
fn volumes_of_a_launch_go_with_the_vm_and_others_stay() {
    let daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["volume", "create", "data", "--size", "16MiB"]);
    let launch = ["launch", "micro", "web", "--memory", "256MiB", "--disk", "32MiB"];
    daemon.run(&[&launch[..], &["--volume", "data"]].concat());
    assert_eq!(daemon.sh("web", "cat /sys/block/vda/serial /sys/block/vdb/serial"), "rootdata");
    let output = daemon.cli(&["delete", "web", "--yes", "--force"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let preview = "VM \"web\" goes, and with it volume \"web-root\"; volume \"data\" stays";
    assert!(said.contains(preview), "{said}");
    let volumes = daemon.json(&["volume", "list"]);
    assert_eq!(volumes.as_array().unwrap().len(), 1);
    assert_eq!(volumes[0]["meta"]["name"], "data");
    assert_eq!(listed(&daemon.data().join("pools/default/volumes")).len(), 1);
}

#[test]
fn an_existing_volume_is_all_that_a_bundle_needs() {
    let daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["volume", "create", "data", "--size", "16MiB"]);
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB", "--volume", "data"]);
    assert_eq!(daemon.sh("web", "cat /sys/block/vda/serial"), "data");
    assert_eq!(daemon.json(&["volume", "list"]).as_array().unwrap().len(), 1, "no root disk");
}

#[test]
fn a_disk_grows_under_its_guest_and_over_a_killed_daemon() {
    let mut daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB", "--disk", "64MiB"]);
    let sectors = |daemon: &Daemon| daemon.sh("web", "cat /sys/block/vda/size").trim().to_owned();
    assert_eq!(sectors(&daemon), "131072");
    daemon.run(&["snapshot", "create", "web", "small"]);
    let said = daemon.run(&["volume", "resize", "web-root", "1GiB"]);
    assert!(said.contains("has 1 GiB"), "{said}");
    assert_eq!(sectors(&daemon), "2097152", "seen by the guest at once");
    let said = daemon.refused(2, &["volume", "resize", "web-root", "64MiB"]);
    assert!(said.contains("cannot shrink"), "{said}");

    // Killed in the middle: the next daemon goes on.
    daemon.run(&["volume", "resize", "web-root", "2GiB", "--no-wait"]);
    daemon.kill();
    daemon.up();
    let size = |volume: &serde_json::Value| volume["status"]["data"]["size"].clone();
    let show = ["volume", "show", "web-root"];
    daemon.until(&show, "2 GiB", |volume| size(volume) == 2_u64 << 30);
    assert_eq!(sectors(&daemon), "4194304");

    // At rest, and back from a snapshot of the small disk.
    daemon.run(&["stop", "web", "--force"]);
    daemon.run(&["volume", "resize", "web-root", "3GiB"]);
    daemon.run(&["snapshot", "restore", "web", "small", "--yes"]);
    daemon.run(&["start", "web"]);
    assert_eq!(sectors(&daemon), "6291456");
}

#[test]
fn a_disk_comes_and_goes_under_its_guest_and_over_a_killed_daemon() {
    let mut daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["volume", "create", "data", "--size", "64MiB"]);
    for vm in ["first", "second"] {
        daemon.run(&["launch", "micro", vm, "--memory", "256MiB", "--disk", "32MiB"]);
    }
    let disks = |daemon: &Daemon, vm| daemon.sh(vm, "cat /sys/block/vd*/serial");
    assert_eq!(disks(&daemon, "first"), "rootcidata");
    let pid = pid_of(&daemon.vm("first"));
    let said = daemon.run(&["volume", "attach", "data", "first"]);
    assert!(said.contains("is a disk of VM \"first\""), "{said}");
    eventually("the disk in the guest", || disks(&daemon, "first") == "rootcidatadata");
    daemon.sh("first", "echo kept | dd of=/dev/vdc conv=fsync");

    // The daemon is killed while the guest is asked to let go.
    daemon.run(&["volume", "detach", "data", "first", "--no-wait"]);
    daemon.kill();
    daemon.up();
    let free = |volume: &serde_json::Value| volume["status"]["attachment"].is_null();
    daemon.until(&["volume", "show", "data"], "free", free);
    assert_eq!(disks(&daemon, "first"), "rootcidata");
    daemon.run(&["volume", "attach", "data", "second", "--no-wait"]);
    daemon.kill();
    daemon.up();
    eventually("the disk in the other guest", || disks(&daemon, "second") == "rootcidatadata");
    assert_eq!(daemon.sh("second", "head -n 1 /dev/vdc"), "kept\n");
    assert_eq!(pid_of(&daemon.vm("first")), pid, "the same guest");

    // The first disk sits where it cannot be taken out: that waits, and is said.
    let said = daemon.refused(1, &["volume", "detach", "first-root", "first"]);
    assert!(said.contains("next start"), "{said}");
    let said = daemon.refused(4, &["volume", "attach", "first-root", "second"]);
    assert!(said.contains("still in use by VM \"first\""), "{said}");
    let info = daemon.run(&["info", "first"]);
    assert!(info.contains("disk \"root\" removed after restart"), "{info}");
    daemon.run(&["stop", "first", "--force"]);
    daemon.until(&["volume", "show", "first-root"], "free", free);
}

#[test]
fn a_limited_volume_is_slow_and_a_free_one_is_not() {
    let daemon = Daemon::start();
    daemon.import_micro();
    let said = daemon.refused(2, &["volume", "create", "data", "--size", "64MiB", "--iops", "1"]);
    assert!(said.contains("between 10 and"), "{said}");
    daemon.run(&["volume", "create", "data", "--size", "64MiB", "--iops", "20"]);
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB", "--volume", "data"]);
    let write = "dd if=/dev/zero of=/dev/vda bs=4k count=80 oflag=direct";
    daemon.sh("web", "true");
    let began = Instant::now();
    daemon.sh("web", write);
    assert!(began.elapsed() > Duration::from_secs(2), "{:?} for 80 writes", began.elapsed());
    daemon.run(&["volume", "set", "data", "--iops", "0", "--bandwidth", "100MiB"]);
    let info = daemon.run(&["volume", "show", "data"]);
    assert!(info.contains("100 MiB/s") && !info.contains("IO/s"), "{info}");
    let followed = |volume: &serde_json::Value| {
        volume["status"]["data"]["observed_generation"] == volume["meta"]["generation"]
    };
    daemon.until(&["volume", "show", "data"], "followed", followed);
    let began = Instant::now();
    daemon.sh("web", "dd if=/dev/zero of=/dev/vda bs=4k count=1000 oflag=direct");
    assert!(began.elapsed() < Duration::from_secs(40), "20 a second would take 50 s");
}
