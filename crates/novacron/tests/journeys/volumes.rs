//! Volumes that are made, given to a VM, seen by its guest, taken back and deleted.

use crate::daemon::{Daemon, listed};

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
    let said = daemon.refused(4, &["volume", "detach", "data", "first"]);
    assert!(said.contains("stop"), "{said}");
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
