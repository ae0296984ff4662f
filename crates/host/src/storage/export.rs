//! A volume, or a snapshot of it, as one file that stands alone.
//!
//! The file is made in a folder of its own in the pool's staging area and has lost its name by the
//! time anybody reads it, so it goes with its last reader. What a crash leaves is swept when the
//! pool is opened.

use std::fs::File;

use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat;
use uuid::Uuid;

use super::Base;

/// What is to be written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportWanted {
    pub volume: Uuid,
    /// Of the volume.
    pub format: DiskFormat,
    /// The image beneath a qcow2 volume.
    pub backing: Option<Base>,
    /// The tag of a snapshot in the volume; without one nobody may write it meanwhile.
    pub snapshot: Option<Uuid>,
    /// Of the file that is made.
    pub into: DiskFormat,
}

/// A file without a name.
#[derive(Debug)]
pub struct Exported {
    pub file: File,
    /// Of the file.
    pub size: Bytes,
}
