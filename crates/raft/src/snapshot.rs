//! The snapshot file: the whole state in `chunks`, written aside and put in place by a rename.

use std::io;
use std::sync::Arc;

use novacron_store::State;
use serde::{Deserialize, Serialize};

use crate::OpenError;
use crate::chunks::{self, Fault, Reader};
use crate::disk::Disk;
use crate::types::SnapshotMeta;

pub const SNAPSHOT: &str = "snapshot";
/// The file that a snapshot from another member is received into.
pub const RECEIVED: &str = "snapshot.received";
const TEMPORARY: &str = "snapshot.new";
const FORMAT: u32 = 1;

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

    /// One that has come from another member.
    pub fn received(disk: Arc<dyn Disk>) -> Self {
        Self { disk, name: RECEIVED.to_owned() }
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
    let head = Head { format: FORMAT, meta: meta.clone(), revision: state.revision() };
    let mut at = 0;
    chunks::write(&head, state, &mut |chunk| {
        file.write_at(chunk, at)?;
        at += chunk.len() as u64;
        Ok(())
    })?;
    file.sync()?;
    Ok(at)
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
    let refused = |fault| match fault {
        Fault::Damaged { at, why } => OpenError::Damaged { file: disk.path(name), at, why },
        Fault::Io(error) => OpenError::io(disk.path(name), error),
    };
    let mut reader = Reader::new(&*file, 0).map_err(refused)?;
    let bytes = reader.bytes();
    let head = reader.head().map_err(refused)?;
    let Version { format } = reader.parse(&head).map_err(refused)?;
    if format != FORMAT {
        return Err(OpenError::format(disk.path(name), format, FORMAT));
    }
    let Head { meta, revision, .. } = reader.parse(&head).map_err(refused)?;
    let state = reader.state(revision).map_err(refused)?;
    Ok(Some(Loaded { meta, state, bytes }))
}
