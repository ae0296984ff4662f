//! Why a store does not open, in sentences that name the file and what to do.

use std::io;

const RESTORE: &str = "restore a copy with `novacron state restore`; if there is none, move the \
                       data directory away to start empty, and keep it for analysis";

/// Why the store was not opened. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("store directory {dir} is in use by another process; stop it first")]
    Locked { dir: String },
    #[error("store file {file} is damaged at byte {at} ({why}); {RESTORE}")]
    Damaged { file: String, at: u64, why: String },
    #[error("store file {file} is missing; {RESTORE}")]
    Missing { file: String },
    #[error(
        "store file {file} has format {found}{}, this version ({}) knows formats up to {known} and \
         leaves it alone; start the version that wrote it, or restore a copy that this version has \
         made", by(.version.as_deref()), env!("CARGO_PKG_VERSION")
    )]
    Format {
        file: String,
        found: u32,
        known: u32,
        /// The version of NovaCron that wrote it, where it says so.
        version: Option<String>,
    },
    #[error("store file {file}: {source}")]
    Io { file: String, source: io::Error },
    #[error("the store did not start: {0}")]
    Raft(String),
}

impl OpenError {
    pub(crate) fn io(file: impl Into<String>, source: io::Error) -> Self {
        Self::Io { file: file.into(), source }
    }

    pub(crate) fn format(file: impl Into<String>, found: u32, known: u32) -> Self {
        Self::Format { file: file.into(), found, known, version: None }
    }

    /// Whether a copy of the state would help.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Missing { .. })
    }
}

fn by(version: Option<&str>) -> String {
    version.map(|version| format!(" of NovaCron {version}")).unwrap_or_default()
}
