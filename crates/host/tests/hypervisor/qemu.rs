//! The contract on real QEMU processes. The guest is one boot sector (`bootsector/`).

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use async_trait::async_trait;
use novacron_host::hypervisor::contract::Fixture;
use novacron_host::hypervisor::qemu::{QemuConfig, QemuHypervisor};
use novacron_host::hypervisor::{Boot, Drive, Handle, Hypervisor, Machine};
use novacron_model::units::Bytes;
use novacron_model::vm::{DiskBus, Firmware, Preset};
use novacron_model::volume::{DiskFormat, IoLimits};
use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

const BOOT_SECTOR: &[u8] = include_bytes!("bootsector/bootsector.bin");
const DISK: u64 = 64 << 20;

/// A data directory; what still runs in it is killed at the end.
pub struct Qemu {
    _dir: tempfile::TempDir,
    pub data: PathBuf,
}

impl Qemu {
    pub fn new() -> Self {
        Self::at("")
    }

    /// With a data directory of this name below the temporary one.
    pub fn at(below: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join(below);
        fs::create_dir_all(&data).unwrap();
        Self { _dir: dir, data }
    }

    pub async fn hypervisor(&self) -> QemuHypervisor {
        QemuHypervisor::new(self.config()).await.unwrap()
    }

    /// `NOVACRON_TEST_QEMU` names another QEMU than the one in `PATH`.
    pub fn config(&self) -> QemuConfig {
        let mut config = QemuConfig::new(&self.data);
        if let Some(binary) = std::env::var_os("NOVACRON_TEST_QEMU") {
            config.binary = binary.into();
        }
        config
    }

    /// A machine that boots the sector from a disk in `pool`.
    pub fn machine_in(pool: &Path) -> Machine {
        let uid = Uuid::now_v7();
        Machine {
            uid,
            name: "web".to_owned(),
            epoch: 1,
            cpus: 1,
            memory: Bytes::mib(64),
            boot: Boot::Firmware,
            drives: vec![boot_disk(&pool.join(format!("{uid}.qcow2")))],
            cdroms: Vec::new(),
            cidata: None,
            nics: Vec::new(),
            preset: Preset::Linux,
            firmware: Firmware::Bios,
            tpm: false,
            paused: false,
        }
    }
}

pub fn boot_disk(path: &Path) -> Drive {
    let raw = path.with_extension("raw");
    let mut content = BOOT_SECTOR.to_vec();
    content.resize(1 << 20, 0);
    fs::write(&raw, content).unwrap();
    run(Command::new("qemu-img").args(["convert", "-f", "raw", "-O", "qcow2"]).arg(&raw).arg(path));
    run(Command::new("qemu-img")
        .args(["resize", "-q", "-f", "qcow2"])
        .arg(path)
        .arg(DISK.to_string()));
    fs::remove_file(&raw).unwrap();
    Drive {
        serial: "root".to_owned(),
        bus: DiskBus::Virtio,
        boot_index: 1,
        path: path.to_owned(),
        format: DiskFormat::Qcow2,
        backing: None,
        limits: IoLimits::default(),
    }
}

pub fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

#[async_trait]
impl Fixture for Qemu {
    async fn driver(&self) -> Box<dyn Hypervisor> {
        Box::new(self.hypervisor().await)
    }

    fn machine(&self) -> Machine {
        Self::machine_in(&self.data)
    }

    fn kill(&self, handle: &Handle) {
        kill_process(pid(handle.pid), Signal::KILL).unwrap();
    }

    async fn bridge(&self, name: &str, there: bool) {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        namespace();
        let known = std::path::Path::new("/proc/sys/net/ipv4/conf").join(name).exists();
        match (known, there) {
            (false, true) => ip(&["link", "add", name, "type", "bridge"]),
            (true, false) => ip(&["link", "delete", name]),
            _ => {}
        }
    }
}

fn ip(words: &[&str]) {
    run(Command::new("ip").args(words));
}

/// Takes this thread, with what it starts from now on, into a network of its own, once.
fn namespace() {
    thread_local!(static INSIDE: Cell<bool> = const { Cell::new(false) });
    if INSIDE.replace(true) {
        return;
    }
    // SAFETY: changes no memory and no descriptors; only what this thread calls the network.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.unwrap();
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

impl Drop for Qemu {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.data.join("run")).into_iter().flatten().flatten() {
            let Ok(text) = fs::read_to_string(entry.path().join("pid")) else { continue };
            let Ok(number) = text.trim().parse::<u32>() else { continue };
            let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).contains(&*self.data.to_string_lossy()) {
                let _ = kill_process(pid(number), Signal::KILL);
            }
        }
    }
}

novacron_host::hypervisor_contract!(Qemu::new());
