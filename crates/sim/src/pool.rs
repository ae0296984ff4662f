//! Pools without disks: what lies where is remembered, no byte is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use novacron_agent::pool::{
    Content, ExportOrder, ImageFiles, ImageOrder, Original, Part, Progress, Source, VolumeOrder,
};
use novacron_agent::{Pool, Pools};
use novacron_host::hypervisor::Boot;
use novacron_host::image::machine_in;
use novacron_host::storage::Base;
use novacron_model::image::{ImageContent, ImageFormat, ImageKind, Uploaded};
use novacron_model::pool::{PoolSpec, PoolUsage};
use novacron_model::task::{Live, step as steps};
use novacron_model::volume::DiskFormat;
use novacron_model::{Bytes, Code, Error, Result};
use uuid::Uuid;

const TOTAL: Bytes = Bytes::gib(1024);
const FETCHED: Bytes = Bytes::mib(320);
const STEPS: u64 = 16;
const STEP: Duration = Duration::from_millis(120);
const DISK: Bytes = Bytes::gib(2);
/// Bytes of an upload that are looked into.
const HEAD: usize = 64 << 10;

/// All pools of a node; clones share them.
#[derive(Debug, Clone, Default)]
pub struct SimPools {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    volumes: BTreeMap<Uuid, Bytes>,
    /// Bytes that have come of uploads.
    parts: BTreeMap<Uuid, u64>,
    /// The beginning of what was uploaded: it tells whether that is a whole VM.
    heads: BTreeMap<Uuid, Vec<u8>>,
    arrived: BTreeMap<Uuid, ImageContent>,
    images: BTreeMap<Uuid, ImageContent>,
    /// How often each volume was made from nothing.
    made: BTreeMap<Uuid, u32>,
    /// What is being copied just now.
    read: Vec<Original>,
    full: bool,
    open: BTreeSet<String>,
}

impl SimPools {
    /// Nothing can be written any more, or again.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// Uids of the volumes there are.
    pub fn volumes(&self) -> Vec<Uuid> {
        self.lock().volumes.keys().copied().collect()
    }

    /// Size of a volume's file, zero if there is none.
    pub fn size(&self, uid: Uuid) -> Bytes {
        self.lock().volumes.get(&uid).copied().unwrap_or_default()
    }

    /// Uids of the images there are.
    pub fn images(&self) -> Vec<Uuid> {
        self.lock().images.keys().copied().collect()
    }

    /// How often a volume was made from nothing.
    pub fn made(&self, uid: Uuid) -> u32 {
        self.lock().made.get(&uid).copied().unwrap_or(0)
    }

    /// Whether a volume's present content is being copied just now.
    pub fn is_read(&self, uid: Uuid) -> bool {
        let state = self.lock();
        state.read.iter().any(|original| original.uid == uid && original.snapshot.is_none())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrive(&self, image: &ImageOrder, kind: ImageKind, size: Bytes) {
        let format = match kind {
            ImageKind::Disk => ImageFormat::Qcow2,
            ImageKind::Bundle => ImageFormat::Bundle,
            ImageKind::Iso => ImageFormat::Iso,
        };
        let content = ImageContent {
            kind,
            format: Some(format),
            ready: None,
            sha256: image.sha256.clone().unwrap_or_else(|| "0".repeat(64)),
            size,
            virtual_size: if kind == ImageKind::Disk { DISK } else { Bytes(0) },
            stored: Some(size),
            machine: None,
            error: None,
        };
        self.lock().arrived.insert(image.uid, content);
    }

    fn arrive_uploaded(&self, image: &ImageOrder, size: Bytes) {
        let head = self.lock().heads.remove(&image.uid).unwrap_or_default();
        let machine = machine_in(&head);
        let kind = if machine.is_some() { ImageKind::Bundle } else { ImageKind::Disk };
        self.arrive(image, kind, size);
        if let Some(content) = self.lock().arrived.get_mut(&image.uid) {
            let first = machine.as_ref().and_then(|machine| machine.disks.first());
            content.virtual_size = first.map_or(content.virtual_size, |disk| disk.size);
            content.machine = machine;
        }
    }

    fn keep_head(&self, image: Uuid, chunk: &[u8]) {
        let mut state = self.lock();
        let head = state.heads.entry(image).or_default();
        let room = HEAD.saturating_sub(head.len()).min(chunk.len());
        head.extend_from_slice(&chunk[..room]);
    }

    fn check_space(&self) -> Result<()> {
        if self.lock().full {
            return Err(Error::new(Code::StorageFull, "the pool's disk is full"));
        }
        Ok(())
    }
}

#[async_trait]
impl Pools for SimPools {
    async fn open(&self, name: &str, _spec: &PoolSpec) -> Result<Arc<dyn Pool>> {
        self.lock().open.insert(name.to_owned());
        Ok(Arc::new(SimPool { path: PathBuf::from("/sim/pools").join(name), all: self.clone() }))
    }
}

/// A copy under way; ends when dropped.
struct Reading<'a> {
    all: &'a SimPools,
    original: Original,
}

