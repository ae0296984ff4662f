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
//! Only plain files with plain names, each named once by the manifest, are taken; nothing that
//! the archive says about owners, modes, links or holes is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use novacron_model::units::Bytes;
use novacron_model::{Code, Error, Result};
use serde::Deserialize;
use tar::{Archive, Entry, EntryType};

use super::sink::{BLOCK, ZEROS};
use crate::storage::fault;

pub const KERNEL: &str = "kernel";
pub const INITRD: &str = "initrd";
const PACKED_DISK: &str = "disk.packed";
const MANIFEST: &str = "image.toml";

const MANIFEST_MAX: u64 = 64 << 10;
const KERNEL_MAX: u64 = 512 << 20;
const INITRD_MAX: u64 = 2 << 30;
/// Linux takes 2048 bytes with the final zero on x86 (`COMMAND_LINE_SIZE`).
const CMDLINE_MAX: usize = 2047;

/// A bundle that was unpacked into a folder: `kernel`, `initrd` and the disk as it was packed.
#[derive(Debug)]
pub struct Bundle {
    pub os: String,
    pub cmdline: String,
    pub initrd: bool,
    /// Still of unknown content.
    pub disk: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    #[serde(default)]
    os: String,
    kernel: String,
    initrd: Option<String>,
    cmdline: String,
    disk: Option<String>,
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
        Ok(Bundle {
            os: manifest.os,
            cmdline: manifest.cmdline,
            initrd: manifest.initrd.is_some(),
            disk: manifest.disk.map(|_| self.to.join(PACKED_DISK)),
        })
    }

    /// By the name in the archive: where it goes and how large it may be.
    fn wanted(&self, manifest: &Manifest) -> Result<BTreeMap<String, (&'static str, u64)>> {
        let parts = [
            (Some(&manifest.kernel), KERNEL, KERNEL_MAX),
            (manifest.initrd.as_ref(), INITRD, INITRD_MAX),
            (manifest.disk.as_ref(), PACKED_DISK, self.disk_max),
        ];
        let mut wanted = BTreeMap::new();
        for (name, place, max) in parts {
            let Some(name) = name else { continue };
            if wanted.insert(name.clone(), (place, max)).is_some() {
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
    let manifest: Manifest =
        toml::from_str(&text).map_err(|error| bad(&format!("{MANIFEST}: {}", error.message())))?;
    if manifest.format != 1 {
        return Err(bad(&format!("{MANIFEST} has format {}, only 1 is known", manifest.format)));
    }
    if manifest.cmdline.len() > CMDLINE_MAX || manifest.cmdline.contains(char::is_control) {
        return Err(bad("its kernel command line is too long or not one line"));
    }
    if manifest.os.len() > 256 || manifest.os.contains(char::is_control) {
        return Err(bad("its os is no short text"));
    }
    Ok(manifest)
}

/// Refuses whatever is not a plain file with a plain name.
fn plain_name(entry: &Entry<File>) -> Result<String> {
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
        .hint("a bundle is a tar file of image.toml, a kernel and what image.toml names")
}
