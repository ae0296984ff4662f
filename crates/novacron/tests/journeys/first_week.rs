//! A Debian server on the LAN through its user's first week: an address by DHCP, snapshots by
//! schedule, a disk that became too small, a change that is taken back.

use novacron_model::{Seconds, Time};
use serde_json::Value;

use crate::bridges::{Lan, address, mac};
use crate::daemon::{Daemon, eventually, guest, pid_of, state_of};
use crate::debian::BOOT;
use crate::snapshots::now;

/// Waits until the guest is up and all that its first minutes bring is done.
fn up(daemon: &Daemon) {
    daemon.succeeds(BOOT, &["exec", "web", "--", "true"]);
    let wait = "cloud-init status --wait >&2";
    daemon.run(&["exec", "web", "--timeout", "360s", "--", "sh", "-c", wait]);
}

/// Of the file system that all else lies on, in GiB.
fn room(daemon: &Daemon) -> u64 {
    let blocks = daemon.sh("web", "df --output=size -k / | tail -n 1");
    blocks.trim().parse::<u64>().unwrap() >> 20
}

#[test]
fn a_server_on_the_lan_has_its_address_its_snapshots_and_room_over_all_that_happens() {
    if std::env::var_os("NOVACRON_NIGHTLY").is_none() {
        return;
    }
    let lan = Lan::new();
    let mut daemon = lan.daemon();
    daemon.run(&["image", "import", guest("debian").to_str().unwrap(), "--name", "debian"]);
    daemon.run(&["network", "create", "lan", "--bridge", "br0"]);
    let launch = ["launch", "debian", "web", "--memory", "1GiB", "--cpus", "1", "--disk", "6GiB"];
    daemon.run(&[&launch[..], &["--network", "lan", "--hostname", "web"]].concat());
    up(&daemon);
    let at = address(&lan, &daemon, "web");
    assert!(lan.reaches(&at) && daemon.run(&["list"]).contains(&at));
    let small = room(&daemon);
    assert!((4..6).contains(&small), "{small}");

    daemon.sh("web", "echo monday > /root/day; sync");
    let due = now().plus(Seconds(80)).to_string()[11..16].to_owned();
    daemon.run(&["snapshot", "schedule", "web", "--hourly", "2", "--at", &due]);
    let run = |vm: &Value| vm["status"]["schedule"]["runs"][0].clone();
    let vm = daemon.vm_until("web", "planned", |vm| run(vm)["next"].is_string());
    let next: Time = run(&vm)["next"].as_str().unwrap().parse().unwrap();
    eventually("the time at which it is due", || now() > next);
    let vm = daemon.vm_until("web", "snapshot", |vm| run(vm)["last"].is_string());
    let snapshot = run(&vm)["last"].as_str().unwrap().to_owned();
    let name = snapshot.strip_prefix("web.").unwrap_or(&snapshot);
    let shown = daemon.json(&["snapshot", "show", "web", name]);
    assert_eq!(shown["status"]["data"]["consistency"], "filesystem", "{shown:#}");

    // The disk became too small; the daemon is replaced meanwhile.
    daemon.sh("web", "echo tuesday > /root/day; sync");
    daemon.run(&["volume", "resize", "web-root", "8GiB"]);
    let sectors = "cat /sys/block/vda/size";
    assert_eq!(daemon.sh("web", sectors).trim(), (8_u64 << 21).to_string());
    daemon.kill();
    assert!(lan.reaches(&at));
    daemon.up();
    let adopted = daemon.vm_until("web", "adopted", |vm| state_of(vm) == "running");
    assert_eq!(pid_of(&adopted), pid_of(&vm));
    daemon.run(&["restart", "web", "--timeout", "180s"]);
    up(&daemon);
    assert!(room(&daemon) > small, "the guest has taken what its disk has");
    assert_eq!(daemon.sh("web", "cat /root/day"), "tuesday\n");
    assert_eq!(address(&lan, &daemon, "web"), at);

    // Tuesday was a mistake.
    daemon.run(&["snapshot", "restore", "web", name, "--yes", "--stop"]);
    daemon.vm_until("web", "running again", |vm| state_of(vm) == "running");
    up(&daemon);
    assert_eq!(daemon.sh("web", "cat /root/day"), "monday\n");
    assert!(room(&daemon) > small, "the disk is as large as it was made since");
    assert_eq!(address(&lan, &daemon, "web"), at);
    assert_eq!(mac(&daemon.vm("web")), mac(&vm));
    assert!(lan.reaches(&at));
    daemon.run(&["delete", "web", "--yes", "--force"]);
    assert_eq!(lan.taps(), []);
}