impl<'a> Reading<'a> {
    fn begin(all: &'a SimPools, original: Original) -> Self {
        all.lock().read.push(original);
        Self { all, original }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut state = self.all.lock();
        if let Some(at) = state.read.iter().position(|read| *read == self.original) {
            state.read.swap_remove(at);
        }
    }
}

struct SimPool {
    path: PathBuf,
    all: SimPools,
}

#[async_trait]
impl Pool for SimPool {
    async fn usage(&self) -> Result<PoolUsage> {
        let used: u64 = self.all.lock().volumes.values().map(|size| size.0 / 10).sum();
        let free = Bytes(TOTAL.0.saturating_sub(used));
        Ok(PoolUsage { path: self.path.display().to_string(), total: TOTAL, free, error: None })
    }

    async fn ensure_volume(&self, volume: &VolumeOrder) -> Result<()> {
        self.all.check_space()?;
        let mut state = self.all.lock();
        if state.volumes.insert(volume.uid, volume.size).is_none() {
            *state.made.entry(volume.uid).or_default() += 1;
        }
        Ok(())
    }

    async fn ensure_copy(
        &self,
        volume: &VolumeOrder,
        original: &Original,
        progress: Progress,
    ) -> Result<()> {
        if self.all.lock().volumes.contains_key(&volume.uid) {
            return Ok(());
        }
        let _reading = Reading::begin(&self.all, *original);
        for step in 0..STEPS {
            self.volume(original.uid, volume.format).await?;
            progress(Live::at(steps::COPY_DISK, volume.size.0 / STEPS * step, volume.size.0));
            tokio::time::sleep(STEP).await;
            self.all.check_space()?;
        }
        let size = volume.size.max(self.all.size(original.uid));
        self.ensure_volume(&VolumeOrder { size, ..volume.clone() }).await
    }

    async fn volume(&self, uid: Uuid, format: DiskFormat) -> Result<PathBuf> {
        if !self.all.lock().volumes.contains_key(&uid) {
            return Err(Error::unavailable(format!("the file of volume {uid} is gone")));
        }
        Ok(self.path.join("volumes").join(format!("{uid}.{}", format.as_str())))
    }

    async fn grow_volume(&self, uid: Uuid, format: DiskFormat, size: Bytes) -> Result<Bytes> {
        self.volume(uid, format).await?;
        let now = self.all.size(uid);
        if now < size {
            self.all.check_space()?;
            self.all.lock().volumes.insert(uid, size);
        }
        Ok(now.max(size))
    }

    async fn export_volume(&self, export: &ExportOrder) -> Result<Content> {
        self.volume(export.uid, export.format).await?;
        self.all.check_space()?;
        let bytes = format!("volume {} as {}", export.uid, export.into.as_str());
        Ok(content(bytes.into()))
    }

    async fn volume_used(&self, uid: Uuid) -> Result<Bytes> {
        Ok(Bytes(self.all.lock().volumes.get(&uid).map_or(0, |size| size.0 / 10)))
    }

    async fn delete_volume(&self, uid: Uuid) -> Result<()> {
        self.all.lock().volumes.remove(&uid);
        Ok(())
    }

    async fn receive(&self, image: &ImageOrder, source: Source, progress: Progress) -> Result<()> {
        let (kind, size) = match source {
            Source::Url(url) | Source::Catalogue(url) => fetch(&url, &progress).await?,
            Source::File(mut file) => {
                let mut content = Vec::new();
                let read = file.read_to_end(&mut content);
                read.map_err(|error| Error::invalid("spec.source", error.to_string()))?;
                self.all.lock().heads.remove(&image.uid);
                self.all.keep_head(image.uid, &content);
                self.all.check_space()?;
                self.all.arrive_uploaded(image, Bytes(content.len() as u64));
                return Ok(());
            }
            Source::Upload { length, mut content } => {
                let mut size = 0;
                self.all.lock().heads.remove(&image.uid);
                while let Some(chunk) = content.next().await {
                    let chunk = chunk?;
                    self.all.keep_head(image.uid, &chunk);
                    size += chunk.len() as u64;
                    let total = length.unwrap_or(0);
                    progress(Live::at(steps::RECEIVE, size, total));
                }
                self.all.check_space()?;
                self.all.arrive_uploaded(image, Bytes(size));
                return Ok(());
            }
        };
        self.all.check_space()?;
        self.all.arrive(image, kind, size);
        Ok(())
    }

