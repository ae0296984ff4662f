//! The file `meta`: the vote, what was purged, which segments there are. One line of JSON behind
//! its checksum, replaced as a whole. Its format number stands for the whole store: it is read
//! first, and an older store becomes one of today's format when `meta` is replaced.
//!
//! | format | since | differs from the one before |
//! |---|---|---|
//! | 1 | the first store | |
//! | 2 | 0.1.0 | `meta` names the version that wrote it |

use std::io;

use serde::{Deserialize, Serialize};

use crate::OpenError;
use crate::disk::{Disk, read_all};
use crate::types::{LogId, Vote};

pub const META: &str = "meta";
const TEMPORARY: &str = "meta.new";
/// The format that this version writes.
pub const FORMAT: u32 = 2;
/// The oldest format that this version can convert.
const OLDEST: u32 = 1;
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Meta {
    /// As it was read; [`Meta::convert`] brings it up to [`FORMAT`].
    pub format: u32,
    /// The version of NovaCron that wrote it; formats before 2 do not say.
    #[serde(default)]
    pub version: String,
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
    #[serde(default)]
    version: Option<String>,
}

impl Meta {
    pub fn new() -> Self {
        let version = VERSION.to_owned();
        Self { format: FORMAT, version, vote: None, purged: None, first: 1, active: 1 }
    }

    /// `None`: the file does not exist.
    pub fn read(disk: &dyn Disk) -> Result<Option<Self>, OpenError> {
        let file = match disk.open(META) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| OpenError::io(disk.path(META), error))?,
        };
        let bytes = read_all(&*file).map_err(|error| OpenError::io(disk.path(META), error))?;
        Self::parse(&bytes, &disk.path(META)).map(Some)
    }

    /// Reads the content of the file that is called `shown`.
    pub fn parse(bytes: &[u8], shown: &str) -> Result<Self, OpenError> {
        let damaged =
            || OpenError::Damaged { file: shown.to_owned(), at: 0, why: "checksum".to_owned() };
        let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
        let (crc, json) = text.split_once(' ').ok_or_else(damaged)?;
        if crc != checksum(json) {
            return Err(damaged());
        }
        let Version { format, version } = serde_json::from_str(json).map_err(|_| damaged())?;
        if !(OLDEST..=FORMAT).contains(&format) {
            let file = shown.to_owned();
            return Err(OpenError::Format { file, found: format, known: FORMAT, version });
        }
        serde_json::from_str(json).map_err(|_| damaged())
    }

    /// Whether an older version wrote this.
    pub fn is_old(&self) -> bool {
        self.format < FORMAT
    }

    /// Makes a store of an older format one of today's. Nothing but `meta` differs up to now.
    pub fn convert(&mut self, disk: &dyn Disk) -> io::Result<()> {
        tracing::info!(from = self.format, to = FORMAT, "the store is converted");
        (self.format, self.version) = (FORMAT, VERSION.to_owned());
        self.write(disk)
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
