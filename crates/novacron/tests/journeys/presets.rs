//! What a preset makes of a machine, as the QEMU that runs it tells.

use crate::daemon::{Daemon, host};
use crate::hardware::{SAYS, bootable_iso};
use crate::qmp::Qmp;

/// East of Greenwich by this much.
const ZONE: &str = "NCT-5:30";
const ZONE_SECONDS: i64 = 19_800;

/// By how many seconds the machine's clock is before the host's in UTC.
fn clock_ahead(qmp: &mut Qmp) -> i64 {
    let shows = qmp.property("/machine", "rtc-time");
    let part = |name: &str| shows[name].as_i64().unwrap();
    let text = format!(
        "{}-{:02}-{:02} {:02}:{:02}:{:02}",
        part("tm_year") + 1900,
        part("tm_mon") + 1,
        part("tm_mday"),
        part("tm_hour"),
        part("tm_min"),
        part("tm_sec")
    );
    let seconds = |words: &[&str]| host("date", words).trim().parse::<i64>().unwrap();
    seconds(&["-u", "-d", &text, "+%s"]) - seconds(&["-u", "+%s"])
}

#[test]
fn a_windows_machine_has_what_windows_has_drivers_for_and_a_linux_machine_what_is_fast() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &[]).env("TZ", ZONE);
    daemon.up();
    let iso = bootable_iso(&daemon);
    for preset in ["windows", "linux"] {
        let create = ["vm", "create", preset, "--preset", preset, "--disk", "1GiB", "--cpus", "1"];
        let cd = ["--memory", "256MiB", "--iso", iso.to_str().unwrap()];
        daemon.run(&[&create[..], &cd].concat());
        daemon.run(&["start", preset]);
        daemon.serial_says(preset, SAYS, 1);
    }
    let vms = ["windows", "linux"].map(|preset| daemon.vm(preset));
    daemon.kill();
    let [mut windows, mut linux] = vms.each_ref().map(|vm| Qmp::of(&daemon, vm));

    let has = |qmp: &mut Qmp, here: &[&str], absent: &[&str]| {
        let tree = qmp.monitor("info qtree");
        let dev = |name: &&&str| tree.contains(&format!("dev: {name},"));
        let missing: Vec<_> = here.iter().filter(|name| !dev(name)).collect();
        let foreign: Vec<_> = absent.iter().filter(dev).collect();
        assert!(missing.is_empty() && foreign.is_empty(), "{missing:?} {foreign:?}: {tree}");
    };
    let (plain, fast) = (["ide-hd", "e1000e"], ["virtio-blk-pci", "virtio-net-pci"]);
    has(&mut windows, &[&plain[..], &["ide-cd"]].concat(), &fast);
    has(&mut linux, &[&fast[..], &["ide-cd"]].concat(), &plain);
    for (qmp, zone) in [(&mut windows, ZONE_SECONDS), (&mut linux, 0)] {
        assert!(qmp.monitor("info usb").contains("QEMU USB Tablet"));
        let mice = qmp.call("query-mice", &serde_json::json!({}));
        assert!(mice.as_array().unwrap().iter().any(|mouse| mouse["absolute"] == true), "{mice}");
        let ahead = clock_ahead(qmp);
        assert!((ahead - zone).abs() < 900, "{ahead} s ahead, not {zone}");
    }
    drop((windows, linux));
    daemon.up();
}
