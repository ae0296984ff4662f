//! A whole state as a run of checksummed chunks: a head, the items, an end that counts them. What
//! the head says is the caller's business; snapshots and backups differ in it.
//!
//! ```text
//!  chunk := crc32 of what follows | length of the payload | payload (JSON)
//!  run   := chunk(head) chunk(items one after the other)* chunk(End)
//! ```

use std::io;

use novacron_store::State;
use novacron_store::state::Item;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::disk::DiskFile;

/// A chunk is closed when it has this many bytes.
const CHUNK: usize = 256 << 10;
const HEADER: usize = 8;

#[derive(Serialize, Deserialize)]
struct End {
    items: u64,
}

/// Gives the run to `sink`, chunk by chunk.
pub fn write(
    head: &impl Serialize,
    state: &State,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut open = Open { chunk: vec![0; HEADER], sink };
    open.put(head)?;
    open.close()?;
    let mut items = 0;
    for item in state.dump() {
        open.put(&item)?;
        items += 1;
        if open.chunk.len() >= CHUNK {
            open.close()?;
        }
    }
    if open.chunk.len() > HEADER {
        open.close()?;
    }
    open.put(&End { items })?;
    open.close()
}

struct Open<'a> {
    /// The open chunk, with room for its header.
    chunk: Vec<u8>,
    sink: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
}

impl Open<'_> {
    fn put(&mut self, value: &impl Serialize) -> io::Result<()> {
        Ok(serde_json::to_writer(&mut self.chunk, value)?)
    }

    fn close(&mut self) -> io::Result<()> {
        let len = u32::try_from(self.chunk.len() - HEADER).map_err(io::Error::other)?;
        self.chunk[4..HEADER].copy_from_slice(&len.to_le_bytes());
        let crc = crc32fast::hash(&self.chunk[4..]);
        self.chunk[..4].copy_from_slice(&crc.to_le_bytes());
        (self.sink)(&self.chunk)?;
        self.chunk.truncate(HEADER);
        Ok(())
    }
}

/// Why a run cannot be read.
#[derive(Debug)]
pub enum Fault {
    Damaged { at: u64, why: String },
    Io(io::Error),
}

/// Reads a run from `start` to the end of a file.
pub struct Reader<'a> {
    file: &'a dyn DiskFile,
    len: u64,
    at: u64,
}

impl<'a> Reader<'a> {
    pub fn new(file: &'a dyn DiskFile, start: u64) -> Result<Self, Fault> {
        Ok(Self { len: file.len().map_err(Fault::Io)?, file, at: start })
    }

    /// Size of the file.
    pub fn bytes(&self) -> u64 {
        self.len
    }

    /// The first chunk's payload; see [`Reader::parse`].
    pub fn head(&mut self) -> Result<Vec<u8>, Fault> {
        self.chunk()
    }

    pub fn parse<T: DeserializeOwned>(&self, payload: &[u8]) -> Result<T, Fault> {
        serde_json::from_slice(payload).map_err(|error| self.damaged(&error.to_string()))
    }

    /// All that follows the head.
    pub fn state(self, revision: u64) -> Result<State, Fault> {
        let mut items = Items { reader: self, count: 0, failure: None, done: false };
        let state = State::load(revision, items.by_ref().flatten());
        items.failure.map_or(Ok(state), Err)
    }

    fn chunk(&mut self) -> Result<Vec<u8>, Fault> {
        let header = self.read(HEADER)?;
        let [crc, len] =
            [0, 4].map(|at| header[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word)));
        let start = self.at;
        self.at += HEADER as u64;
        if self.at + u64::from(len) > self.len {
            return Err(self.damaged("a chunk is cut off"));
        }
        let payload = self.read(len as usize)?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&header[4..]);
        hasher.update(&payload);
        if hasher.finalize() != crc {
            self.at = start;
            return Err(self.damaged("checksum"));
        }
        self.at += u64::from(len);
        Ok(payload)
    }

    fn read(&self, len: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; len];
        match self.file.read_at(&mut bytes, self.at) {
            Ok(read) if read == len => Ok(bytes),
            Ok(_) => Err(self.damaged("the file is cut off")),
            Err(error) => Err(Fault::Io(error)),
        }
    }

    fn damaged(&self, why: &str) -> Fault {
        Fault::Damaged { at: self.at, why: why.to_owned() }
    }
}

/// The items chunk by chunk, up to and with the end chunk.
struct Items<'a> {
    reader: Reader<'a>,
    count: u64,
    failure: Option<Fault>,
    done: bool,
}

impl Items<'_> {
    fn next_chunk(&mut self) -> Result<Option<Vec<Item>>, Fault> {
        let payload = self.reader.chunk()?;
        if let Ok(End { items }) = serde_json::from_slice(&payload) {
            if items != self.count || self.reader.at != self.reader.len {
                return Err(self.reader.damaged("the end does not fit the rest"));
            }
            return Ok(None);
        }
        let items: Result<Vec<Item>, _> =
            serde_json::Deserializer::from_slice(&payload).into_iter().collect();
        let items = items.map_err(|error| self.reader.damaged(&error.to_string()))?;
        self.count += items.len() as u64;
        Ok(Some(items))
    }
}

impl Iterator for Items<'_> {
    type Item = Vec<Item>;

    fn next(&mut self) -> Option<Vec<Item>> {
        if self.done {
            return None;
        }
        let next = self.next_chunk();
        self.done = !matches!(next, Ok(Some(_)));
        next.unwrap_or_else(|failure| {
            self.failure = Some(failure);
            None
        })
    }
}