    async fn receive_part(
        &self,
        image: &ImageOrder,
        mut part: Part,
        progress: Progress,
    ) -> Result<Uploaded> {
        let offset = self.uploaded(image.uid).await?.offset.0;
        if part.offset != 0 && part.offset != offset {
            let message = format!("{offset} bytes of the image have arrived, not {}", part.offset);
            return Err(Error::conflict(message).at("Upload-Offset"));
        }
        let mut size = part.offset;
        if size == 0 {
            self.all.lock().heads.remove(&image.uid);
        }
        while let Some(chunk) = part.content.next().await {
            let chunk = chunk?;
            self.all.keep_head(image.uid, &chunk);
            size += chunk.len() as u64;
            self.all.check_space()?;
            self.all.lock().parts.insert(image.uid, size);
            progress(Live::at(steps::RECEIVE, size, part.total));
        }
        if size < part.total {
            return Ok(Uploaded { offset: Bytes(size), complete: false });
        }
        self.all.lock().parts.remove(&image.uid);
        self.all.arrive_uploaded(image, Bytes(size));
        Ok(Uploaded { offset: Bytes(size), complete: true })
    }

    async fn uploaded(&self, uid: Uuid) -> Result<Uploaded> {
        let state = self.all.lock();
        if let Some(content) = state.arrived.get(&uid) {
            return Ok(Uploaded { offset: content.size, complete: true });
        }
        let offset = Bytes(state.parts.get(&uid).copied().unwrap_or(0));
        Ok(Uploaded { offset, complete: false })
    }

    async fn drop_stale(&self, _uid: Uuid) -> Result<()> {
        Ok(())
    }

    async fn arrived(&self, uid: Uuid) -> Result<bool> {
        let state = self.all.lock();
        Ok(state.arrived.contains_key(&uid) || state.images.contains_key(&uid))
    }

    async fn finish(&self, uid: Uuid, progress: Progress) -> Result<ImageContent> {
        progress(Live::at(steps::CONVERT, 0, 0));
        let mut state = self.all.lock();
        if let Some(content) = state.arrived.remove(&uid) {
            state.images.insert(uid, content);
        }
        let content = state.images.get(&uid).cloned();
        content.ok_or_else(|| Error::conflict("the image's content has not arrived yet"))
    }

    async fn sum(&self, uid: Uuid) -> Result<String> {
        let sum = self.all.lock().images.get(&uid).map(|content| content.sha256.clone());
        sum.ok_or_else(|| Error::unavailable(format!("image {uid} is gone")))
    }

    async fn delete_image(&self, uid: Uuid) -> Result<()> {
        let mut state = self.all.lock();
        state.parts.remove(&uid);
        state.heads.remove(&uid);
        state.arrived.remove(&uid);
        state.images.remove(&uid);
        Ok(())
    }

    async fn image(&self, uid: Uuid) -> Result<ImageFiles> {
        let content = self.all.lock().images.get(&uid).cloned();
        let content = content.ok_or_else(|| Error::unavailable(format!("image {uid} is gone")))?;
        let dir = self.path.join("images").join(uid.to_string());
        let disk = Base { path: dir.join("disk.qcow2"), format: DiskFormat::Qcow2 };
        let boot = match content.kind {
            ImageKind::Disk | ImageKind::Iso => Boot::Firmware,
            ImageKind::Bundle => Boot::Kernel {
                kernel: dir.join("kernel"),
                initrd: Some(dir.join("initrd")),
                cmdline: "console=ttyS0".to_owned(),
            },
        };
        let iso = (content.kind == ImageKind::Iso).then(|| dir.join("cd.iso"));
        let has_disk = content.kind == ImageKind::Disk || content.machine.is_some();
        let names = content.machine.into_iter().flat_map(|machine| machine.disks);
        let disks = names.map(|each| (each.name, disk.clone())).collect();
        Ok(ImageFiles { disk: has_disk.then_some(disk), disks, iso, boot })
    }

    async fn read(&self, file: &Path) -> Result<Content> {
        Ok(content(file.display().to_string().into()))
    }
}

fn content(bytes: bytes::Bytes) -> Content {
    let size = Bytes(bytes.len() as u64);
    Content { size, bytes: futures::stream::iter([Ok(bytes)]).boxed() }
}

/// Pretends to download. What ends in `.tar` is a bundle, in `.iso` an ISO; what ends in `missing` is not there.
async fn fetch(url: &str, progress: &Progress) -> Result<(ImageKind, Bytes)> {
    if url.ends_with("missing") {
        return Err(Error::unavailable("the server answers 404 Not Found"));
    }
    for step in 0..STEPS {
        let (done, total) = (FETCHED.0 / STEPS * step, FETCHED.0);
        progress(Live::at(steps::DOWNLOAD, done, total));
        tokio::time::sleep(STEP).await;
    }
    let kind = match url.rsplit('.').next() {
        Some("tar") => ImageKind::Bundle,
        Some("iso") => ImageKind::Iso,
        _ => ImageKind::Disk,
    };
    Ok((kind, FETCHED))
}
