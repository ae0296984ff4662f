//! Writing the bundle of a whole VM, which [`super::bundle`] reads: a tar archive that streams out
//! with its length known beforehand.

use std::io;

use bytes::Bytes as Chunk;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use novacron_model::image::ImageMachine;
use novacron_model::units::Bytes;
use novacron_model::{Error, Result};
use tar::{EntryType, Header};

use super::bundle::manifest::{DiskEntry, FORMAT, MANIFEST, Manifest, VM};

/// Tar archives consist of blocks of this size.
const BLOCK: u64 = 512;
/// Two empty blocks end an archive.
static END: [u8; 1024] = [0; 1024];
const KERNEL: &str = "kernel";
const INITRD: &str = "initrd";

/// A file on its way into the archive.
pub struct Part {
    pub size: Bytes,
    pub bytes: BoxStream<'static, Result<Chunk>>,
}

/// What a VM boots in place of firmware.
pub struct Kernel {
    pub kernel: Part,
    pub initrd: Option<Part>,
    pub cmdline: String,
}

/// A VM to be written; the machine's disks and `disks` are the same, in the same order.
pub struct Packing {
    pub os: String,
    pub machine: ImageMachine,
    pub kernel: Option<Kernel>,
    /// qcow2, each whole by itself.
    pub disks: Vec<Part>,
}

/// The archive.
pub fn pack(packing: Packing) -> Result<Part> {
    let Packing { os, machine, kernel, disks } = packing;
    let mut manifest =
        Manifest { format: FORMAT, os, vm: Some(VM.to_owned()), ..Manifest::default() };
    let mut files = Vec::new();
    if let Some(Kernel { kernel, initrd, cmdline }) = kernel {
        (manifest.kernel, manifest.cmdline) = (Some(KERNEL.to_owned()), Some(cmdline));
        files.push((KERNEL.to_owned(), kernel));
        if let Some(initrd) = initrd {
            manifest.initrd = Some(INITRD.to_owned());
            files.push((INITRD.to_owned(), initrd));
        }
    }
    for (disk, content) in machine.disks.iter().zip(disks) {
        // A name of its own kind, so that no disk is taken for another part.
        let file = format!("disk-{}.qcow2", disk.name);
        manifest.disks.push(DiskEntry { name: disk.name.clone(), file: file.clone() });
        files.push((file, content));
    }
    let broken = |error: &dyn std::fmt::Display| Error::internal(format!("{MANIFEST}: {error}"));
    let manifest = toml::to_string(&manifest).map_err(|error| broken(&error))?;
    let vm = serde_json::to_vec_pretty(&machine).map_err(|error| broken(&error))?;
    let head = [(MANIFEST.to_owned(), whole(manifest.into())), (VM.to_owned(), whole(vm.into()))];
    let mut size = END.len() as u64;
    let mut parts = Vec::new();
    for (name, part) in head.into_iter().chain(files) {
        let header = header(&name, part.size.0).map_err(|error| broken(&error))?;
        let padding = part.size.0.next_multiple_of(BLOCK) - part.size.0;
        size += BLOCK + part.size.0 + padding;
        parts.extend([whole(header).bytes, part.bytes, whole(zeros(padding)).bytes]);
    }
    parts.push(whole(Chunk::from_static(&END)).bytes);
    Ok(Part { size: Bytes(size), bytes: stream::iter(parts).flatten().boxed() })
}

fn header(name: &str, size: u64) -> io::Result<Chunk> {
    let mut header = Header::new_gnu();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    Ok(Chunk::copy_from_slice(header.as_bytes()))
}

fn whole(bytes: Chunk) -> Part {
    Part { size: Bytes(bytes.len() as u64), bytes: stream::iter([Ok(bytes)]).boxed() }
}

/// Less than a block of them.
fn zeros(count: u64) -> Chunk {
    Chunk::from_static(&END).slice(..usize::try_from(count).unwrap_or(0))
}
