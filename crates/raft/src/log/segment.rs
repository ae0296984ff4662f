//! The segment that is written now: frames go in at its end, a group at a time.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::frame::{self, Frame, Kind};
use super::index::Place;
use crate::disk::DiskFile;

/// Payload of a segment's first frame.
#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    /// Size of the file, which never changes: a shorter one has been cut off.
    pub bytes: u64,
}

impl Start {
    /// The first frame of a segment of this many bytes.
    pub fn frame(bytes: u64) -> io::Result<Frame> {
        let payload = serde_json::to_vec(&Self { bytes })?;
        Ok(Frame { kind: Kind::Start, index: 0, payload })
    }
}

pub struct Segment {
    pub file: Arc<dyn DiskFile>,
    pub number: u32,
    /// Where the next frame goes; all before it is durable.
    pub end: usize,
    pub bytes: u64,
}

impl Segment {
    /// Begins a zero-filled file as segment `number`; durable once `file` has been synced.
    pub fn begin(file: Arc<dyn DiskFile>, number: u32, bytes: u64) -> io::Result<Self> {
        let mut segment = Self { file, number, end: 0, bytes };
        segment.write(&[Start::frame(bytes)?], &mut Vec::new())?;
        Ok(segment)
    }

    /// Whether frames of this size in sum fit.
    pub fn has_room(&self, size: usize) -> bool {
        (self.end + size) as u64 <= self.bytes
    }

    /// Writes a group of frames and makes it durable; returns the places of its entries.
    pub fn write(&mut self, frames: &[Frame], buffer: &mut Vec<u8>) -> io::Result<Vec<Place>> {
        buffer.clear();
        let start = position(self.end)?;
        let mut places = Vec::new();
        for frame in frames {
            if frame.kind == Kind::Entry {
                let offset = position(self.end + buffer.len() + frame::HEADER)?;
                let len = position(frame.payload.len())?;
                places.push(Place { segment: self.number, offset, len });
            }
            frame.write(buffer, self.number, start);
        }
        self.file.write_at(buffer, self.end as u64)?;
        self.file.sync()?;
        self.end += buffer.len();
        Ok(places)
    }
}

fn position(at: usize) -> io::Result<u32> {
    u32::try_from(at).map_err(io::Error::other)
}
