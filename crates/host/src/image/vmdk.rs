//! VMDK disks in one file: sparse (`monolithicSparse`) and compressed as a stream
//! (`streamOptimized`, as OVF packages have them). Read as `VMware`'s "Virtual Disk Format 5.0"
//! describes them, and where that leaves a choice, as QEMU's `block/vmdk.c` will: what it would
//! open beyond this file must be seen here first.
//!
//! ```text
//!  sector 0   1            …
//!  header     descriptor   tables, grains …   [footer header, end mark]   (a stream)
//! ```

use std::fs::File;

use novacron_model::units::Bytes;
use novacron_model::{Error, Result};

use super::detect::read_at;
use crate::storage::fault;

pub const MAGIC: [u8; 4] = *b"KDMV";
const SECTOR: u64 = 512;
/// QEMU reads so much of a descriptor, always from sector 1.
const DESCRIPTOR: u64 = 20 * SECTOR;
const DESCRIPTOR_SECTORS_MAX: u64 = 2048;
/// Place of the grain directory that says: see the footer.
const AT_END: u64 = u64::MAX;
/// Entries of a grain table.
const ENTRIES: u64 = 512;
const GRAIN_SECTORS_MAX: u64 = 1 << 16;
const FOOTER: u64 = 3 * SECTOR;
const FOOTER_MARKER: u32 = 3;

const WHOLE: &str = "make a whole one: qemu-img convert -f vmdk -O qcow2 OLD NEW";

/// Whether this begins a text that names the files of a disk. Comments and empty lines may come
/// before, as in QEMU's `vmdk_probe`.
pub fn is_descriptor(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines().map(str::trim);
    let first = lines.clone().find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| line.to_ascii_lowercase().starts_with("version="))
        || lines.any(|line| line.to_ascii_lowercase().starts_with("# disk descriptorfile"))
}

/// The size of the disk inside. Refuses what names other files or lies about itself; `length`
/// is the file's.
pub fn check(file: &File, length: u64) -> Result<Bytes> {
    let header = Header::read(file, 0)?;
    header.check_descriptor_place(length)?;
    // Without a capacity QEMU takes the descriptor's word for where the disk lies.
    header.check(length)?;
    let used = if header.directory == AT_END { footer(file, length)? } else { header };
    used.check(length)?;
    used.check_tables(length)?;
    check_descriptor(file, &header)?;
    used.capacity.checked_mul(SECTOR).map(Bytes).ok_or_else(|| lie("its size is impossible"))
}

/// The numbers of a sparse extent's header, little-endian, offsets and sizes in sectors.
#[derive(Debug, Clone, Copy)]
struct Header {
    version: u32,
    flags: u32,
    capacity: u64,
    grain: u64,
    descriptor: u64,
    descriptor_size: u64,
    entries: u32,
    spare_directory: u64,
    directory: u64,
    overhead: u64,
    compression: u16,
}

const SPARE_DIRECTORY: u32 = 1 << 1;
const DEFLATE: u16 = 1;

impl Header {
    fn read(file: &File, at: u64) -> Result<Self> {
        let mut bytes = [0; 79];
        read_at(file, &mut bytes, at).map_err(|error| fault::unreadable(&error))?;
        if bytes[..4] != MAGIC {
            return Err(lie("it has no footer"));
        }
        let u32 = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| bytes[at + n]));
        let u64 = |at: usize| u64::from(u32(at)) | u64::from(u32(at + 4)) << 32;
        Ok(Self {
            version: u32(4),
            flags: u32(8),
            capacity: u64(12),
            grain: u64(20),
            descriptor: u64(28),
            descriptor_size: u64(36),
            entries: u32(44),
            spare_directory: u64(48),
            directory: u64(56),
            overhead: u64(64),
            compression: u16::from_le_bytes([bytes[77], bytes[78]]),
        })
    }

    fn check_descriptor_place(&self, length: u64) -> Result<()> {
        if self.descriptor == 0 {
            return Err(one_part());
        }
        let end = self.descriptor_size.saturating_add(1).saturating_mul(SECTOR);
        let odd = !(1..=DESCRIPTOR_SECTORS_MAX).contains(&self.descriptor_size) || end > length;
        if self.descriptor != 1 || odd {
            return Err(lie("its descriptor is not where it should be"));
        }
        Ok(())
    }

    fn check(&self, length: u64) -> Result<()> {
        if !(1..=3).contains(&self.version) {
            return Err(lie(&format!("version {} is unknown", self.version)));
        }
        if self.capacity == 0 {
            return Err(lie("the disk is empty"));
        }
        let grain = self.grain;
        if !grain.is_power_of_two() || !(8..=GRAIN_SECTORS_MAX).contains(&grain) {
            return Err(lie(&format!("grains of {grain} sectors are impossible")));
        }
        if u64::from(self.entries) != ENTRIES {
            return Err(lie(&format!("tables of {} entries are impossible", self.entries)));
        }
        if self.compression > DEFLATE {
            return Err(lie(&format!("compression {} is unknown", self.compression)));
        }
        if self.overhead > length / SECTOR {
            return Err(lie("it is cut short"));
        }
        Ok(())
    }

    fn check_tables(&self, length: u64) -> Result<()> {
        let tables = self.capacity.div_ceil(self.grain * ENTRIES);
        let spare = (self.flags & SPARE_DIRECTORY != 0).then_some(self.spare_directory);
        for at in [Some(self.directory), spare].into_iter().flatten() {
            let end = at.checked_mul(SECTOR).and_then(|at| at.checked_add(tables * 4));
            if at == 0 || end.is_none_or(|end| end > length) {
                return Err(lie("its grain directory is not where it should be"));
            }
        }
        Ok(())
    }
}

