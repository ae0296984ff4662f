//! Devices that come to a real guest and leave it, and what it sees of them.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use novacron_host::hypervisor::contract::{self, Fixture};
use novacron_host::hypervisor::{Agent, CdromDrive, Drive, Forward, Handle, Hotplug, Machine};
use novacron_model::Code;
use novacron_model::units::Bytes;
use novacron_model::vm::Protocol;
use novacron_model::volume::IoLimits;

use super::qemu::Qemu;
use super::qemu_guests::{agent_news, free_port, greeting, micro, run_in};

/// A micro guest with one data disk, its agent up.
struct Scene {
    qemu: Qemu,
    machine: Machine,
    driver: Box<dyn novacron_host::Hypervisor>,
    handle: Handle,
}

impl Scene {
    async fn start(change: impl FnOnce(&Qemu, &mut Machine)) -> Option<Self> {
        let (qemu, mut machine) = micro()?;
        change(&qemu, &mut machine);
        let driver = qemu.driver().await;
        let handle = contract::start(&*driver, &machine).await;
        contract::history_with(&*driver, machine.uid, "micro guest is up", 1).await;
        agent_news(&*driver, &handle).await;
        Some(Self { qemu, machine, driver, handle })
    }

    fn hotplug(&self) -> &dyn Hotplug {
        self.driver.hotplug().unwrap()
    }

    fn agent(&self) -> &dyn Agent {
        self.driver.guest_agent().unwrap()
    }

