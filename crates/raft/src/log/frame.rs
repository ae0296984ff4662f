//! The format of a segment: frames, one behind the other, each on a multiple of 32 bytes.
//!
//! ```text
//!   0  crc32 of the payload       16  segment number            24  kind
//!   4  length of the payload      20  durable: everything       25  format
//!   8  log index                      before this offset had    26  zero
//!                                     been synced when the      28  crc32 of the header
//!                                     frame was written         32  payload: JSON
//! ```
//!
//! Two things let a reader tell a torn write from damage. A segment is all zero, durably, before
//! it is written, a header lies within one 512-byte sector, and JSON has no zero byte: so a sector
//! that did not reach the disk shows. And what lies before the `durable` of any later frame had
//! reached the disk, whatever it looks like now.

pub const HEADER: usize = 32;
/// What a disk writes whole or not at all.
pub const SECTOR: usize = 512;
/// The format that this version writes, and the only one that it reads.
pub const FORMAT: u8 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first frame of a segment; the payload is its [`super::recover::Start`].
    Start = 1,
    Entry = 2,
    /// Everything up to `index` is committed; the payload is the log id.
    Committed = 3,
    /// Entries from `index` on no longer count.
    Truncate = 4,
}

/// A frame to be written.
#[derive(Debug)]
pub struct Frame {
    pub kind: Kind,
    pub index: u64,
    pub payload: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
pub struct Header {
    pub payload_crc: u32,
    pub len: u32,
    pub index: u64,
    pub segment: u32,
    pub durable: u32,
    pub kind: u8,
    pub format: u8,
}

impl Frame {
    /// Bytes that it takes in a segment.
    pub fn size(&self) -> usize {
        size(self.payload.len())
    }

    /// Appends it to `out`, which will be written at `durable` in `segment`.
    pub fn write(&self, out: &mut Vec<u8>, segment: u32, durable: u32) {
        let start = out.len();
        out.extend(crc32fast::hash(&self.payload).to_le_bytes());
        // Transactions are limited to far below 4 GiB.
        out.extend(u32::try_from(self.payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(self.index.to_le_bytes());
        out.extend(segment.to_le_bytes());
        out.extend(durable.to_le_bytes());
        out.extend([self.kind as u8, FORMAT, 0, 0]);
        out.extend(crc32fast::hash(&out[start..]).to_le_bytes());
        out.extend(&self.payload);
        out.resize(start + self.size(), 0);
    }
}

/// Bytes that a frame with a payload of `len` takes.
pub fn size(len: usize) -> usize {
    (HEADER + len).next_multiple_of(HEADER)
}

impl Header {
    /// `None`: this is no header.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        let word = |at: usize| bytes[at..].first_chunk().map(|word| u32::from_le_bytes(*word));
        let index = u64::from_le_bytes(*bytes[8..].first_chunk()?);
        let header = Self {
            payload_crc: word(0)?,
            len: word(4)?,
            index,
            segment: word(16)?,
            durable: word(20)?,
            kind: bytes[24],
            format: bytes[25],
        };
        (word(28)? == crc32fast::hash(&bytes[..28])).then_some(header)
    }

    pub fn kind(&self) -> Option<Kind> {
        [Kind::Start, Kind::Entry, Kind::Committed, Kind::Truncate]
            .into_iter()
            .find(|kind| *kind as u8 == self.kind)
    }
}
