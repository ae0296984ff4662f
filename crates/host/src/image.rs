//! Importing images: bytes from a URL or a client become files that volumes can lie over.
//!
//! ```text
//!  receive ─▶ arrived (durable) ─▶ inspect ─▶ convert or unpack ─▶ publish (durable)
//! ```
//!
//! Nothing about an image is believed: its format is found by our own code, never probed by
//! QEMU, and what names other files, claims absurd sizes or contradicts itself is refused before
//! any program reads it. An import can be dropped at any moment and leaves nothing behind but,
//! once all bytes have arrived, those: [`Importer::finish`] goes on from there.
//!
//! What can be used as it came is: a raw disk and an ordinary qcow2 disk get a second name and are
//! not written again. Volumes lie over either.

mod boot;
mod bundle;
mod busy;
mod detect;
mod fetch;
mod handed;
mod iso;
mod make;
pub mod pack;
mod part;
mod receive;
mod record;
mod sink;
mod sparse;
mod sum;
mod vhdx;
mod vmdk;
mod writeback;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes as Chunk;
use futures::stream::BoxStream;
use novacron_model::image::Uploaded;
use novacron_model::task::Live;
use novacron_model::units::Bytes;
use novacron_model::{Error, Result};
use uuid::Uuid;

use self::busy::{Busies, Busy};
use self::part::Cut;
use self::sink::{Sink, Written};
use crate::storage::{Pool, QemuImg, fault};

pub use self::bundle::machine_in;
pub(crate) use self::fetch::{Unreached, text as fetch_text};
pub(crate) use self::part::is_stale;
pub use self::part::{KEPT, Part};
pub use self::receive::Arrival;
pub use self::record::ImageFiles;

/// Folder in the staging folder in which the image's files are made.
pub(crate) const WORK: &str = "work";
/// The image as it arrived, in the staging folder.
pub(crate) const SOURCE: &str = "source";
const CD: &str = "cd.iso";

/// Where an image comes from.
pub enum Source {
    /// `http` or `https`.
    Url(String),
    Published(Published),
    Upload {
        /// In bytes, where the client has said so.
        length: Option<u64>,
        content: BoxStream<'static, Result<Chunk>>,
    },
    /// What a client on this machine has opened.
    File(File),
}

/// An image of the catalogue, with what its publisher says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Of the entry.
    pub name: String,
    pub url: String,
    pub sum: Sum,
}

/// A checksum in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sum {
    Sha256(String),
    Sha512(String),
}

/// What an image may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file that arrives.
    pub size: Bytes,
    /// Size of the disk that a guest would see.
    pub virtual_size: Bytes,
}

impl Default for Limits {
    fn default() -> Self {
        Self { size: Bytes::gib(8 << 10), virtual_size: Bytes::gib(8 << 10) }
    }
}

/// Hears what happens; called often, so it must be quick.
pub type Progress<'a> = &'a (dyn Fn(Live) + Send + Sync);

/// Imports images into one pool.
pub struct Importer {
    pool: Arc<dyn Pool>,
    qemu_img: QemuImg,
    limits: Limits,
    busy: Arc<Busies>,
    /// What is known of uploads that wait for their clients.
    kept: Arc<Mutex<BTreeMap<Uuid, Written>>>,
}

impl Importer {
    pub fn new(pool: Arc<dyn Pool>, qemu_img: QemuImg, limits: Limits) -> Self {
        Self { pool, qemu_img, limits, busy: Arc::default(), kept: Arc::default() }
    }

    /// Makes the image exist. One that does is returned as it is; one that has wholly arrived is
    /// not fetched again. `sha256` is lower-case hex.
    pub async fn import(
        &self,
        image: Uuid,
        source: Source,
        sha256: Option<&str>,
        progress: Progress<'_>,
    ) -> Result<ImageFiles> {
        if let Some(files) = ImageFiles::open(&*self.pool, image).await? {
            return Ok(files);
        }
        self.receive(image, source, sha256, progress).await?;
        self.finish(image, progress).await
    }

    /// Takes the image's bytes and returns once they are durable; those of a [`Source::File`] once they
    /// are copied, for the copy is durable when the image is. Refuses another checksum than `sha256`.
    pub async fn receive(
        &self,
        image: Uuid,
        source: Source,
        sha256: Option<&str>,
        progress: Progress<'_>,
    ) -> Result<Arrival> {
        let _busy = self.busy.occupy(image)?;
        if let Some(arrival) = self.arrived(image)? {
            return Ok(arrival);
        }
        let staging = Staging::fresh(self.pool.staging(image))?;
        let arrival =
            receive::receive(&staging.path, source, sha256, self.limits.size, progress).await?;
        staging.keep();
        Ok(arrival)
    }

