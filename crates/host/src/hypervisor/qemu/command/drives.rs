//! Disks and CD-ROM drives on the command line.

use std::path::Path;

use novacron_model::vm::DiskBus;
use novacron_model::volume::DiskFormat;
use novacron_model::{Error, Result};
use serde_json::{Value, json};

use super::super::super::{CdromDrive, Drive};
use super::{Line, text};

/// Disks beyond this share one SCSI controller: each virtio-blk disk takes a PCI slot.
const BLK_DISKS: usize = 12;
/// Ports of one AHCI controller; q35 has one from the start.
const SATA_PORTS: usize = 6;

/// The block node on which a disk's device sits.
fn node_name(index: usize) -> String {
    format!("disk{index}")
}

/// The block node of the disk's file.
fn file_node_name(index: usize) -> String {
    format!("disk{index}-file")
}

impl Line {
    pub(super) fn drive(&mut self, index: usize, drive: &Drive) -> Result<()> {
        let node = node_name(index);
        let mut block = json!({
            "node-name": node,
            "driver": drive.format.as_str(),
            "discard": "unmap",
            "detect-zeroes": "unmap",
            "file": {
                "driver": "file",
                "node-name": file_node_name(index),
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
        self.json("-blockdev", block);
        self.disk_device(index, &node, drive);
        Ok(())
    }

    /// `werror=stop`: a guest whose disk cannot grow is halted, not told of a broken disk.
    fn disk_device(&mut self, index: usize, node: &str, drive: &Drive) {
        let mut device = json!({
            "drive": node,
            "serial": drive.serial,
            "bootindex": drive.boot_index,
            "werror": "stop",
            "rerror": "report",
        });
        if drive.bus == DiskBus::Sata {
            device["driver"] = json!("ide-hd");
            device["bus"] = json!(self.sata_port());
        } else if index < BLK_DISKS {
            device["driver"] = json!("virtio-blk-pci");
        } else {
            if !std::mem::replace(&mut self.has_scsi, true) {
                self.json("-device", json!({"driver": "virtio-scsi-pci", "id": "scsi"}));
            }
            device["driver"] = json!("scsi-hd");
            device["bus"] = json!("scsi.0");
        }
        self.json("-device", device);
    }

    pub(super) fn cidata(&mut self, path: &Path) -> Result<()> {
        self.json(
            "-blockdev",
            json!({
                "node-name": "cidata",
                "driver": "raw",
                "read-only": true,
                "file": {"driver": "file", "filename": text(path)?, "read-only": true},
            }),
        );
        self.json(
            "-device",
            json!({"driver": "virtio-blk-pci", "drive": "cidata", "serial": "cidata"}),
        );
        Ok(())
    }

    /// An empty drive takes a medium later.
    pub(super) fn cdrom(&mut self, cdrom: &CdromDrive) -> Result<()> {
        let node = medium_node_name(&cdrom.name);
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

/// The device of a CD-ROM drive.
fn cdrom_id(name: &str) -> String {
    format!("cdrom-{name}")
}

/// The block node of the medium that a CD-ROM drive is started with.
fn medium_node_name(name: &str) -> String {
    format!("medium-{name}")
}

fn medium_block(node: &str, path: &Path) -> Result<Value> {
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
