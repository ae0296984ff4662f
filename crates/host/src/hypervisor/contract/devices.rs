//! The contract of the power `hotplug`. What needs a guest that obeys is shown by the drivers' own
//! tests.

use std::path::Path;

use novacron_model::vm::{DiskBus, NicModel, Protocol};
use novacron_model::volume::IoLimits;
use novacron_model::{Bytes, Code};

use super::{Fixture, end, start};
use crate::hypervisor::{
    CdromDrive, Drive, Forward, Handle, Hotplug, Hypervisor, Machine, NicPort,
};

fn hotplug(driver: &dyn Hypervisor) -> &dyn Hotplug {
    driver.hotplug().expect("power hotplug")
}

/// A further drive with a file of its own.
fn another(fixture: &dyn Fixture, serial: &str) -> Drive {
    Drive { serial: serial.to_owned(), boot_index: 2, ..fixture.machine().drives.remove(0) }
}

/// Whether the guest has a drive with this file: only such a one grows.
async fn has(driver: &dyn Hypervisor, handle: &Handle, path: &Path) -> bool {
    let growth = driver.growth().expect("power growth");
    growth.grow(handle, path, Bytes(0)).await.expect("a live guest is asked").is_some()
}

pub async fn a_disk_comes_to_a_live_guest(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let handle = start(&*driver, &machine).await;
    let data = another(fixture, "data");
    let limits = IoLimits { iops: Some(100), bandwidth: Some(Bytes::mib(1)) };
    let limited = Drive { limits, ..data.clone() };
    assert!(!has(&*driver, &handle, &data.path).await);
    for drive in [&data, &data, &limited] {
        hotplug(&*driver).attach(&handle, drive).await.expect("a free slot");
        assert!(has(&*driver, &handle, &data.path).await);
    }
    // It is a disk like any other, also for the next daemon.
    drop(driver);
    let driver = fixture.driver().await;
    hotplug(&*driver).attach(&handle, &data).await.expect("it is there");
    let both = [machine.drives[0].clone(), data.clone()];
    let tag = uuid::Uuid::now_v7();
    super::snapshots(&*driver).take(Some(&handle), &both, tag).await.expect("a snapshot");
    hotplug(&*driver).limit(&handle, &data.path, limits).await.expect("limits");
    hotplug(&*driver).limit(&handle, &data.path, IoLimits::default()).await.expect("no limits");
    end(&*driver, &handle).await;
    let gone = hotplug(&*driver).attach(&handle, &data).await;
    assert_eq!(gone.expect_err("no guest").code, Code::Conflict);
}

pub async fn a_disk_that_does_not_fit_leaves_the_guest_as_it_was(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let machine = fixture.machine();
    let handle = start(&*driver, &machine).await;
    let data = another(fixture, "data");
    let sata = Drive { bus: DiskBus::Sata, ..data.clone() };
    let refused = hotplug(&*driver).attach(&handle, &sata).await;
    assert_eq!(refused.expect_err("SATA is not plugged in").code, Code::Unsupported);
    assert!(!has(&*driver, &handle, &data.path).await);
    // What the guest does not have is gone, and cannot be limited.
    for _ in 0..2 {
        hotplug(&*driver).detach(&handle, &data.path).await.expect("nothing to let go of");
    }
    let limit = hotplug(&*driver).limit(&handle, &data.path, IoLimits::default()).await;
    assert_eq!(limit, Ok(()));
    assert!(has(&*driver, &handle, &machine.drives[0].path).await);
    end(&*driver, &handle).await;
}

pub async fn media_change_in_a_live_drive(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let drive = |medium: Option<&Drive>| CdromDrive {
        name: "cd0".to_owned(),
        medium: medium.map(|drive| drive.path.clone()),
        boot_index: 2,
    };
    let machine = Machine { cdroms: vec![drive(None)], ..fixture.machine() };
    let handle = start(&*driver, &machine).await;
    let (one, other) = (another(fixture, "one"), another(fixture, "other"));
    for medium in [Some(&one), Some(&one), Some(&other), None, None, Some(&one)] {
        let changed = hotplug(&*driver).change_medium(&handle, &drive(medium)).await;
        changed.expect("the guest holds nothing");
    }
    drop(driver);
    let driver = fixture.driver().await;
    hotplug(&*driver).change_medium(&handle, &drive(Some(&other))).await.expect("another");
    let unknown = CdromDrive { name: "cd7".to_owned(), ..drive(None) };
    let refused = hotplug(&*driver).change_medium(&handle, &unknown).await;
    assert_eq!(refused.expect_err("there is no such drive").code, Code::Conflict);
    end(&*driver, &handle).await;
}

pub async fn forwards_begin_and_end_under_a_live_guest(fixture: &dyn Fixture) {
    let driver = fixture.driver().await;
    let forward = |host| Forward {
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        host,
        guest: 22,
        protocol: Protocol::Tcp,
    };
    let [first, second] = [free_port(), free_port()].map(forward);
    let nic = NicPort {
        mac: [0x52, 0, 0, 0, 0, 1],
        model: NicModel::Virtio,
        bridge: None,
        forwards: vec![first.clone()],
    };
    let machine = Machine { nics: vec![nic], ..fixture.machine() };
    let handle = start(&*driver, &machine).await;
    for _ in 0..2 {
        let (ends, begins) = (std::slice::from_ref(&first), std::slice::from_ref(&second));
        let changed = hotplug(&*driver).change_forwards(&handle, 0, ends, begins).await;
        changed.expect("a free port");
    }
    let back = [first.clone()];
    hotplug(&*driver).change_forwards(&handle, 0, &[second], &back).await.expect("and back");
    end(&*driver, &handle).await;
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}
