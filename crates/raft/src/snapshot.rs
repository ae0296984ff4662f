//! The snapshot file: the whole state in checksummed chunks, written aside and put in place by a
//! rename.
//!
//! ```text
//!  chunk := crc32 of what follows | length of the payload | payload (JSON)
//!  file  := chunk(Head) chunk(items one after the other)* chunk(End)
//! ```

use std::io;
use std::sync::Arc;

use novacron_store::State;
use novacron_store::state::Item;
use serde::{Deserialize, Serialize};

use crate::OpenError;
use crate::disk::{Disk, DiskFile};
use crate::types::SnapshotMeta;

pub const SNAPSHOT: &str = "snapshot";
const TEMPORARY: &str = "snapshot.new";
const FORMAT: u32 = 1;
/// A chunk is closed when it has this many bytes.
const CHUNK: usize = 256 << 10;
const HEADER: usize = 8;

/// A snapshot as a file in the store's directory; what openraft passes around.
pub struct StoredSnapshot {
    pub disk: Arc<dyn Disk>,
    pub name: String,
}

impl StoredSnapshot {
    /// The file that is the store's snapshot.
    pub fn current(disk: Arc<dyn Disk>) -> Self {
        Self { disk, name: SNAPSHOT.to_owned() }
    }

    /// The file that a snapshot from another voter is received into.
    pub fn received(disk: Arc<dyn Disk>) -> Self {
        Self { disk, name: "snapshot.received".to_owned() }
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    meta: SnapshotMeta,
    revision: u64,
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

#[derive(Serialize, Deserialize)]
struct End {
    items: u64,
}

/// What a snapshot file holds.
pub struct Loaded {
    pub meta: SnapshotMeta,
    pub state: State,
    /// Size of the file.
    pub bytes: u64,
}

/// Writes the snapshot and puts it in place; returns its size.
pub fn write(disk: &dyn Disk, meta: &SnapshotMeta, state: &State) -> io::Result<u64> {
    let written = write_aside(disk, meta, state);
    if written.is_err() {
        let _ = disk.remove(TEMPORARY);
    }
    let bytes = written?;
    put_in_place(disk, TEMPORARY)?;
    Ok(bytes)
}

/// Makes a complete, synced file the store's snapshot.
pub fn put_in_place(disk: &dyn Disk, name: &str) -> io::Result<()> {
    disk.rename(name, SNAPSHOT)?;
    disk.sync_names()
}

fn write_aside(disk: &dyn Disk, meta: &SnapshotMeta, state: &State) -> io::Result<u64> {
    let file = disk.create(TEMPORARY)?;
    let mut chunks = Chunks { file: &*file, at: 0, chunk: vec![0; HEADER] };
    let head = Head { format: FORMAT, meta: meta.clone(), revision: state.revision() };
    chunks.put(&head)?;
    chunks.close()?;
    let mut items = 0;
    for item in state.dump() {
        chunks.put(&item)?;
        items += 1;
        if chunks.chunk.len() >= CHUNK {
            chunks.close()?;
        }
    }
    if chunks.chunk.len() > HEADER {
        chunks.close()?;
    }
    chunks.put(&End { items })?;
    chunks.close()?;
    file.sync()?;
    Ok(chunks.at)
}

struct Chunks<'a> {
    file: &'a dyn DiskFile,
    at: u64,
    /// The open chunk, with room for its header.
    chunk: Vec<u8>,
}

impl Chunks<'_> {
    fn put(&mut self, value: &impl Serialize) -> io::Result<()> {
        Ok(serde_json::to_writer(&mut self.chunk, value)?)
    }

    fn close(&mut self) -> io::Result<()> {
        let len = u32::try_from(self.chunk.len() - HEADER).map_err(io::Error::other)?;
        self.chunk[4..HEADER].copy_from_slice(&len.to_le_bytes());
        let crc = crc32fast::hash(&self.chunk[4..]);
        self.chunk[..4].copy_from_slice(&crc.to_le_bytes());
        self.file.write_at(&self.chunk, self.at)?;
        self.at += self.chunk.len() as u64;
        self.chunk.truncate(HEADER);
        Ok(())
    }
}

/// Whether the directory holds a snapshot.
pub fn exists(disk: &dyn Disk) -> bool {
    disk.open(SNAPSHOT).is_ok()
}

/// Reads a snapshot file; `None` if there is none.
pub fn read(disk: &dyn Disk, name: &str) -> Result<Option<Loaded>, OpenError> {
    let file = match disk.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| OpenError::io(disk.path(name), error))?,
    };
    let len = file.len().map_err(|error| OpenError::io(disk.path(name), error))?;
    let mut reading = Reading { disk, name, file: &*file, len, at: 0 };
    let head = reading.chunk()?;
    let Version { format } = reading.parse(&head)?;
    if format != FORMAT {
        return Err(OpenError::Format { file: disk.path(name), found: format, known: FORMAT });
    }
    let Head { meta, revision, .. } = reading.parse(&head)?;
    let mut items = Items { reading, count: 0, failure: None, done: false };
    let state = State::load(revision, items.by_ref().flatten());
    match items.failure {
        Some(failure) => Err(failure),
        None => Ok(Some(Loaded { meta, state, bytes: len })),
    }
}

struct Reading<'a> {
    disk: &'a dyn Disk,
    name: &'a str,
    file: &'a dyn DiskFile,
    len: u64,
    at: u64,
}

impl Reading<'_> {
    /// The next chunk's payload.
    fn chunk(&mut self) -> Result<Vec<u8>, OpenError> {
        let header = self.bytes(HEADER)?;
        let [crc, len] =
            [0, 4].map(|at| header[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word)));
        let start = self.at;
        self.at += HEADER as u64;
        if self.at + u64::from(len) > self.len {
            return Err(self.damaged("a chunk is cut off"));
        }
        let payload = self.bytes(len as usize)?;
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

    fn bytes(&self, len: usize) -> Result<Vec<u8>, OpenError> {
        let mut bytes = vec![0; len];
        let read = self.file.read_at(&mut bytes, self.at);
        match read {
            Ok(read) if read == len => Ok(bytes),
            Ok(_) => Err(self.damaged("the file is cut off")),
            Err(error) => Err(OpenError::io(self.disk.path(self.name), error)),
        }
    }

    fn parse<T: for<'a> Deserialize<'a>>(&self, payload: &[u8]) -> Result<T, OpenError> {
        serde_json::from_slice(payload).map_err(|error| self.damaged(&error.to_string()))
    }

    fn damaged(&self, why: &str) -> OpenError {
        OpenError::Damaged { file: self.disk.path(self.name), at: self.at, why: why.to_owned() }
    }
}

/// The items chunk by chunk, up to and with the end chunk.
struct Items<'a> {
    reading: Reading<'a>,
    count: u64,
    failure: Option<OpenError>,
    done: bool,
}

impl Items<'_> {
    fn next_chunk(&mut self) -> Result<Option<Vec<Item>>, OpenError> {
        let payload = self.reading.chunk()?;
        if let Ok(End { items }) = serde_json::from_slice(&payload) {
            if items != self.count || self.reading.at != self.reading.len {
                return Err(self.reading.damaged("the end does not fit the rest"));
            }
            return Ok(None);
        }
        let items: Result<Vec<Item>, _> =
            serde_json::Deserializer::from_slice(&payload).into_iter().collect();
        let items = items.map_err(|error| self.reading.damaged(&error.to_string()))?;
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
