//! QEMU's command line for a machine. Pure: the same machine gives the same words.
//!
//! Disks, devices and networks are given as JSON, so that no path or name can be read as an
//! option; where QEMU takes only `key=value` lists, commas are doubled. Every disk has its format
//! and its backing file said; nothing is probed.

mod drives;
mod firmware;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::path::Path;

use novacron_model::vm::{NicModel, Preset, Protocol};
use novacron_model::{Error, Result};
use serde_json::{Value, json};

use super::super::{Boot, Forward, Machine, NicPort};
use crate::hardware::Accelerator;
use crate::network::Tap;

pub(super) use drives::{cdrom_id, disk_block, disk_device, medium_block, medium_nodes};
pub(super) use firmware::FirmwareFiles;

/// Empty slots for devices that are plugged in later.
pub(super) const SPARE_PORTS: usize = 4;
/// The slot of `pcie.0` that the spare ports share as its functions: the last free one, as QEMU
/// gives the others from the first on.
const SPARE_SLOT: u8 = 0x1e;
/// TCG's cache of translated code, in MiB; QEMU's own default may take an eighth of guest memory.
const TRANSLATION_CACHE_MIB: u32 = 256;
/// Shows a Windows guest the interfaces of Hyper-V that make it fast under KVM (QEMU's
/// `docs/system/i386/hyperv.rst`).
const HYPER_V: &str = "hv-relaxed=on,hv-vapic=on,hv-spinlocks=0x1fff,hv-vpindex=on,hv-runtime=on,\
    hv-synic=on,hv-time=on,hv-stimer=on,hv-frequencies=on,hv-tlbflush=on,hv-ipi=on";
/// Bytes that guests take for granted.
const MTU: u32 = 1500;
/// QEMU's list of system calls to do without, as strict as its features here allow.
const SANDBOX: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/// What a command line needs beside the machine.
pub(super) struct Place<'a> {
    pub accelerator: Accelerator,
    pub pid_file: &'a Path,
    pub serial_log: &'a Path,
    /// Numbers of inherited, listening sockets.
    pub qmp: i32,
    pub serial: i32,
    pub agent: i32,
    /// Where there is more than the machine's own BIOS.
    pub firmware: Option<FirmwareFiles>,
    /// The socket on which a TPM listens to this machine.
    pub tpm: Option<i32>,
    /// Inherited too, by the index of the NIC.
    pub taps: &'a BTreeMap<usize, Tap>,
}

pub(super) fn arguments(machine: &Machine, place: &Place<'_>) -> Result<Vec<OsString>> {
    let mut line = Line::default();
    line.identity(machine, place)?;
    line.channels(place)?;
    line.firmware(machine, place.firmware.as_ref(), place.tpm)?;
    line.boot(&machine.boot);
    for (index, drive) in machine.drives.iter().enumerate() {
        line.drive(index, drive)?;
    }
    for cdrom in &machine.cdroms {
        line.cdrom(cdrom)?;
    }
    if let Some(cidata) = &machine.cidata {
        line.cidata(cidata, machine.drives.len())?;
    }
    for (index, nic) in machine.nics.iter().enumerate() {
        line.nic(index, nic, place.taps.get(&index))?;
    }
    line.fixed_devices();
    if machine.paused {
        line.word("-S");
    }
    Ok(line.words)
}

#[derive(Default)]
struct Line {
    words: Vec<OsString>,
    has_scsi: bool,
    /// Drives on SATA so far.
    sata: usize,
}

impl Line {
    fn word(&mut self, word: impl Into<OsString>) {
        self.words.push(word.into());
    }

