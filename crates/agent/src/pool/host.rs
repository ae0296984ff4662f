//! Pools of `host::storage`: directories on this machine.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use novacron_host::catalogue::Catalogue;
use novacron_host::image::{self, ImageFiles as HostFiles, Importer, Limits};
use novacron_host::storage::{
    DirPool, ExportWanted, Exported, Pool as HostPool, QemuImg, VolumeWanted, fault,
};
use novacron_model::image::{ImageContent, Uploaded};
use novacron_model::pool::{PoolSpec, PoolUsage};
use novacron_model::task::{Live, step};
use novacron_model::volume::DiskFormat;
use novacron_model::{Bytes, Error, Result};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::{
    ByteStream, Content, ExportOrder, ImageFiles, ImageOrder, Original, Part, Pool, Pools,
    Progress, Source, VolumeOrder,
};

/// Each read of a file is a trip to another thread, so few and long ones are fast.
const READ: usize = 1 << 20;

/// Opens directories; a pool without a path of its own lies under `<data>/pools`.
pub struct HostPools {
    data: PathBuf,
    qemu_img: QemuImg,
    /// For images.
    limits: Limits,
    catalogue: Catalogue,
}

impl HostPools {
    /// `data`: the data directory.
    pub fn new(data: impl Into<PathBuf>, qemu_img: QemuImg, limits: Limits) -> Self {
        Self { data: data.into(), qemu_img, limits, catalogue: Catalogue::default() }
    }
}

impl HostPools {
    /// Another catalogue than the built-in one.
    #[must_use]
    pub fn with_catalogue(self, catalogue: Catalogue) -> Self {
        Self { catalogue, ..self }
    }
}

#[async_trait]
impl Pools for HostPools {
    async fn open(&self, name: &str, spec: &PoolSpec) -> Result<Arc<dyn Pool>> {
        let path = match &spec.path {
            Some(path) => PathBuf::from(path),
            None => self.data.join("pools").join(name),
        };
        let pool: Arc<dyn HostPool> = Arc::new(DirPool::open(path, self.qemu_img.clone()).await?);
        let importer = Importer::new(pool.clone(), self.qemu_img.clone(), self.limits);
        Ok(Arc::new(Dir { pool, importer, catalogue: self.catalogue.clone() }))
    }
}

struct Dir {
    pool: Arc<dyn HostPool>,
    importer: Importer,
    catalogue: Catalogue,
}

#[async_trait]
impl Pool for Dir {
    async fn usage(&self) -> Result<PoolUsage> {
        let usage = self.pool.usage().await?;
        let path = self.pool.path().display().to_string();
        Ok(PoolUsage { path, total: usage.total, free: usage.free, error: None })
    }

    async fn ensure_volume(&self, volume: &VolumeOrder) -> Result<()> {
        let VolumeOrder { uid, size, format, image } = volume.clone();
        self.pool.ensure_volume(&VolumeWanted { uid, format, size, base: image }).await.map(drop)
    }

    async fn ensure_copy(
        &self,
        volume: &VolumeOrder,
        original: &Original,
        progress: Progress,
    ) -> Result<()> {
        let VolumeOrder { uid, size, format, image } = volume.clone();
        let wanted = VolumeWanted { uid, format, size, base: image };
        let mut hear = |percent: u64| {
            progress(Live::at(step::COPY_DISK, size.0 / 100 * percent, size.0));
        };
        self.pool.ensure_copy(&wanted, original, &mut hear).await.map(drop)
    }

    async fn volume(&self, uid: Uuid, format: DiskFormat) -> Result<PathBuf> {
        self.pool.volume(uid, format).await
    }

    async fn grow_volume(&self, uid: Uuid, format: DiskFormat, size: Bytes) -> Result<Bytes> {
        self.pool.grow_volume(uid, format, size).await
    }

    async fn export_volume(&self, export: &ExportOrder) -> Result<Content> {
        let ExportOrder { uid, format, backing, snapshot, into } = export.clone();
        let wanted = ExportWanted { volume: uid, format, backing, snapshot, into };
        let Exported { file, size } = self.pool.export_volume(&wanted).await?;
        Ok(Content { size, bytes: reading(file) })
    }

    async fn volume_used(&self, uid: Uuid) -> Result<Bytes> {
        self.pool.volume_usage(uid).await
    }

    async fn delete_volume(&self, uid: Uuid) -> Result<()> {
        self.pool.delete_volume(uid).await
    }

    async fn receive(&self, image: &ImageOrder, source: Source, progress: Progress) -> Result<()> {
        let source = match source {
            Source::Url(url) => image::Source::Url(url),
            Source::Catalogue(name) => {
                image::Source::Published(self.catalogue.resolve(&name).await?)
            }
            Source::Upload { length, content } => image::Source::Upload { length, content },
            Source::File(file) => image::Source::File(file),
        };
        let sha256 = image.sha256.as_deref();
        self.importer.receive(image.uid, source, sha256, &*progress).await.map(drop)
    }

    async fn receive_part(
        &self,
        image: &ImageOrder,
        part: Part,
        progress: Progress,
    ) -> Result<Uploaded> {
        let sha256 = image.sha256.as_deref();
        self.importer.receive_part(image.uid, part, sha256, &*progress).await
    }

    async fn uploaded(&self, uid: Uuid) -> Result<Uploaded> {
        self.importer.uploaded(uid)
    }

    async fn drop_stale(&self, uid: Uuid) -> Result<()> {
        self.importer.drop_stale(uid)
    }

    async fn arrived(&self, uid: Uuid) -> Result<bool> {
        let published = self.pool.image(uid).await?.is_some();
        Ok(published || self.importer.arrived(uid)?.is_some())
    }

    async fn finish(&self, uid: Uuid, progress: Progress) -> Result<ImageContent> {
        let files = self.importer.finish(uid, &*progress).await?;
        Ok(ImageContent {
            kind: files.kind,
            format: files.format,
            ready: None,
            sha256: files.sha256,
            size: files.size,
            virtual_size: files.virtual_size,
            stored: Some(files.stored),
            machine: files.machine,
            error: None,
        })
    }

    async fn sum(&self, uid: Uuid) -> Result<String> {
        self.importer.sum(uid).await
    }

    async fn delete_image(&self, uid: Uuid) -> Result<()> {
        self.importer.forget_upload(uid);
        self.pool.delete_image(uid).await
    }

    async fn image(&self, uid: Uuid) -> Result<ImageFiles> {
        let files = HostFiles::open(&*self.pool, uid).await?;
        let files = files.ok_or_else(|| {
            Error::unavailable(format!("the files of image {uid} are gone"))
                .hint("import the image again")
        })?;
        let HostFiles { disk, disks, iso, boot, .. } = files;
        Ok(ImageFiles { disk, disks, iso, boot })
    }

    async fn read(&self, file: &Path) -> Result<Content> {
        let path = file.to_owned();
        let open = move || {
            let file = File::open(&path).map_err(fault::at(&path, "read"))?;
            let size = file.metadata().map_err(fault::at(&path, "read"))?.len();
            Ok(Content { size: Bytes(size), bytes: reading(file) })
        };
        let lost = |error| Error::internal(format!("work on the pool was lost: {error}"));
        tokio::task::spawn_blocking(open).await.map_err(lost)?
    }
}

fn reading(file: File) -> ByteStream {
    let chunks = ReaderStream::with_capacity(tokio::fs::File::from_std(file), READ);
    let broken = |error| Error::internal(format!("the pool cannot be read: {error}"));
    chunks.map(move |chunk| chunk.map_err(broken)).boxed()
}
