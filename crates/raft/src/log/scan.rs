//! Reads the frames of one segment and judges what ends them: the unused rest, a torn write, or
//! damage. Pure; the bytes are a whole segment file.

use std::ops::Range;

use super::frame::{self, FORMAT, HEADER, Header, Kind, SECTOR};

/// The frames of a segment.
#[derive(Debug, Default)]
pub struct Scan {
    pub frames: Vec<Found>,
    /// Where the next frame goes.
    pub end: usize,
    /// Behind `end` lie pieces of a write that never finished; they must be zeroed.
    pub torn: bool,
}

#[derive(Debug, Clone)]
pub struct Found {
    pub kind: Kind,
    pub index: u64,
    pub payload: Range<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    Damaged { at: usize, why: &'static str },
    Format { found: u8 },
}

/// Scans segment `number`. Only the segment that was written last may end in a torn write.
pub fn scan(bytes: &[u8], number: u32, is_last: bool) -> Result<Scan, Fault> {
    let mut scan = Scan::default();
    loop {
        match frame_at(bytes, scan.end, number) {
            Ok(found) => {
                if found.format != FORMAT {
                    return Err(Fault::Format { found: found.format });
                }
                let Some(kind) = found.kind() else {
                    return Err(Fault::Damaged { at: scan.end, why: "unknown kind of frame" });
                };
                let payload = scan.end + HEADER..scan.end + HEADER + found.len as usize;
                scan.end += frame::size(found.len as usize);
                scan.frames.push(Found { kind, index: found.index, payload });
            }
            Err(bad) => {
                scan.torn = is_torn(bytes, scan.end, &bad, number, is_last)?;
                return Ok(scan);
            }
        }
    }
}

/// Why there is no frame.
struct Bad {
    why: &'static str,
    /// The bytes that are not what was written: the header, or else the payload.
    extent: Range<usize>,
}

fn frame_at(bytes: &[u8], at: usize, number: u32) -> Result<Header, Bad> {
    let body = at + HEADER;
    let bad_header = |why| Bad { why, extent: at..body.min(bytes.len()) };
    let rest = bytes.get(at..).unwrap_or_default();
    let header = Header::read(rest).ok_or_else(|| bad_header("checksum of a header"))?;
    if header.segment != number {
        return Err(bad_header("a frame of another segment"));
    }
    let end = body + header.len as usize;
    let payload = bytes.get(body..end).ok_or_else(|| bad_header("a frame that is too long"))?;
    if crc32fast::hash(payload) != header.payload_crc {
        return Err(Bad { why: "checksum", extent: body..end });
    }
    Ok(header)
}

/// Judges what lies behind the last good frame: `false` for nothing, `true` for a torn write.
fn is_torn(bytes: &[u8], at: usize, bad: &Bad, number: u32, is_last: bool) -> Result<bool, Fault> {
    let rest = bytes.get(at..).unwrap_or_default();
    if is_zero(rest) {
        return Ok(false);
    }
    let damaged = Fault::Damaged { at, why: bad.why };
    if !is_last || was_durable(bytes, at, number) || !has_hole(bytes, &bad.extent) {
        return Err(damaged);
    }
    Ok(true)
}

/// Whether a later frame says that what lies at `at` had been synced.
fn was_durable(bytes: &[u8], at: usize, number: u32) -> bool {
    let later = (at + HEADER..bytes.len()).step_by(HEADER);
    later
        .filter_map(|offset| Header::read(&bytes[offset..]))
        .any(|header| header.segment == number && header.durable as usize > at)
}

/// Whether a sector of the extent still holds the zeros from before the write, at least from some
/// byte on to its end.
fn has_hole(bytes: &[u8], extent: &Range<usize>) -> bool {
    /// Fewer zeros than these at the end of a sector may be a flipped byte.
    const SURE: usize = 8;
    let mut start = extent.start;
    while start < extent.end {
        let sector_end = (start / SECTOR + 1) * SECTOR;
        let sector = &bytes[start..sector_end.min(bytes.len())];
        let zeros = sector.iter().rev().take_while(|byte| **byte == 0).count();
        // Zeros behind the extent's end prove nothing about it.
        let behind = (start + sector.len()).saturating_sub(extent.end);
        let ours = zeros.saturating_sub(behind);
        let whole = start.is_multiple_of(SECTOR) && zeros == sector.len();
        let nothing_behind = || is_zero(&bytes[extent.end.min(bytes.len())..]);
        if ours >= SURE || (ours > 0 && (whole || nothing_behind())) {
            return true;
        }
        start = sector_end;
    }
    false
}

/// Compares in words: segments are megabytes of zeros.
pub fn is_zero(bytes: &[u8]) -> bool {
    let (words, tail) = bytes.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && tail.iter().all(|byte| *byte == 0)
}
