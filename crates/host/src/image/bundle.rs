//! Bundles: a tar archive whose first entry, `image.toml`, names the others.
//!
//! ```toml
//! format = 1
//! os = "Micro"             # optional, free text
//! kernel = "vmlinuz"
//! initrd = "initrd"        # optional
//! cmdline = "console=ttyS0"
//! disk = "disk.qcow2"      # optional; qcow2 or raw
//! ```
//!
//! One of a whole VM also holds what the VM was like, and all its disks:
//!
//! ```toml
//! format = 2
//! vm = "vm.json"           # an `ImageMachine`
//! kernel = "kernel"        # where it boots one, with its cmdline and perhaps an initrd
//!
//! [[disks]]
//! name = "root"            # as in vm.json, and in the same order
//! file = "disk-root.qcow2"
//! ```
//!
//! Only plain files with plain names, each named once by the manifest, are taken; nothing that
//! the archive says about owners, modes, links or holes is.

pub mod manifest;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use novacron_model::image::ImageMachine;
use novacron_model::units::Bytes;
use novacron_model::{Code, Error, Name, Result};
use tar::{Archive, Entry, EntryType};

use self::manifest::{MANIFEST, Manifest};
use super::sparse::{BLOCK, ZEROS};
use crate::storage::fault;

pub const KERNEL: &str = "kernel";
pub const INITRD: &str = "initrd";
const PACKED_VM: &str = "vm.packed";

const MANIFEST_MAX: u64 = 64 << 10;
/// What the API takes as a VM, twice; it becomes a part of the image's status.
const VM_MAX: u64 = 2 << 20;
const KERNEL_MAX: u64 = 512 << 20;
const INITRD_MAX: u64 = 2 << 30;

/// A bundle that was unpacked into a folder: `kernel`, `initrd` and the disks as they were packed.
#[derive(Debug)]
pub struct Bundle {
    pub os: String,
    pub kernel: Option<Kernel>,
    pub disks: Vec<PackedDisk>,
    /// Of a whole VM.
    pub machine: Option<ImageMachine>,
}

/// What is booted in place of firmware.
#[derive(Debug)]
pub struct Kernel {
    pub cmdline: String,
    pub initrd: bool,
}

#[derive(Debug)]
pub struct PackedDisk {
    /// Of a whole VM's.
    pub name: Option<Name>,
    /// Still of unknown content.
    pub path: PathBuf,
}

/// Ends early when the caller goes.
pub async fn unpack(from: &Path, to: &Path, disk_max: Bytes) -> Result<Bundle> {
    let cancel = Arc::new(AtomicBool::new(false));
    let unpacker =
        Unpacker { to: to.to_owned(), disk_max: disk_max.0, cancel: Arc::clone(&cancel) };
    let from = from.to_owned();
    let _guard = CancelOnDrop(cancel);
    let done = tokio::task::spawn_blocking(move || unpacker.run(&from)).await;
    done.map_err(|error| Error::internal(format!("unpacking was lost: {error}")))?
}

/// The machine in a bundle whose beginning this is, where it is of a whole VM.
pub fn machine_in(head: &[u8]) -> Option<ImageMachine> {
    let mut archive = Archive::new(head);
    let mut entries = archive.entries().ok()?;
    let mut text = |name: &str| {
        let mut entry = entries.next()?.ok()?;
        if plain_name(&entry).ok()? != name || entry.size() > VM_MAX {
            return None;
        }
        let mut text = String::new();
        entry.read_to_string(&mut text).ok().map(|_| text)
    };
    let manifest = Manifest::read(&text(MANIFEST)?).ok()?;
    let vm = text(manifest.vm.as_deref()?)?;
    manifest.machine(vm.as_bytes()).ok()
}

struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Unpacker {
    to: PathBuf,
    disk_max: u64,
    cancel: Arc<AtomicBool>,
}

impl Unpacker {
    fn run(&self, from: &Path) -> Result<Bundle> {
        let file = File::open(from).map_err(fault::at(from, "read"))?;
        let mut archive = Archive::new(file);
        let mut entries = archive.entries().map_err(|error| bad(&error.to_string()))?;
        let first = entries.next().ok_or_else(|| bad("it is empty"))?;
        let manifest = read_manifest(&mut first.map_err(|error| bad(&error.to_string()))?)?;
        let mut missing = self.wanted(&manifest)?;
        for entry in entries {
            let mut entry = entry.map_err(|error| bad(&error.to_string()))?;
            let name = plain_name(&entry)?;
            let Some((place, max)) = missing.remove(&name) else {
                return Err(bad(&format!("\"{name}\" is named twice or not at all in {MANIFEST}")));
            };
            self.copy(&mut entry, &name, &self.to.join(place), max)?;
        }
        if let Some(name) = missing.keys().next() {
            return Err(bad(&format!("\"{name}\" is missing")));
        }
        self.bundle(manifest)
    }

