//! VHDX disks, as far as they tell that one is whole, on its own and of a possible size (the
//! "Virtual Hard Disk v2" format, [MS-VHDX]).
//!
//! ```text
//!  0         64 KiB    128 KiB   192 KiB        1 MiB …
//!  "vhdxfile" header 1  header 2  region table   log, metadata, block table, blocks
//! ```

use std::fs::File;

use novacron_model::units::Bytes;
use novacron_model::{Error, Result};

use super::detect::read_at;
use crate::storage::fault;

pub const MAGIC: &[u8] = b"vhdxfile";

const HEADERS: [u64; 2] = [64 << 10, 128 << 10];
const REGIONS: u64 = 192 << 10;
const REGIONS_MAX: u32 = 2047;
const ITEMS_MAX: u16 = 2047;
const ENTRY: u64 = 32;
/// Regions lie beyond the first MiB, each at a whole one.
const ALIGNMENT: u64 = 1 << 20;
/// Items lie behind the metadata region's table.
const METADATA_TABLE: u32 = 64 << 10;
const SIZE_MAX: u64 = 64 << 40;
const BLOCK_MAX: u32 = 256 << 20;

/// Identifiers of regions and metadata, as they stand in the file.
mod guid {
    const fn of(text: u128) -> [u8; 16] {
        // the first three groups are little-endian
        let b = text.to_be_bytes();
        [
            b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13],
            b[14], b[15],
        ]
    }

    pub const BLOCKS: [u8; 16] = of(0x2DC2_7766_F623_4200_9D64_115E_9BFD_4A08);
    pub const METADATA: [u8; 16] = of(0x8B7C_A206_4790_4B9A_B8FE_575F_050F_886E);
    pub const PARAMETERS: [u8; 16] = of(0xCAA1_6737_FA36_4D43_B3B6_33F0_AA44_E76B);
    pub const SIZE: [u8; 16] = of(0x2FA5_4224_CD1B_4876_B211_5DBE_D83B_F4B8);
    pub const SECTOR: [u8; 16] = of(0x8141_BF1D_A96F_4709_BA47_F233_A8FA_AB5F);
    pub const PARENT: [u8; 16] = of(0xA8D3_5F2D_B30B_454D_ABF7_D3D8_4834_AB0C);
}

const HAS_PARENT: u32 = 1 << 1;

/// The size of the disk inside. Refuses differencing disks and what lies about itself; `length`
/// is the file's.
pub fn check(file: &File, length: u64) -> Result<Bytes> {
    let reader = Reader { file, length };
    reader.check_headers()?;
    let metadata = reader.region(&guid::METADATA, "metadata")?;
    let blocks = reader.region(&guid::BLOCKS, "block table")?;
    if reader.bytes::<8>(metadata.at)? != *b"metadata" {
        return Err(lie("its metadata is not where it should be"));
    }
    if reader.item(&metadata, &guid::PARENT)?.is_some() {
        return Err(has_parent());
    }
    let parameters = reader.needed(&metadata, &guid::PARAMETERS)?;
    let (block, flags) = (reader.u32(parameters)?, reader.u32(parameters + 4)?);
    if flags & HAS_PARENT != 0 {
        return Err(has_parent());
    }
    let sector = reader.u32(reader.needed(&metadata, &guid::SECTOR)?)?;
    let at = reader.needed(&metadata, &guid::SIZE)?;
    let size = u64::from(reader.u32(at)?) | u64::from(reader.u32(at + 4)?) << 32;
    check_numbers(size, block, sector, &blocks)?;
    Ok(Bytes(size))
}

fn check_numbers(size: u64, block: u32, sector: u32, blocks: &Region) -> Result<()> {
    if !block.is_power_of_two() || !(1 << 20..=BLOCK_MAX).contains(&block) {
        return Err(lie(&format!("blocks of {block} bytes are impossible")));
    }
    if ![512, 4096].contains(&sector) {
        return Err(lie(&format!("sectors of {sector} bytes are impossible")));
    }
    if size == 0 || size > SIZE_MAX || !size.is_multiple_of(u64::from(sector)) {
        return Err(lie("its size is impossible"));
    }
    // One entry for each block, and one after so many blocks for a bitmap.
    let count = size.div_ceil(u64::from(block));
    let ratio = (u64::from(sector) << 23) / u64::from(block);
    let entries = count + (count - 1) / ratio;
    if entries * 8 > blocks.length {
        return Err(lie("its block table is too small for the disk"));
    }
    Ok(())
}