    fn option(&mut self, option: &str, value: impl Into<OsString>) {
        self.word(option);
        self.word(value);
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers write the JSON in place")]
    fn json(&mut self, option: &str, value: Value) {
        self.option(option, value.to_string());
    }

    fn identity(&mut self, machine: &Machine, place: &Place<'_>) -> Result<()> {
        let name = doubled(&printable(&machine.name));
        self.option("-name", format!("guest={name},process=vm-{name}"));
        self.option("-uuid", machine.uid.to_string());
        self.word("-nodefaults");
        self.word("-no-user-config");
        // Else the reason why a guest ended would go with the process.
        self.word("-no-shutdown");
        self.option("-action", "panic=pause");
        self.option("-sandbox", SANDBOX);
        self.option("-pidfile", text(place.pid_file)?);
        let (accelerator, cpu) = match (place.accelerator, machine.preset) {
            (Accelerator::Kvm, Preset::Linux) => ("kvm".to_owned(), "host".to_owned()),
            (Accelerator::Kvm, Preset::Windows) => ("kvm".to_owned(), format!("host,{HYPER_V}")),
            (Accelerator::Tcg, _) => {
                (format!("tcg,thread=multi,tb-size={TRANSLATION_CACHE_MIB}"), "max".to_owned())
            }
        };
        self.option("-accel", accelerator);
        self.option("-cpu", cpu);
        self.option("-smp", machine.cpus.to_string());
        self.option("-m", format!("size={}k", machine.memory.0 / 1024));
        let clock = match machine.preset {
            Preset::Linux => "base=utc",
            Preset::Windows => "base=localtime",
        };
        self.option("-rtc", clock);
        Ok(())
    }

    fn channels(&mut self, place: &Place<'_>) -> Result<()> {
        let socket = |id: &str, fd: i32| format!("socket,id={id},fd={fd},server=on,wait=off");
        self.option("-chardev", socket("qmp", place.qmp));
        self.option("-mon", "chardev=qmp,mode=control");
        let log = doubled(text(place.serial_log)?);
        let serial = socket("serial0", place.serial);
        self.option("-chardev", format!("{serial},logfile={log},logappend=on"));
        self.option("-serial", "chardev:serial0");
        self.option("-chardev", socket("agent0", place.agent));
        self.json("-device", json!({"driver": "virtio-serial-pci", "id": "channels"}));
        // Only a port with an id tells of a program that opens it.
        self.json(
            "-device",
            json!({
                "driver": "virtserialport",
                "id": "agent",
                "bus": "channels.0",
                "chardev": "agent0",
                "name": "org.qemu.guest_agent.0",
            }),
        );
        Ok(())
    }

    fn boot(&mut self, boot: &Boot) {
        self.option("-boot", "menu=off,strict=on");
        let Boot::Kernel { kernel, initrd, cmdline } = boot else { return };
        self.option("-kernel", kernel);
        if let Some(initrd) = initrd {
            self.option("-initrd", initrd);
        }
        self.option("-append", cmdline);
    }

    fn nic(&mut self, index: usize, nic: &NicPort, tap: Option<&Tap>) -> Result<()> {
        let id = format!("net{index}");
        if let Some(tap) = tap {
            let fd = tap.fd.as_raw_fd().to_string();
            self.json("-netdev", json!({"type": "tap", "id": id, "fd": fd}));
        } else {
            let forwards: Vec<Value> = nic.forwards.iter().map(forward).collect::<Result<_>>()?;
            self.json("-netdev", json!({"type": "user", "id": id, "hostfwd": forwards}));
        }
        let mac = nic.mac.map(|byte| format!("{byte:02x}")).join(":");
        let driver = match nic.model {
            NicModel::Virtio => "virtio-net-pci",
            NicModel::E1000e => "e1000e",
        };
        // Without the option ROM: guests do not boot from the network.
        let mut device = json!({"driver": driver, "netdev": id, "mac": mac, "romfile": ""});
        if let Some(tap) = tap.filter(|tap| tap.mtu != MTU && nic.model == NicModel::Virtio) {
            // Guests' drivers take it over; the others have to be told by DHCP.
            device["host_mtu"] = tap.mtu.into();
        }
        self.json("-device", device);
        Ok(())
    }

    fn fixed_devices(&mut self) {
        self.json(
            "-object",
            json!({"qom-type": "rng-random", "id": "random", "filename": "/dev/urandom"}),
        );
        self.json("-device", json!({"driver": "virtio-rng-pci", "rng": "random"}));
        self.json("-device", json!({"driver": "pvpanic-pci"}));
        self.json("-device", json!({"driver": "VGA"}));
        // A tablet gives the screen an absolute pointer.
        self.json("-device", json!({"driver": "qemu-xhci", "id": "usb"}));
        self.json("-device", json!({"driver": "usb-tablet", "bus": "usb.0"}));
        // Connections are handed in over QMP; nothing listens.
        self.option("-vnc", "none");
        for port in 0..SPARE_PORTS {
            let id = spare_port(port);
            self.json("-device", root_port(&id, port + 1, SPARE_SLOT.into(), port));
        }
    }
}

/// An empty slot for a device that comes or goes while the guest runs: function `function` of the
/// slot `slot` of the machine.
fn root_port(id: &str, chassis: usize, slot: usize, function: usize) -> Value {
    json!({
        "driver": "pcie-root-port",
        "id": id,
        "chassis": chassis,
        "port": chassis - 1,
        "addr": format!("{slot:#x}.{function}"),
        "multifunction": function == 0,
    })
}

pub(super) fn spare_port(number: usize) -> String {
    format!("spare{number}")
}

/// As QEMU writes it: `tcp:127.0.0.1:8080-:80`.
pub(super) fn forward_rule(forward: &Forward) -> Result<String> {
    let protocol = match forward.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let IpAddr::V4(address) = forward.address else {
        return Err(Error::unsupported(format!(
            "port {} cannot be forwarded from {}: user networks forward IPv4 only",
            forward.host, forward.address
        ))
        .hint("give an IPv4 address such as 127.0.0.1"));
    };
    Ok(format!("{protocol}:{address}:{}-:{}", forward.host, forward.guest))
}

fn forward(forward: &Forward) -> Result<Value> {
    Ok(json!({"str": forward_rule(forward)?}))
}

/// JSON holds only Unicode.
fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        Error::new(
            novacron_model::Code::Invalid,
            format!("the path {} is not valid UTF-8", path.display()),
        )
    })
}

/// In a `key=value,…` list a doubled comma stands for a comma.
fn doubled(text: &str) -> String {
    text.replace(',', ",,")
}

fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests;
