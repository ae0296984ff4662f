//! Why a store does not open, in sentences that name the file and what to do.

use std::io;

const RESTORE: &str = "restore a copy of the data directory; if there is none, move the directory \
                       away to start empty, and keep it for analysis";

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
        "store file {file} has format {found}, this version knows {known}; \
         start the version that wrote it, or restore a copy of the data directory"
    )]
    Format { file: String, found: u32, known: u32 },
    #[error("store file {file}: {source}")]
    Io { file: String, source: io::Error },
    #[error("the store did not start: {0}")]
    Raft(String),
}

impl OpenError {
    pub(crate) fn io(file: impl Into<String>, source: io::Error) -> Self {
        Self::Io { file: file.into(), source }
    }
}
