//! What the agent needs of a node's pools. `host::storage` does it with files, `sim` in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use novacron_host::hypervisor::Boot;
use novacron_host::storage::Base;
pub use novacron_host::storage::Original;
use novacron_model::image::{ImageContent, Uploaded};
use novacron_model::pool::{PoolSpec, PoolUsage};
use novacron_model::task::Live;
use novacron_model::volume::DiskFormat;
use novacron_model::{Bytes, Name, Result};
use uuid::Uuid;

mod host;

pub use host::HostPools;
pub use novacron_host::image::Part;

/// Bytes on their way in or out.
pub type ByteStream = BoxStream<'static, Result<bytes::Bytes>>;

/// Told how far a long piece of work has come.
pub type Progress = Arc<dyn Fn(Live) + Send + Sync>;

/// Opens pools by their spec; the node keeps what was opened.
#[async_trait]
pub trait Pools: Send + Sync + 'static {
    async fn open(&self, name: &str, spec: &PoolSpec) -> Result<Arc<dyn Pool>>;
}

/// One pool. Every `ensure` and `delete` is idempotent; everything is named by uid.
#[async_trait]
pub trait Pool: Send + Sync + 'static {
    async fn usage(&self) -> Result<PoolUsage>;

    /// Makes the volume's file; one that exists is left as it is.
    async fn ensure_volume(&self, volume: &VolumeOrder) -> Result<()>;
    /// Makes the volume's file as an independent copy of another volume's; one that exists is left
    /// as it is. Dropped before, it leaves nothing behind.
    async fn ensure_copy(
        &self,
        volume: &VolumeOrder,
        original: &Original,
        progress: Progress,
    ) -> Result<()>;
    /// Where the volume's file lies; an error if it is gone.
    async fn volume(&self, uid: Uuid, format: DiskFormat) -> Result<PathBuf>;
    /// Makes a volume that no guest uses at least `size` large; returns its size then.
    async fn grow_volume(&self, uid: Uuid, format: DiskFormat, size: Bytes) -> Result<Bytes>;
    /// One file with a volume's content, or a snapshot's. Dropped, it leaves nothing behind.
    async fn export_volume(&self, export: &ExportOrder) -> Result<Content>;
    /// Bytes that it takes.
    async fn volume_used(&self, uid: Uuid) -> Result<Bytes>;
    async fn delete_volume(&self, uid: Uuid) -> Result<()>;

    /// Takes an image's bytes and returns once they are durable; those of an open file are with the
    /// image. Dropped before, it leaves nothing behind.
    async fn receive(&self, image: &ImageOrder, source: Source, progress: Progress) -> Result<()>;
    /// Takes a part of an upload; what has come stays when it is dropped or its client goes.
    async fn receive_part(
        &self,
        image: &ImageOrder,
        part: Part,
        progress: Progress,
    ) -> Result<Uploaded>;
    /// How far an upload has come.
    async fn uploaded(&self, uid: Uuid) -> Result<Uploaded>;
    /// Removes an upload that nobody has gone on with for a day.
    async fn drop_stale(&self, uid: Uuid) -> Result<()>;
    /// Whether an image's bytes have come that [`Pool::finish`] can go on from.
    async fn arrived(&self, uid: Uuid) -> Result<bool>;
    /// Makes the image of what has arrived. Dropped, it can be called again; after an error
    /// nothing is left.
    async fn finish(&self, uid: Uuid, progress: Progress) -> Result<ImageContent>;
    /// SHA-256 of the source of a ready image. Dropped, the work ends.
    async fn sum(&self, uid: Uuid) -> Result<String>;
    async fn delete_image(&self, uid: Uuid) -> Result<()>;
    /// Where a ready image lies and what it is made of.
    async fn image(&self, uid: Uuid) -> Result<ImageFiles>;
    /// The content of one of these files.
    async fn read(&self, file: &Path) -> Result<Content>;
}

/// A volume as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeOrder {
    pub uid: Uuid,
    pub size: Bytes,
    pub format: DiskFormat,
    /// The image whose content it starts with, with its pool's file.
    pub image: Option<Base>,
}

/// An export as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOrder {
    /// Of the volume.
    pub uid: Uuid,
    /// Of the volume.
    pub format: DiskFormat,
    /// The image beneath a qcow2 volume.
    pub backing: Option<Base>,
    /// The tag of a snapshot; without one no guest may use the volume meanwhile.
    pub snapshot: Option<Uuid>,
    /// Of the file that is made.
    pub into: DiskFormat,
}

/// A file on its way out.
pub struct Content {
    pub size: Bytes,
    /// So many bytes, or an error at the end of fewer.
    pub bytes: ByteStream,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageOrder {
    pub uid: Uuid,
    /// Lower-case hex SHA-256 that the source must have.
    pub sha256: Option<String>,
}

/// Where an image's bytes come from.
pub enum Source {
    Url(String),
    /// Name of a catalogue's entry.
    Catalogue(String),
    Upload {
        length: Option<u64>,
        content: ByteStream,
    },
    /// What a client on this machine has opened.
    File(File),
}

/// A ready image as machines and volumes need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFiles {
    /// Of several the first.
    pub disk: Option<Base>,
    /// All disks of a whole VM.
    pub disks: BTreeMap<Name, Base>,
    /// The file of an ISO: raw, read-only, and no base for a volume.
    pub iso: Option<PathBuf>,
    pub boot: Boot,
}