    /// What has been unpacked.
    fn bundle(&self, manifest: Manifest) -> Result<Bundle> {
        let machine = if manifest.vm.is_some() {
            let path = self.to.join(PACKED_VM);
            let json = std::fs::read(&path).map_err(fault::at(&path, "read"))?;
            std::fs::remove_file(&path).map_err(fault::at(&path, "remove"))?;
            Some(manifest.machine(&json)?)
        } else {
            None
        };
        let plain = manifest.disk.iter().map(|_| None);
        let names = plain.chain(manifest.disks.into_iter().map(|disk| Some(disk.name)));
        let packed =
            |(n, name)| PackedDisk { name, path: self.to.join(format!("disk-{n}.packed")) };
        let initrd = manifest.initrd.is_some();
        let cmdline = manifest.cmdline.unwrap_or_default();
        Ok(Bundle {
            os: manifest.os,
            kernel: manifest.kernel.map(|_| Kernel { cmdline, initrd }),
            disks: names.enumerate().map(packed).collect(),
            machine,
        })
    }

    /// By the name in the archive: where it goes and how large it may be.
    fn wanted(&self, manifest: &Manifest) -> Result<BTreeMap<String, (String, u64)>> {
        let parts = [
            (manifest.vm.as_ref(), PACKED_VM, VM_MAX),
            (manifest.kernel.as_ref(), KERNEL, KERNEL_MAX),
            (manifest.initrd.as_ref(), INITRD, INITRD_MAX),
        ];
        let parts =
            parts.into_iter().filter_map(|(name, to, max)| Some((name?, to.to_owned(), max)));
        let disks = manifest.disk.iter().chain(manifest.disks.iter().map(|disk| &disk.file));
        let disks = disks.enumerate();
        let disks = disks.map(|(n, name)| (name, format!("disk-{n}.packed"), self.disk_max));
        let mut wanted = BTreeMap::new();
        for (name, to, max) in parts.chain(disks) {
            if wanted.insert(name.clone(), (to, max)).is_some() {
                return Err(bad(&format!("{MANIFEST} names \"{name}\" twice")));
            }
        }
        Ok(wanted)
    }

    fn copy(&self, entry: &mut Entry<File>, name: &str, to: &Path, max: u64) -> Result<()> {
        if entry.size() > max {
            let message = format!("\"{name}\" in the bundle is larger than {}", Bytes(max));
            return Err(Error::new(Code::TooLarge, message).at("spec.source"));
        }
        let file = File::create_new(to).map_err(fault::at(to, "make"))?;
        let (mut done, size) = (0, entry.size());
        let mut buffer = vec![0; BLOCK];
        while done < size {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Error::unavailable("the import was given up"));
            }
            let n = match entry.read(&mut buffer) {
                Ok(0) => return Err(bad(&format!("it ends in the middle of \"{name}\""))),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(bad(&error.to_string())),
            };
            // Holes where nothing is: a raw disk stays as it is unpacked here.
            if buffer[..n] != ZEROS[..n] {
                file.write_all_at(&buffer[..n], done).map_err(fault::at(to, "write"))?;
            }
            done += n as u64;
        }
        file.set_len(size).map_err(fault::at(to, "write"))
    }
}

fn read_manifest(entry: &mut Entry<File>) -> Result<Manifest> {
    if plain_name(entry)? != MANIFEST || entry.size() > MANIFEST_MAX {
        return Err(bad(&format!("its first entry is not {MANIFEST}")));
    }
    let mut text = String::new();
    entry.read_to_string(&mut text).map_err(|error| bad(&error.to_string()))?;
    Manifest::read(&text)
}

/// Refuses whatever is not a plain file with a plain name.
fn plain_name(entry: &Entry<impl Read>) -> Result<String> {
    let bytes = entry.path_bytes();
    let shown: String = String::from_utf8_lossy(&bytes).escape_default().take(80).collect();
    if !matches!(entry.header().entry_type(), EntryType::Regular | EntryType::Continuous) {
        return Err(bad(&format!("\"{shown}\" is not a plain file")));
    }
    let name = bytes.strip_prefix(b"./").unwrap_or(&bytes);
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let plain = (1..=100).contains(&name.len()) && name.iter().all(is_plain) && name[0] != b'.';
    match str::from_utf8(name) {
        Ok(name) if plain => Ok(name.into()),
        _ => Err(bad(&format!("\"{shown}\" is not a plain file name"))),
    }
}

fn bad(what: &str) -> Error {
    Error::invalid("spec.source", format!("the image is no usable bundle: {what}"))
        .hint("a bundle is a tar file of image.toml and what that names: see docs/images.md")
}
