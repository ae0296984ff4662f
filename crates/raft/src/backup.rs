//! A backup: one file with the whole state at one revision and the small files that belong to it
//! (the data key, certificates), from which a store begins anew on any machine.
//!
//! ```text
//!  file := MAGIC | chunks with Head
//! ```
//!
//! It says nothing of the Raft log: a restored store begins a log of its own, behind the snapshot
//! that the backup becomes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use novacron_model::Time;
use novacron_store::{Snapshot, State};
use openraft::CommittedLeaderId;
use serde::{Deserialize, Serialize};

use crate::chunks::{self, Fault, Reader};
use crate::disk::{Disk, RealDisk, open_to_read};
use crate::types::{LogId, Membership, SnapshotMeta, Vote};
use crate::{OpenError, Options, log, snapshot};

/// How every backup begins.
const MAGIC: &[u8] = b"NovaCron state backup\n";
/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// A restored store goes on at a revision that none of those was given which the backup does not
/// know: who watches from there, or holds one as an `ETag`, is not taken for up to date.
const LEAP: u64 = 1_000_000_000;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub format: u32,
    /// The version of NovaCron that made it.
    pub version: String,
    pub created: Time,
    /// The node that made it.
    pub node: String,
    pub revision: u64,
    /// Content of files of the data directory, by path in it. Secret: the data key is one.
    pub files: BTreeMap<String, Vec<u8>>,
}

#[derive(Deserialize)]
struct Version {
    format: u32,
    #[serde(default)]
    version: String,
}

/// Why a backup cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{file} is not a backup of NovaCron's state")]
    Foreign { file: String },
    #[error("the backup {file} is damaged at byte {at} ({why}); use another one")]
    Damaged { file: String, at: u64, why: String },
    #[error(
        "the backup {file} was made by NovaCron {version} in format {found}; this version knows \
         formats up to {FORMAT}: restore it with NovaCron {version} or a newer one"
    )]
    Newer { file: String, found: u32, version: String },
    #[error("{file} cannot be read: {source}")]
    Io { file: String, source: io::Error },
}

/// Gives the backup of a snapshot to `sink`, piece by piece.
pub fn write(
    at: &Snapshot,
    node: &str,
    created: Time,
    files: BTreeMap<String, Vec<u8>>,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let head = Head {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created,
        node: node.to_owned(),
        revision: at.revision(),
        files,
    };
    sink(MAGIC)?;
    chunks::write(&head, at.state(), sink)
}

/// A backup that was read to its end and found good.
pub struct Backup {
    pub head: Head,
    state: State,
}

impl Backup {
    pub fn read(path: &Path) -> Result<Self, BackupError> {
        let shown = || path.display().to_string();
        let unread = |source| BackupError::Io { file: shown(), source };
        let refused = |fault| match fault {
            Fault::Damaged { at, why } => BackupError::Damaged { file: shown(), at, why },
            Fault::Io(source) => unread(source),
        };
        let file = open_to_read(path).map_err(unread)?;
        let mut magic = [0; MAGIC.len()];
        let read = file.read_at(&mut magic, 0).map_err(unread)?;
        if magic[..read] != *MAGIC {
            return Err(BackupError::Foreign { file: shown() });
        }
        let mut reader = Reader::new(&*file, MAGIC.len() as u64).map_err(refused)?;
        let head = reader.head().map_err(refused)?;
        let Version { format, version } = reader.parse(&head).map_err(refused)?;
        if format > FORMAT {
            return Err(BackupError::Newer { file: shown(), found: format, version });
        }
        let head: Head = reader.parse(&head).map_err(refused)?;
        let state = reader.state(head.revision + LEAP).map_err(refused)?;
        Ok(Self { head, state })
    }

    /// Makes a store of it in a directory that has none. What was begun is left behind by an error.
    pub fn restore(&self, dir: &Path, options: &Options) -> Result<(), OpenError> {
        let disk = RealDisk::open(dir)?;
        let failed = |error| OpenError::io(disk.path(""), error);
        let last = LogId::new(CommittedLeaderId::new(1, options.node), 1);
        let voters = BTreeSet::from([options.node]);
        let members = openraft::Membership::new(vec![voters], ());
        let meta = SnapshotMeta {
            last_log_id: Some(last),
            last_membership: Membership::new(Some(last), members),
            snapshot_id: last.to_string(),
        };
        snapshot::write(&disk, &meta, &self.state).map_err(failed)?;
        let vote = Vote::new_committed(1, options.node);
        log::continue_from(&disk, options, vote, last).map_err(failed)?;
        disk.unlock();
        Ok(())
    }
}