    async fn shell(&self, script: &str) -> String {
        let done = run_in(self.agent(), &self.handle, &["/bin/sh", "-c", script]).await;
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// The guest's disks, by their serial numbers.
    async fn disks(&self) -> String {
        self.shell("for d in /sys/block/vd*; do cat $d/serial; echo; done | sort | xargs").await
    }

    async fn sees(&self, disks: &str) {
        contract::eventually(disks, async || {
            let seen = self.disks().await;
            (seen == disks).then_some(())
        })
        .await;
    }

    async fn end(self) {
        contract::end(&*self.driver, &self.handle).await;
    }
}

fn drive(qemu: &Qemu, serial: &str) -> Drive {
    Drive { serial: serial.to_owned(), boot_index: 9, ..qemu.machine().drives.remove(0) }
}

#[tokio::test]
async fn a_running_guest_gets_disks_and_lets_them_go() {
    let with_two = |qemu: &Qemu, machine: &mut Machine| {
        let second = Drive { boot_index: 2, ..drive(qemu, "second") };
        machine.drives = vec![Drive { boot_index: 1, ..drive(qemu, "first") }, second];
    };
    let Some(scene) = Scene::start(with_two).await else { return };
    let data = drive(&scene.qemu, "data");
    scene.hotplug().attach(&scene.handle, &data).await.unwrap();
    scene.sees("data first second").await;
    let wrote = scene.shell("echo kept | dd of=/dev/$(basename $(dirname $(grep -l data /sys/block/vd*/serial))) conv=fsync && echo yes").await;
    assert_eq!(wrote, "yes");
    // Those that it was started with, but for the first.
    for gone in [&data.path, &scene.machine.drives[1].path] {
        scene.hotplug().detach(&scene.handle, gone).await.unwrap();
        scene.hotplug().detach(&scene.handle, gone).await.unwrap();
    }
    scene.sees("first").await;
    assert!(starts_with(&data.path, b"kept").await, "what was written is in the file");
    let fixed = scene.hotplug().detach(&scene.handle, &scene.machine.drives[0].path).await;
    assert_eq!(fixed.unwrap_err().code, Code::Unsupported);
    // Its place is free again.
    for serial in ["a", "b", "c", "d"] {
        scene.hotplug().attach(&scene.handle, &drive(&scene.qemu, serial)).await.unwrap();
    }
    scene.sees("a b c d first").await;
    let fifth = scene.hotplug().attach(&scene.handle, &drive(&scene.qemu, "e")).await;
    let refused = fifth.unwrap_err();
    assert!(refused.code == Code::Conflict && refused.message.contains("slots"), "{refused}");
    scene.end().await;
}

async fn starts_with(disk: &Path, words: &[u8]) -> bool {
    let read = tokio::process::Command::new("qemu-img")
        .args(["dd", "-f", "qcow2", "-O", "raw", "bs=512", "count=1"])
        .arg(format!("if={}", disk.display()))
        .arg(format!("of={}.head", disk.display()))
        .status();
    assert!(read.await.unwrap().success());
    std::fs::read(format!("{}.head", disk.display())).unwrap().starts_with(words)
}

#[tokio::test]
async fn a_guest_that_does_not_listen_keeps_its_disk() {
    let qemu = Qemu::new();
    let driver = qemu.driver().await;
    // A boot sector knows no power management.
    let handle = contract::start(&*driver, &qemu.machine()).await;
    let data = drive(&qemu, "data");
    let hotplug = driver.hotplug().unwrap();
    hotplug.attach(&handle, &data).await.unwrap();
    for _ in 0..2 {
        let kept = hotplug.detach(&handle, &data.path).await.unwrap_err();
        assert_eq!(kept.code, Code::Timeout, "{kept}");
    }
    let grown = driver.growth().unwrap().grow(&handle, &data.path, Bytes(0)).await;
    assert!(grown.unwrap().is_some(), "it has the disk");
    contract::end(&*driver, &handle).await;
}

#[tokio::test]
async fn a_limited_disk_is_slow() {
    let with_limit = |qemu: &Qemu, machine: &mut Machine| {
        let limits = IoLimits { iops: Some(20), bandwidth: None };
        machine.drives = vec![Drive { boot_index: 1, limits, ..drive(qemu, "first") }];
    };
    let Some(scene) = Scene::start(with_limit).await else { return };
    let write = "dd if=/dev/zero of=/dev/vda bs=4k count=80 oflag=direct 2>/dev/null && echo yes";
    let began = Instant::now();
    assert_eq!(scene.shell(write).await, "yes");
    assert!(began.elapsed() > Duration::from_secs(2), "{:?} for 80 writes", began.elapsed());
    let path = &scene.machine.drives[0].path;
    scene.hotplug().limit(&scene.handle, path, IoLimits::default()).await.unwrap();
    let many = "dd if=/dev/zero of=/dev/vda bs=4k count=1000 oflag=direct && echo yes";
    let began = Instant::now();
    assert_eq!(scene.shell(many).await, "yes");
    assert!(began.elapsed() < Duration::from_secs(40), "20 a second would take 50 s");
    scene.end().await;
}

#[tokio::test]
async fn forwards_of_a_running_guest_change_whole_or_not_at_all() {
    let forward = |host| Forward {
        address: "127.0.0.1".parse().unwrap(),
        host,
        guest: 22,
        protocol: Protocol::Tcp,
    };
    let (first, second) = (free_port(), free_port());
    let with_first = |_: &Qemu, machine: &mut Machine| {
        machine.nics[0].forwards = vec![forward(first)];
    };
    let Some(scene) = Scene::start(with_first).await else { return };
    contract::eventually("ssh", async || greeting(first).await).await;
    let (old, new) = ([forward(first)], [forward(second)]);
    scene.hotplug().change_forwards(&scene.handle, 0, &old, &new).await.unwrap();
    contract::eventually("ssh behind the other port", async || greeting(second).await).await;
    TcpListener::bind(("127.0.0.1", first)).expect("the first port is free again");
    // A port that a stranger holds takes nothing away.
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = [forward(first), forward(stranger.local_addr().unwrap().port())];
    let listener = listening(second);
    let refused = scene.hotplug().change_forwards(&scene.handle, 0, &new, &taken).await;
    assert_eq!(refused.unwrap_err().code, Code::Conflict);
    assert!(listener.is_some() && listener == listening(second), "it was given up meanwhile");
    contract::eventually("ssh as before", async || greeting(second).await).await;
    TcpListener::bind(("127.0.0.1", first)).expect("the first port is still free");
    scene.end().await;
}

/// The inode of the socket that listens on a port of loopback: another one once it was closed.
fn listening(port: u16) -> Option<String> {
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!("0100007F:{port:04X}");
    let mut lines = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.find(|line| line[1] == local && line[3] == "0A")?;
    Some(line[9].to_owned())
}

/// Whether the guest's process has a file open.
fn has_open(handle: &Handle, path: &Path) -> bool {
    let open = std::fs::read_dir(format!("/proc/{}/fd", handle.pid)).unwrap();
    let mut links = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    links.any(|link| link == path)
}

#[tokio::test]
async fn a_medium_that_cannot_be_read_leaves_the_old_one_in_its_drive() {
    let qemu = Qemu::new();
    let driver = qemu.driver().await;
    let medium = drive(&qemu, "medium").path;
    let lies = |medium: &Path| CdromDrive {
        name: "cd0".to_owned(),
        medium: Some(medium.to_owned()),
        boot_index: 2,
    };
    let machine = Machine { cdroms: vec![lies(&medium)], ..qemu.machine() };
    let handle = contract::start(&*driver, &machine).await;
    let hotplug = driver.hotplug().unwrap();
    let absent = medium.with_extension("absent");
    for _ in 0..2 {
        assert!(hotplug.change_medium(&handle, &lies(&absent)).await.is_err());
        assert!(has_open(&handle, &medium), "the guest has it still");
    }
    let other = drive(&qemu, "other").path;
    hotplug.change_medium(&handle, &lies(&other)).await.unwrap();
    assert!(has_open(&handle, &other) && !has_open(&handle, &medium));
    contract::end(&*driver, &handle).await;
}
