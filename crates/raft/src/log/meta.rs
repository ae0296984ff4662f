//! The file `meta`: the vote, what was purged, which segments there are. One line of JSON behind
//! its checksum, replaced as a whole.

use std::io;

use serde::{Deserialize, Serialize};

use crate::OpenError;
use crate::disk::{Disk, read_all};
use crate::types::{LogId, Vote};

pub const META: &str = "meta";
const TEMPORARY: &str = "meta.new";
const FORMAT: u32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Meta {
    format: u32,
    pub vote: Option<Vote>,
    pub purged: Option<LogId>,
    /// The oldest segment.
    pub first: u32,
    /// The newest segment that may hold entries.
    pub active: u32,
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Meta {
    pub fn new() -> Self {
        Self { format: FORMAT, vote: None, purged: None, first: 1, active: 1 }
    }

    /// `None`: the file does not exist.
    pub fn read(disk: &dyn Disk) -> Result<Option<Self>, OpenError> {
        let file = match disk.open(META) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| OpenError::io(disk.path(META), error))?,
        };
        let bytes = read_all(&*file).map_err(|error| OpenError::io(disk.path(META), error))?;
        let damaged =
            || OpenError::Damaged { file: disk.path(META), at: 0, why: "checksum".to_owned() };
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
        let (crc, json) = text.split_once(' ').ok_or_else(damaged)?;
        if crc != checksum(json) {
            return Err(damaged());
        }
        let Version { format } = serde_json::from_str(json).map_err(|_| damaged())?;
        if format != FORMAT {
            let file = disk.path(META);
            return Err(OpenError::Format { file, found: format, known: FORMAT });
        }
        serde_json::from_str(json).map(Some).map_err(|_| damaged())
    }

    pub fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        let json = format!("{}\n", serde_json::to_string(self)?);
        let file = disk.create(TEMPORARY)?;
        file.write_at(format!("{} {json}", checksum(&json)).as_bytes(), 0)?;
        file.sync()?;
        disk.rename(TEMPORARY, META)?;
        disk.sync_names()
    }
}

fn checksum(text: &str) -> String {
    format!("{:08x}", crc32fast::hash(text.as_bytes()))
}