struct Region {
    at: u64,
    length: u64,
}

struct Reader<'a> {
    file: &'a File,
    length: u64,
}

impl Reader<'_> {
    fn bytes<const N: usize>(&self, at: u64) -> Result<[u8; N]> {
        if at.checked_add(N as u64).is_none_or(|end| end > self.length) {
            return Err(lie("it is cut short"));
        }
        let mut bytes = [0; N];
        read_at(self.file, &mut bytes, at).map_err(|error| fault::unreadable(&error))?;
        Ok(bytes)
    }

    fn u32(&self, at: u64) -> Result<u32> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    /// Of the two headers the one that was written last counts. A log that it names wants to be
    /// replayed.
    fn check_headers(&self) -> Result<()> {
        let mut last = None;
        for at in HEADERS {
            let head = self.bytes::<80>(at)?;
            let sequence = u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|n| head[8 + n]));
            if head[..4] == *b"head" && last.is_none_or(|(other, _)| other < sequence) {
                last = Some((sequence, head));
            }
        }
        let (_, head) = last.ok_or_else(|| lie("it has no header"))?;
        if head[66..68] != 1_u16.to_le_bytes() {
            return Err(lie("its version is unknown"));
        }
        if head[48..64] != [0; 16] {
            return Err(Error::invalid("spec.source", "the VHDX disk was not closed properly")
                .hint("shut its VM down, or mend it: qemu-img check -f vhdx -r all FILE"));
        }
        Ok(())
    }

    fn region(&self, id: &[u8; 16], name: &str) -> Result<Region> {
        let misplaced = || lie(&format!("its {name} is not where it should be"));
        if self.bytes::<4>(REGIONS)? != *b"regi" {
            return Err(lie("it has no region table"));
        }
        let count = self.u32(REGIONS + 8)?;
        if count > REGIONS_MAX {
            return Err(lie("it has too many regions"));
        }
        for n in 0..u64::from(count) {
            let entry = self.bytes::<32>(REGIONS + 16 + n * ENTRY)?;
            if entry[..16] != *id {
                continue;
            }
            let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| entry[at + n]));
            let at = u64::from(number(16)) | u64::from(number(20)) << 32;
            let length = u64::from(number(24));
            let inside = at.checked_add(length).is_some_and(|end| end <= self.length);
            if at < ALIGNMENT || !at.is_multiple_of(ALIGNMENT) || length == 0 || !inside {
                return Err(misplaced());
            }
            return Ok(Region { at, length });
        }
        Err(misplaced())
    }

    /// Where an item of the metadata lies.
    fn item(&self, metadata: &Region, id: &[u8; 16]) -> Result<Option<u64>> {
        let count = u16::from_le_bytes(self.bytes(metadata.at + 10)?);
        if count > ITEMS_MAX {
            return Err(lie("it has too much metadata"));
        }
        for n in 0..u64::from(count) {
            let entry = self.bytes::<32>(metadata.at + ENTRY + n * ENTRY)?;
            if entry[..16] != *id {
                continue;
            }
            let offset = u32::from_le_bytes([0, 1, 2, 3].map(|n| entry[16 + n]));
            if offset < METADATA_TABLE || u64::from(offset) >= metadata.length {
                return Err(lie("its metadata lies elsewhere"));
            }
            return Ok(Some(metadata.at + u64::from(offset)));
        }
        Ok(None)
    }

    fn needed(&self, metadata: &Region, id: &[u8; 16]) -> Result<u64> {
        self.item(metadata, id)?.ok_or_else(|| lie("its metadata is incomplete"))
    }
}

fn has_parent() -> Error {
    Error::invalid("spec.source", "the VHDX disk names a parent disk")
        .hint("merge it with its parents where it was made, and import the whole one")
}

fn lie(what: &str) -> Error {
    Error::invalid("spec.source", format!("the image's VHDX header is damaged: {what}"))
        .hint("check the file with `qemu-img check -f vhdx` where it was made")
}