/// The header at the end of a stream, which stands over the one at its beginning.
fn footer(file: &File, length: u64) -> Result<Header> {
    let at = length.checked_sub(FOOTER).filter(|_| length.is_multiple_of(SECTOR));
    let at = at.ok_or_else(|| lie("it is cut short"))?;
    let mut marker = [0; 16];
    read_at(file, &mut marker, at).map_err(|error| fault::unreadable(&error))?;
    if marker[8..12] != [0; 4] || marker[12..] != FOOTER_MARKER.to_le_bytes() {
        return Err(lie("its footer is missing; it may be cut short"));
    }
    let footer = Header::read(file, at + SECTOR)?;
    if footer.directory == AT_END {
        return Err(lie("its footer points at itself"));
    }
    Ok(footer)
}

/// The text that says what the disk is made of.
fn check_descriptor(file: &File, header: &Header) -> Result<()> {
    let said = header.descriptor_size * SECTOR;
    let mut bytes = vec![0; usize::try_from(said.max(DESCRIPTOR)).map_err(|_| lie("too large"))?];
    read_at(file, &mut bytes, SECTOR).map_err(|error| fault::unreadable(&error))?;
    // Wherever it stands: QEMU searches for the word, it does not read lines.
    let lower = bytes.to_ascii_lowercase();
    if lower.windows(PARENT.len()).any(|window| window == PARENT) {
        return Err(refused("names a parent disk"));
    }
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    Descriptor::parse(&String::from_utf8_lossy(text)).check(header.capacity)
}

const PARENT: &[u8] = b"parentfilenamehint";

#[derive(Debug, Default)]
struct Descriptor {
    create_type: String,
    parent: Option<String>,
    /// Access, sectors, type and the rest of each line.
    extents: Vec<[String; 4]>,
}

impl Descriptor {
    fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines().map(str::trim) {
            let mut words = line.splitn(4, char::is_whitespace).map(str::to_owned);
            let mut word = || words.next().unwrap_or_default();
            let extent = [word(), word(), word(), word()];
            if ["RW", "RDONLY", "NOACCESS"]
                .iter()
                .any(|access| extent[0].eq_ignore_ascii_case(access))
            {
                found.extents.push(extent);
            } else if let Some((key, value)) = line.split_once('=') {
                let value = value.trim().trim_matches('"').to_owned();
                match key.trim().to_ascii_lowercase().as_str() {
                    "createtype" => found.create_type = value,
                    "parentcid" => found.parent = Some(value),
                    _ => (),
                }
            }
        }
        found
    }

    fn check(&self, capacity: u64) -> Result<()> {
        if self.parent.as_deref().is_some_and(|parent| !parent.eq_ignore_ascii_case("ffffffff")) {
            return Err(refused("names a parent disk"));
        }
        if self.create_type.is_empty() && self.extents.is_empty() {
            return Err(one_part());
        }
        if !["monolithicSparse", "streamOptimized"].contains(&self.create_type.as_str()) {
            let kind: String =
                self.create_type.chars().filter(char::is_ascii_alphanumeric).collect();
            return Err(refused(&format!("is of the type \"{kind}\", which lies in other files")));
        }
        let [extent] = self.extents.as_slice() else {
            return Err(refused("does not lie in one file"));
        };
        if !extent[2].eq_ignore_ascii_case("SPARSE") || extent[3].contains(['/', '\\']) {
            return Err(refused("names other files"));
        }
        if extent[1].parse() != Ok(capacity) {
            return Err(lie("its descriptor tells another size"));
        }
        Ok(())
    }
}

fn one_part() -> Error {
    Error::invalid("spec.source", "the image is one part of a VMDK disk").hint(WHOLE)
}

pub fn refused(what: &str) -> Error {
    Error::invalid("spec.source", format!("the VMDK disk {what}")).hint(WHOLE)
}

fn lie(what: &str) -> Error {
    Error::invalid("spec.source", format!("the image's VMDK header is damaged: {what}"))
        .hint("check the file with `qemu-img check -f vmdk` where it was made")
}
