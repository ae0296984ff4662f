//! Disks and CD-ROM drives on the command line.

use std::path::Path;

use novacron_model::vm::DiskBus;
use novacron_model::volume::DiskFormat;
use novacron_model::{Error, Result};
use serde_json::{Value, json};

use super::super::super::{CdromDrive, Drive};
use super::{Line, SPARE_PORTS, SPARE_SLOT, root_port, text};

/// Disks beyond this share one SCSI controller: each virtio-blk disk takes a PCI slot.
const BLK_DISKS: usize = 12;
/// Of one PCI slot.
const FUNCTIONS: usize = 8;
/// Ports of one AHCI controller; q35 has one from the start.
const SATA_PORTS: usize = 6;

impl Line {
    pub(super) fn drive(&mut self, index: usize, drive: &Drive) -> Result<()> {
        let node = format!("disk{index}");
        self.json("-blockdev", disk_block(&node, drive)?);
        self.disk_device(index, &node, drive);
        Ok(())
    }

    fn disk_device(&mut self, index: usize, node: &str, drive: &Drive) {
        let mut device = disk_device(node, drive);
        device["bootindex"] = json!(drive.boot_index);
        if drive.bus == DiskBus::Sata {
            device["driver"] = json!("ide-hd");
            device["bus"] = json!(self.sata_port());
        } else if index < BLK_DISKS {
            device["driver"] = json!("virtio-blk-pci");
            if let Some(port) = index.checked_sub(1) {
                device["bus"] = json!(self.disk_port(port));
            }
        } else {
            if !std::mem::replace(&mut self.has_scsi, true) {
                self.json("-device", json!({"driver": "virtio-scsi-pci", "id": "scsi"}));
            }
            device["driver"] = json!("scsi-hd");
            device["bus"] = json!("scsi.0");
        }
        self.json("-device", device);
    }

    /// A slot of its own, out of which a disk can be taken while the guest runs. The first disk
    /// sits in the machine itself, as guests mostly boot from it.
    fn disk_port(&mut self, number: usize) -> String {
        let (slot, function) = (number / FUNCTIONS, number % FUNCTIONS);
        let id = format!("port{number}");
        let chassis = SPARE_PORTS + 1 + number;
        let slot = usize::from(SPARE_SLOT) - 1 - slot;
        self.json("-device", root_port(&id, chassis, slot, function));
        id
    }

    /// Guests find what sits in the machine itself first, then what sits in ports, in their order: it
    /// comes after their own disks in a port behind all of theirs.
    pub(super) fn cidata(&mut self, path: &Path, disks: usize) -> Result<()> {
        self.json(
            "-blockdev",
            json!({
                "node-name": "cidata",
                "driver": "raw",
                "read-only": true,
                "file": {"driver": "file", "filename": text(path)?, "read-only": true},
            }),
        );
        let mut device = json!({"driver": "virtio-blk-pci", "drive": "cidata", "serial": "cidata"});
        if disks > 1 {
            let chassis = SPARE_PORTS + 1 + BLK_DISKS;
            self.json("-device", root_port("last", chassis, SPARE_SLOT.into(), SPARE_PORTS));
            device["bus"] = json!("last");
        }
        self.json("-device", device);
        Ok(())
    }

    /// An empty drive takes a medium later.
    pub(super) fn cdrom(&mut self, cdrom: &CdromDrive) -> Result<()> {
        let [node, _] = medium_nodes(&cdrom.name);
        if let Some(medium) = &cdrom.medium {
            self.json("-blockdev", medium_block(&node, medium)?);
        }
        let mut device = json!({
            "driver": "ide-cd",
            "id": cdrom_id(&cdrom.name),
            "bus": self.sata_port(),
            "bootindex": cdrom.boot_index,
        });
        if cdrom.medium.is_some() {
            device["drive"] = json!(node);
        }
        self.json("-device", device);
        Ok(())
    }

    /// The next free port, on a further controller if need be.
    fn sata_port(&mut self) -> String {
        let (controller, port) = (self.sata / SATA_PORTS, self.sata % SATA_PORTS);
        self.sata += 1;
        if controller == 0 {
            return format!("ide.{port}");
        }
        if port == 0 {
            self.json("-device", json!({"driver": "ich9-ahci", "id": format!("sata{controller}")}));
        }
        format!("sata{controller}.{port}")
    }
}

/// A disk's block node, `node`, and that of its file, `node-file`.
pub(in super::super) fn disk_block(node: &str, drive: &Drive) -> Result<Value> {
    let mut block = json!({
        "node-name": node,
        "driver": drive.format.as_str(),
        "discard": "unmap",
        "detect-zeroes": "unmap",
        "file": {
            "driver": "file",
            "node-name": format!("{node}-file"),
            "filename": text(&drive.path)?,
            "discard": "unmap",
        },
    });
    match (&drive.backing, drive.format) {
        (Some((path, format)), DiskFormat::Qcow2) => {
            block["backing"] = backing(path, *format)?;
        }
        // Whatever the file's header may name is not opened.
        (None, DiskFormat::Qcow2) => block["backing"] = Value::Null,
        (Some(_), DiskFormat::Raw) => {
            return Err(Error::internal(format!(
                "disk \"{}\" is raw and cannot have a backing file",
                drive.serial
            )));
        }
        (None, DiskFormat::Raw) => {}
    }
    Ok(block)
}

/// A disk's device but for where it sits. `werror=stop`: a guest whose disk cannot grow is halted,
/// not told of a broken disk.
pub(in super::super) fn disk_device(node: &str, drive: &Drive) -> Value {
    json!({
        "drive": node,
        "serial": drive.serial,
        "werror": "stop",
        "rerror": "report",
    })
}

/// The device of a CD-ROM drive.
pub(in super::super) fn cdrom_id(name: &str) -> String {
    format!("cdrom-{name}")
}

/// The block nodes of a CD-ROM drive's media: of the one that it is started with, and of another,
/// so that one can be opened while the other lies in the drive.
pub(in super::super) fn medium_nodes(drive: &str) -> [String; 2] {
    [format!("medium-{drive}"), format!("medium2-{drive}")]
}

pub(in super::super) fn medium_block(node: &str, path: &Path) -> Result<Value> {
    Ok(json!({
        "node-name": node,
        "driver": "raw",
        "read-only": true,
        "file": {"driver": "file", "filename": text(path)?, "read-only": true},
    }))
}

fn backing(path: &Path, format: DiskFormat) -> Result<Value> {
    let mut block = json!({
        "driver": format.as_str(),
        "read-only": true,
        "file": {"driver": "file", "filename": text(path)?, "read-only": true},
    });
    if format == DiskFormat::Qcow2 {
        block["backing"] = Value::Null;
    }
    Ok(block)
}