    /// Takes a part of an upload. What has come stays when the connection breaks, and nothing
    /// does after any other error. Refuses a part that begins elsewhere than the former ended.
    pub async fn receive_part(
        &self,
        image: Uuid,
        mut part: Part,
        sha256: Option<&str>,
        progress: Progress<'_>,
    ) -> Result<Uploaded> {
        // Before and after: it may be made into an image meanwhile, which takes its time.
        if let Some(whole) = self.whole(image).await? {
            return Ok(whole);
        }
        let busy = Arc::new(self.busy.occupy_soon(image).await?);
        if let Some(whole) = self.whole(image).await? {
            return Ok(whole);
        }
        let staging = self.pool.staging(image);
        if part.offset == 0 {
            Staging::fresh(staging.clone())?.keep();
        }
        let sink = self.open_part(image, &staging, &part, &busy);
        let mut sink = sink.inspect_err(|_| self.forget_beginning(image, &part, &staging))?;
        let taken = part::take(&mut part, &mut sink, progress).await;
        let offset = match taken {
            Ok(()) if sink.size == part.total => {
                let finished = part::finish(&staging, sink, sha256).await;
                return finished.inspect_err(|_| self.forget(image, &staging));
            }
            Ok(()) => sink.pause().await.inspect_err(|_| self.forget(image, &staging))?,
            Err(Cut::Broken(error)) => {
                sink.pause().await.inspect_err(|_| self.forget(image, &staging))?;
                return Err(error);
            }
            Err(Cut::Final(error)) => {
                // It writes until it has ended.
                let _ = sink.pause().await;
                self.forget(image, &staging);
                return Err(error);
            }
        };
        Ok(Uploaded { offset: Bytes(offset), complete: false })
    }

    /// What is known of an upload that needs no more bytes.
    async fn whole(&self, image: Uuid) -> Result<Option<Uploaded>> {
        if let Some(arrival) = self.arrived(image)?.filter(Arrival::is_durable) {
            return Ok(Some(Uploaded { offset: arrival.size, complete: true }));
        }
        let files = ImageFiles::open(&*self.pool, image).await?;
        Ok(files.map(|files| Uploaded { offset: files.size, complete: true }))
    }

    fn open_part(
        &self,
        image: Uuid,
        staging: &Path,
        part: &Part,
        busy: &Arc<Busy>,
    ) -> Result<Sink> {
        let (all, busy) = (Arc::clone(&self.kept), Arc::clone(busy));
        part::check(staging, part)?;
        let kept = lock(&self.kept).remove(&image);
        part::open(staging, part, kept, self.limits.size, move |written| {
            lock(&all).insert(image, written);
            drop(busy);
        })
    }

    /// How far an upload has come.
    pub fn uploaded(&self, image: Uuid) -> Result<Uploaded> {
        match self.arrived(image)?.filter(Arrival::is_durable) {
            Some(arrival) => Ok(Uploaded { offset: arrival.size, complete: true }),
            None => part::uploaded(&self.pool.staging(image)),
        }
    }

    /// Removes an upload whose client has not come back for a day.
    pub fn drop_stale(&self, image: Uuid) -> Result<()> {
        let staging = self.pool.staging(image);
        let Ok(_busy) = self.busy.occupy(image) else { return Ok(()) };
        if self.arrived(image)?.is_none() && staging.exists() && is_stale(&staging) {
            tracing::info!(%image, "removing an upload that nobody went on with");
            self.forget(image, &staging);
        }
        Ok(())
    }

    /// To be called when the image's files are removed.
    pub fn forget_upload(&self, image: Uuid) {
        lock(&self.kept).remove(&image);
    }

    /// Forgets an upload; what cannot be removed now is swept when the pool is opened.
    fn forget(&self, image: Uuid, staging: &Path) {
        lock(&self.kept).remove(&image);
        if let Err(error) = std::fs::remove_dir_all(staging) {
            tracing::warn!(%image, %error, "an upload's folder stays for now");
        }
    }

    fn forget_beginning(&self, image: Uuid, part: &Part, staging: &Path) {
        if part.offset == 0 {
            self.forget(image, staging);
        }
    }

    /// What has arrived of an image that is not yet published, also before a crash.
    pub fn arrived(&self, image: Uuid) -> Result<Option<Arrival>> {
        receive::arrived(&self.pool.staging(image))
    }

    /// Turns what has arrived into the image. After an error nothing is left; dropped, it can be
    /// called again.
    pub async fn finish(&self, image: Uuid, progress: Progress<'_>) -> Result<ImageFiles> {
        let _busy = self.busy.occupy(image)?;
        if let Some(files) = ImageFiles::open(&*self.pool, image).await? {
            return Ok(files);
        }
        let staging = self.pool.staging(image);
        let Some(arrival) = receive::arrived(&staging)? else {
            return Err(Error::conflict("the image's content has not arrived yet"));
        };
        if let Err(error) = self.make(image, &staging, &arrival, progress).await {
            self.pool.delete_image(image).await?;
            return Err(error);
        }
        let lost = || Error::internal("an image is gone right after its import");
        ImageFiles::open(&*self.pool, image).await?.ok_or_else(lost)
    }

    /// SHA-256 of the source of an image that is ready.
    pub async fn sum(&self, image: Uuid) -> Result<String> {
        let lost = || Error::unavailable(format!("the files of image {image} are gone"));
        let files = ImageFiles::open(&*self.pool, image).await?.ok_or_else(lost)?;
        if !files.sha256.is_empty() {
            return Ok(files.sha256);
        }
        let disk = files.disk.map(|disk| disk.path);
        let source = files.iso.or(disk).ok_or_else(lost)?;
        // A raw disk was filled up to a whole sector.
        sum::begin(&source, files.size)?.end().await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder that goes with its owner unless it is kept.
struct Staging {
    path: PathBuf,
    keep: bool,
}

impl Staging {
    /// An empty one.
    fn fresh(path: PathBuf) -> Result<Self> {
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(fault::at(&path, "remove"))?;
        }
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(fault::at(&path, "make"))?;
        Ok(Self { path, keep: false })
    }

    fn keep(mut self) {
        self.keep = true;
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn step(progress: Progress<'_>, step: &str) {
    report(progress, step, 0, 0);
}

fn report(progress: Progress<'_>, step: &str, done: u64, total: u64) {
    progress(Live::at(step, done, total));
}
