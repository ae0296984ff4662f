//! Pools: where a node keeps volumes and images.
//!
//! A [`Pool`] has few methods, each an idempotent `ensure` or delete of something named by its
//! uid. What a kind of pool cannot do is an absent object, never a method that fails. How an
//! image's bytes get here is [`crate::image`]'s; who wants which volume is the agent's.

#[cfg(feature = "contract")]
pub mod contract;
pub mod dir;
pub mod export;
pub mod fault;
pub mod layers;
pub mod qcow2;
pub mod qemu_img;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use novacron_model::Result;
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat;
use uuid::Uuid;

pub use dir::DirPool;
pub use export::{ExportWanted, Exported};
pub use qemu_img::QemuImg;

/// A volume as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeWanted {
    pub uid: Uuid,
    pub format: DiskFormat,
    /// Size that the guest sees; zero means the base's own. Rounded up to a sector.
    pub size: Bytes,
    /// What it starts with: a qcow2 volume lies over it, a raw volume is a copy.
    pub base: Option<Base>,
}

/// A volume of the same pool and format, whose content another one starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original {
    pub uid: Uuid,
    /// Tag of the snapshot that is copied; without one the present content is, and nobody may
    /// write meanwhile.
    pub snapshot: Option<Uuid>,
}

/// Told how many per cent are done.
pub type Percent<'a> = &'a mut (dyn FnMut(u64) + Send);

/// A disk that never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    pub path: PathBuf,
    pub format: DiskFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Size of the file system below the pool.
    pub total: Bytes,
    /// What this process may still write.
    pub free: Bytes,
}

#[async_trait]
pub trait Pool: Send + Sync + 'static {
    /// The directory in use, for people.
    fn path(&self) -> &Path;

    async fn usage(&self) -> Result<Usage>;

    /// Makes the volume exist and returns where. One that exists is left as it is, so a volume
    /// that was once ready and is lost must be asked for with [`Pool::volume`], which tells.
    async fn ensure_volume(&self, wanted: &VolumeWanted) -> Result<PathBuf>;

    /// Makes the volume exist as an independent copy of `original`, over the same base, and returns
    /// where. It is at least as large as the original. One that exists is left as it is. Dropped,
    /// it leaves nothing behind.
    async fn ensure_copy(
        &self,
        wanted: &VolumeWanted,
        original: &Original,
        progress: Percent<'_>,
    ) -> Result<PathBuf>;

    /// Where an existing volume lies.
    async fn volume(&self, uid: Uuid, format: DiskFormat) -> Result<PathBuf>;

    /// Makes an existing volume at least `size` large and returns the size that a guest then
    /// sees. It must not be in use.
    async fn grow_volume(&self, uid: Uuid, format: DiskFormat, size: Bytes) -> Result<Bytes>;

    /// Writes a volume, or a snapshot of it, into one file that stands alone. Dropped before its
    /// end, it leaves nothing.
    async fn export_volume(&self, wanted: &ExportWanted) -> Result<Exported>;

    /// Bytes that a volume takes in the pool.
    async fn volume_usage(&self, uid: Uuid) -> Result<Bytes>;

    /// Removes a volume, also one that never was. It must not be in use.
    async fn delete_volume(&self, uid: Uuid) -> Result<()>;

    /// The folder on this machine in which the files of an image are put together; it need not
    /// exist. What a crash leaves there is swept when the pool is opened, but for images that
    /// had wholly arrived.
    fn staging(&self, image: Uuid) -> PathBuf;

    /// The commit point of an import: `files`, a folder in the staging folder, becomes the
    /// image, durable and read-only, and the staging folder goes. Does nothing when the image
    /// exists.
    async fn publish_image(&self, image: Uuid, files: &Path) -> Result<()>;

    /// The folder with an image's files, where there is one.
    async fn image(&self, image: Uuid) -> Result<Option<PathBuf>>;

    /// Removes an image and what was staged for it, also one that never was. No volume may lie
    /// over it.
    async fn delete_image(&self, image: Uuid) -> Result<()>;
}
