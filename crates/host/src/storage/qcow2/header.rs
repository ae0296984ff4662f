//! Reading a qcow2 header that nobody vouches for.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use novacron_model::units::Bytes;
use novacron_model::{Error, Result};

use super::super::fault;
use super::extension;

pub const MAGIC: [u8; 4] = *b"QFI\xfb";

/// Length of a version 2 header, and of what both versions have in common.
const COMMON: usize = 72;
/// Length of a version 3 header without its optional fields.
const VERSION_3: u32 = 104;
/// QEMU's limits (`block/qcow2.h`): a 32 MiB L1 table, an 8 MiB refcount table.
const L1_BYTES_MAX: u64 = 32 << 20;
const REFCOUNT_TABLE_BYTES_MAX: u64 = 8 << 20;
const SNAPSHOTS_MAX: u32 = 65_536;

const DIRTY: u64 = 1 << 0;
const CORRUPT: u64 = 1 << 1;
const DATA_FILE: u64 = 1 << 2;
const COMPRESSION: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;

/// What matters of a header whose numbers have been checked against each other and the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub version: u32,
    pub virtual_size: Bytes,
    /// It was not closed properly; its reference counts may be wrong.
    pub dirty: bool,
    /// QEMU has found its tables damaged.
    pub corrupt: bool,
    pub snapshots: u32,
    /// Parts that reach beyond an ordinary disk. An image may have none of them.
    pub extensions: Vec<Extension>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// Its content depends on another file, which it names.
    BackingFile,
    /// Its content lies in another file, which it names.
    DataFile,
    Encryption,
    /// Dirty bitmaps; harmless.
    Bitmaps,
}

impl Header {
    /// Refuses what QEMU would not read or what points outside the file.
    pub fn read(file: &File) -> Result<Self> {
        let length = file.metadata().map_err(|error| fault::unreadable(&error))?.len();
        let mut bytes = [0; VERSION_3 as usize];
        let read = read_up_to(file, &mut bytes, 0).map_err(|error| fault::unreadable(&error))?;
        if read < COMMON || bytes[..4] != MAGIC {
            return Err(lie("it is too short for one"));
        }
        let fields = Fields(&bytes);
        let version = fields.u32(4);
        if !(2..=3).contains(&version) {
            return Err(lie(&format!("version {version} is unknown")));
        }
        if version == 3 && read < bytes.len() {
            return Err(lie("it is too short for version 3"));
        }
        fields.check_layout(version, length)?;
        let incompatible = if version == 3 { fields.u64(72) } else { 0 };
        let known = DIRTY | CORRUPT | DATA_FILE | COMPRESSION | EXTENDED_L2;
        if incompatible & !known != 0 {
            return Err(lie(&format!("feature bits {:#x} are unknown", incompatible & !known)));
        }
        let mut extensions = fields.extensions(incompatible);
        let start = if version == 3 { u64::from(fields.u32(100)) } else { COMMON as u64 };
        scan(file, start, 1 << fields.u32(20), &mut extensions)?;
        Ok(Self {
            version,
            virtual_size: Bytes(fields.u64(24)),
            dirty: incompatible & DIRTY != 0,
            corrupt: incompatible & CORRUPT != 0,
            snapshots: fields.u32(60),
            extensions,
        })
    }
}

impl Header {
    /// Whether it is an ordinary disk and nothing more, that can be used as it is.
    pub fn is_plain(&self) -> bool {
        !self.dirty && !self.corrupt && self.snapshots == 0 && self.extensions.is_empty()
    }
}

/// The header's numbers by their offset; all big-endian.
struct Fields<'a>(&'a [u8; VERSION_3 as usize]);

impl Fields<'_> {
    fn u32(&self, at: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[at..at + 4]);
        u32::from_be_bytes(bytes)
    }

    fn u64(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[at..at + 8]);
        u64::from_be_bytes(bytes)
    }

    fn check_layout(&self, version: u32, length: u64) -> Result<()> {
        let cluster_bits = self.u32(20);
        if !(9..=21).contains(&cluster_bits) {
            return Err(lie(&format!("clusters of 2^{cluster_bits} bytes are impossible")));
        }
        let cluster = 1_u64 << cluster_bits;
        let header_length = if version == 3 { self.u32(100) } else { VERSION_3 };
        if !(VERSION_3..=4096).contains(&header_length) || u64::from(header_length) > cluster {
            return Err(lie(&format!("its length is said to be {header_length}")));
        }
        if version == 3 && self.u32(96) > 6 {
            return Err(lie("its reference counts are too wide"));
        }
        if self.u64(24) == 0 {
            return Err(lie("the disk is empty"));
        }
        if self.u32(60) > SNAPSHOTS_MAX {
            return Err(lie("it has too many snapshots"));
        }
        let l1_bytes = u64::from(self.u32(36)) * 8;
        let extended = version == 3 && self.u64(72) & EXTENDED_L2 != 0;
        let l2_entries = cluster / if extended { 16 } else { 8 };
        let covered = (l1_bytes / 8).saturating_mul(l2_entries).saturating_mul(cluster);
        if covered < self.u64(24) {
            return Err(lie("its L1 table is too small for the disk"));
        }
        let refcount_bytes = u64::from(self.u32(56)) * cluster;
        table("L1 table", self.u64(40), l1_bytes, L1_BYTES_MAX, cluster, length)?;
        let at = self.u64(48);
        table("refcount table", at, refcount_bytes, REFCOUNT_TABLE_BYTES_MAX, cluster, length)
    }

    fn extensions(&self, incompatible: u64) -> Vec<Extension> {
        let found = [
            (self.u64(8) != 0 || self.u32(16) != 0, Extension::BackingFile),
            (incompatible & DATA_FILE != 0, Extension::DataFile),
            (self.u32(32) != 0, Extension::Encryption),
        ];
        found.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect()
    }
}

fn table(name: &str, at: u64, bytes: u64, max: u64, cluster: u64, length: u64) -> Result<()> {
    let inside = at.checked_add(bytes).is_some_and(|end| end <= length);
    if bytes == 0 || bytes > max || at == 0 || !at.is_multiple_of(cluster) || !inside {
        return Err(lie(&format!("its {name} is not where it should be")));
    }
    Ok(())
}

/// Walks the header extensions, which end with a zero or with the first cluster.
fn scan(file: &File, mut at: u64, cluster: u64, found: &mut Vec<Extension>) -> Result<()> {
    while at + 8 <= cluster {
        let mut bytes = [0; 8];
        if read_up_to(file, &mut bytes, at).map_err(|error| fault::unreadable(&error))? < 8 {
            break;
        }
        let both = u64::from_be_bytes(bytes);
        let length = both & u64::from(u32::MAX);
        let what = match u32::try_from(both >> 32).unwrap_or(extension::END) {
            extension::END => break,
            extension::DATA_FILE => Some(Extension::DataFile),
            extension::ENCRYPTION => Some(Extension::Encryption),
            extension::BITMAPS => Some(Extension::Bitmaps),
            _ => None,
        };
        found.extend(what.filter(|what| !found.contains(what)));
        at += 8 + length.next_multiple_of(8);
        if at > cluster {
            return Err(lie("its extensions leave the first cluster"));
        }
    }
    Ok(())
}

fn read_up_to(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], at + done as u64)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}

fn lie(what: &str) -> Error {
    Error::invalid("spec.source", format!("the image's qcow2 header is damaged: {what}"))
        .hint("check the file with `qemu-img check` where it was made")
}
