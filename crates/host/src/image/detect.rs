//! What a file is, by its first bytes and by our own code.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use novacron_model::image::ImageFormat;
use novacron_model::units::Bytes;
use novacron_model::{Code, Error, Result};

use super::{iso, vhdx, vmdk};
use crate::storage::fault;
use crate::storage::qcow2::{self, Extension, Header};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detected {
    Qcow2(Header),
    /// Anything that is nothing else; its size, in whole sectors.
    Raw(Bytes),
    /// In one file; size of the disk inside.
    Vmdk(Bytes),
    /// Size of the disk inside.
    Vhdx(Bytes),
    /// A CD or DVD.
    Iso,
    /// A tar archive.
    Bundle,
}

impl Detected {
    pub fn format(&self) -> ImageFormat {
        match self {
            Self::Qcow2(_) => ImageFormat::Qcow2,
            Self::Raw(_) => ImageFormat::Raw,
            Self::Vmdk(_) => ImageFormat::Vmdk,
            Self::Vhdx(_) => ImageFormat::Vhdx,
            Self::Iso => ImageFormat::Iso,
            Self::Bundle => ImageFormat::Bundle,
        }
    }
}

/// Snapshots inside an image are dropped; so many speak of an attack or a mistake.
const SNAPSHOTS_MAX: u32 = 100;
const SECTOR: u64 = 512;

/// Disk formats of others: offset, magic, name, QEMU's name.
const FOREIGN: [(usize, &[u8], &str, &str); 8] = [
    (0, b"COWD", "VMDK version 3", "vmdk"),
    (0, b"conectix", "VHD", "vpc"),
    (0x40, b"\x7f\x10\xda\xbe", "VDI", "vdi"),
    (0, b"QED\0", "QED", "qed"),
    (0, b"WithoutFreeSpace", "Parallels", "parallels"),
    (0, b"WithouFreSpacExt", "Parallels", "parallels"),
    (0, b"LUKS\xba\xbe", "LUKS", "luks"),
    (0, b"Bochs Virtual HD Image", "Bochs", "bochs"),
];

/// Compressed files: magic, name, the program that unpacks.
const COMPRESSED: [(&[u8], &str, &str); 7] = [
    (b"\x1f\x8b", "gzip", "gunzip"),
    (b"\xfd7zXZ\0", "xz", "unxz"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"),
    (b"BZh", "bzip2", "bunzip2"),
    (b"\x04\x22\x4d\x18", "lz4", "unlz4"),
    (b"PK\x03\x04", "zip", "unzip"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x"),
];

/// Refuses what cannot be imported, saying what it is.
pub fn detect(path: &Path) -> Result<Detected> {
    let file = File::open(path).map_err(fault::at(path, "read"))?;
    let length = file.metadata().map_err(fault::at(path, "read"))?.len();
    let mut head = [0; 512];
    read_at(&file, &mut head, 0).map_err(fault::at(path, "read"))?;
    if head.starts_with(&qcow2::MAGIC) {
        return qcow2_image(&file);
    }
    if head[257..].starts_with(b"ustar") {
        return Ok(Detected::Bundle);
    }
    if head.starts_with(&vmdk::MAGIC) {
        return vmdk::check(&file, length).map(Detected::Vmdk);
    }
    if head.starts_with(vhdx::MAGIC) {
        return vhdx::check(&file, length).map(Detected::Vhdx);
    }
    refuse_foreign(&head)?;
    // A CD keeps its first 32 KiB free for others, so this comes after all that may stand there.
    if iso::is_iso(&file).map_err(fault::at(path, "read"))? {
        iso::check(&file, length)?;
        return Ok(Detected::Iso);
    }
    let mut tail = [0; 512];
    if length > SECTOR {
        read_at(&file, &mut tail, length - SECTOR).map_err(fault::at(path, "read"))?;
    }
    if tail.starts_with(b"conectix") {
        return Err(foreign("VHD", "vpc"));
    }
    Ok(Detected::Raw(Bytes(length.next_multiple_of(SECTOR))))
}

/// Whether an image that begins so is kept as it came, most likely.
pub fn stays(head: &[u8; 512]) -> bool {
    let is_converted = head.starts_with(&vmdk::MAGIC) || head.starts_with(vhdx::MAGIC);
    !is_converted && !head[257..].starts_with(b"ustar")
}

fn qcow2_image(file: &File) -> Result<Detected> {
    let mut version = [0; 4];
    read_at(file, &mut version, 4).map_err(|error| Error::internal(error.to_string()))?;
    if version == 1_u32.to_be_bytes() {
        return Err(foreign("QCOW version 1", "qcow"));
    }
    let header = Header::read(file)?;
    for extension in &header.extensions {
        let what = match extension {
            Extension::BackingFile => "names a backing file",
            Extension::DataFile => "names an external data file",
            Extension::Encryption => "is encrypted",
            Extension::Bitmaps => continue,
        };
        return Err(Error::invalid("spec.source", format!("the image {what}"))
            .hint("make a whole one: qemu-img convert -O qcow2 OLD NEW"));
    }
    if header.corrupt {
        return Err(Error::invalid("spec.source", "the image is marked as corrupt")
            .hint("mend it with `qemu-img check -r all` where it was made"));
    }
    if header.snapshots > SNAPSHOTS_MAX {
        let message = format!("the image has {} snapshots inside", header.snapshots);
        return Err(Error::invalid("spec.source", message)
            .hint("make one without: qemu-img convert -O qcow2 OLD NEW"));
    }
    Ok(Detected::Qcow2(header))
}

fn refuse_foreign(head: &[u8; 512]) -> Result<()> {
    for (at, magic, name, qemu_name) in FOREIGN {
        if head[at..].starts_with(magic) {
            return Err(foreign(name, qemu_name));
        }
    }
    if vmdk::is_descriptor(head) {
        return Err(vmdk::refused("does not lie in one file: this is its descriptor"));
    }
    for (magic, name, program) in COMPRESSED {
        if head.starts_with(magic) {
            return Err(Error::new(Code::Invalid, format!("the image is compressed with {name}"))
                .at("spec.source")
                .hint(format!("unpack it first: {program} FILE")));
        }
    }
    let text = head.trim_ascii_start();
    if [b"<!".as_slice(), b"<htm", b"<HTM", b"<?xml"].iter().any(|tag| text.starts_with(tag)) {
        return Err(Error::invalid("spec.source", "the image is a web page")
            .hint("the link leads to a page about the image, not to the image"));
    }
    Ok(())
}

fn foreign(name: &str, qemu_name: &str) -> Error {
    Error::invalid("spec.source", format!("the image is a {name} disk, which is not taken"))
        .hint(format!("convert it first: qemu-img convert -f {qemu_name} -O qcow2 OLD NEW"))
}

pub(super) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], at + done as u64)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
