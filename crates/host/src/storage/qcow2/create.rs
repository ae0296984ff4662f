//! Writing a new, empty qcow2 disk, with or without a backing file.
//!
//! ```text
//!  cluster 0      1               2               3 …
//!  header         refcount table  refcount block  L1 table
//! ```

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::FileExt;

use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat;

use super::{MAGIC, extension};

/// Larger disks would need an L1 table of more than 4 MiB.
pub const SIZE_MAX: Bytes = Bytes(256 << 40);

const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Bytes of the disk for which one L1 entry stands.
const PER_L1_ENTRY: u64 = CLUSTER * (CLUSTER / 8);
/// Clusters that one refcount block of 16-bit counts covers.
const PER_REFCOUNT_BLOCK: u64 = CLUSTER / 2;
const HEADER_LENGTH: u32 = 104;
/// Limit of the format.
const BACKING_NAME_MAX: usize = 1023;

/// Writes into an empty file. `size` is a multiple of 512; a relative `backing` name is relative
/// to the file's own folder.
pub fn create(file: &File, size: Bytes, backing: Option<(&str, DiskFormat)>) -> Result<()> {
    let bad = |message: &str| Error::new(ErrorKind::InvalidInput, message);
    if size > SIZE_MAX || !size.0.is_multiple_of(512) {
        return Err(bad("not a size for a qcow2 disk"));
    }
    if backing.is_some_and(|(name, _)| name.len() > BACKING_NAME_MAX) {
        return Err(bad("the backing file's path is longer than qcow2 can hold"));
    }
    let l1_entries = size.0.div_ceil(PER_L1_ENTRY);
    let clusters = 3 + (l1_entries * 8).div_ceil(CLUSTER);
    debug_assert!(clusters <= PER_REFCOUNT_BLOCK);

    let counts = 1_u16.to_be_bytes().repeat(usize::try_from(clusters).map_err(Error::other)?);
    file.write_all_at(&header(size, l1_entries, backing), 0)?;
    file.write_all_at(&(2 * CLUSTER).to_be_bytes(), CLUSTER)?;
    file.write_all_at(&counts, 2 * CLUSTER)?;
    file.set_len(clusters * CLUSTER)
}

fn header(size: Bytes, l1_entries: u64, backing: Option<(&str, DiskFormat)>) -> Vec<u8> {
    let extensions = extensions(backing.map(|(_, format)| format));
    let name = backing.map_or("", |(name, _)| name).as_bytes();
    let name_at = if name.is_empty() { 0 } else { HEADER_LENGTH as usize + extensions.len() };

    let mut out = Vec::with_capacity(name_at + name.len());
    out.extend(MAGIC);
    out.extend(3_u32.to_be_bytes()); // version
    out.extend((name_at as u64).to_be_bytes());
    out.extend(u32::try_from(name.len()).unwrap_or(0).to_be_bytes());
    out.extend(CLUSTER_BITS.to_be_bytes());
    out.extend(size.0.to_be_bytes());
    out.extend(0_u32.to_be_bytes()); // no encryption
    out.extend(u32::try_from(l1_entries).unwrap_or(0).to_be_bytes());
    out.extend((3 * CLUSTER).to_be_bytes()); // L1 table
    out.extend(CLUSTER.to_be_bytes()); // refcount table
    out.extend(1_u32.to_be_bytes()); // its clusters
    out.extend([0; 4 + 8]); // no snapshots
    out.extend([0; 3 * 8]); // no features
    out.extend(4_u32.to_be_bytes()); // counts of 2^4 bits
    out.extend(HEADER_LENGTH.to_be_bytes());
    out.extend(extensions);
    out.extend(name);
    out
}

fn extensions(backing: Option<DiskFormat>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(format) = backing {
        let name = format.as_str().as_bytes();
        out.extend(extension::BACKING_FORMAT.to_be_bytes());
        out.extend(u32::try_from(name.len()).unwrap_or(0).to_be_bytes());
        out.extend(name);
        out.resize(out.len().next_multiple_of(8), 0);
    }
    out.extend(extension::END.to_be_bytes());
    out.extend(0_u32.to_be_bytes());
    out
}
