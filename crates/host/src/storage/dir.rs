//! A pool that is a directory.
//!
//! ```text
//!  PATH/novacron-pool          says that this directory is a pool; locked while it is open
//!  PATH/images/UID/            an image's files, read-only
//!  PATH/volumes/UID.FORMAT     a volume
//!  PATH/incoming/              what is being made; renamed out of here when it is whole
//! ```
//!
//! Whatever stands in `images` or `volumes` is complete: it was made in `incoming`, synced, and
//! renamed. A qcow2 volume names its image by a relative path, so a pool can be moved.

mod copy;
mod files;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat;
use novacron_model::{Error, Result};
use uuid::Uuid;

use self::files::{make_read_only, remove_any, remove_large, sync_dir, sync_tree};
use super::qemu_img::{Format, Layers};
use super::{
    Base, ExportWanted, Exported, Original, Percent, Pool, QemuImg, Usage, VolumeWanted, fault,
    qcow2,
};

const MARKER: &str = "novacron-pool";
const FORMATS: [DiskFormat; 2] = [DiskFormat::Qcow2, DiskFormat::Raw];
const SECTOR: u64 = 512;
/// A file in a staging folder with this name says that the image has wholly arrived, so that a
/// crash must not throw it away.
pub const ARRIVED: &str = "arrival.json";
/// A file in a staging folder with this name says that a client may go on with its upload.
pub const UPLOAD: &str = "upload.json";
/// How often and after which pauses the pool's lock is tried before somebody is taken to hold it.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, Clone)]
pub struct DirPool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    qemu_img: QemuImg,
    /// Holds a shared lock on the marker.
    _marker: File,
}

impl DirPool {
    /// Opens a pool, making it where there is nothing yet, and sweeps what a crash has left.
    /// Refuses a directory that holds other things. A full disk is no obstacle.
    pub async fn open(path: impl Into<PathBuf>, qemu_img: QemuImg) -> Result<Self> {
        let path = path.into();
        blocking(move || {
            let marker = enter(&path)?;
            // Alone here: nothing in `incoming` can be in the making.
            if alone(&marker) {
                sweep(&path.join("incoming"))?;
            }
            marker.lock_shared().map_err(fault::at(&path, "lock"))?;
            Ok(Self { inner: Arc::new(Inner { path, qemu_img, _marker: marker }) })
        })
        .await
    }

    fn volume_path(&self, uid: Uuid, format: DiskFormat) -> PathBuf {
        self.inner.path.join("volumes").join(format!("{uid}.{}", format.as_str()))
    }

    fn image_path(&self, uid: Uuid) -> PathBuf {
        self.inner.path.join("images").join(uid.to_string())
    }

    /// In a folder of its own: a `qemu-img` that outlives a killed daemon by a moment finds no
    /// place to write into once that folder has been swept.
    fn begin(&self, volume: Uuid) -> Result<Making> {
        Making::new(self.inner.path.join("incoming").join(volume.to_string()))
    }

    /// Fills the file at `path`, which does not exist.
    async fn make_volume(&self, wanted: &VolumeWanted, path: &Path) -> Result<()> {
        let size = volume_size(wanted)?;
        if let (DiskFormat::Raw, Some(base)) = (wanted.format, &wanted.base) {
            let from = (base.path.as_path(), base.format.into());
            let to = (path, Format::Raw);
            self.inner.qemu_img.convert(from, to, size, &mut |_| ()).await?;
        }
        let (wanted, path) = (wanted.clone(), path.to_owned());
        let volumes = self.inner.path.join("volumes");
        blocking(move || {
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
            let file = file.map_err(fault::at(&path, "make"))?;
            let written = match wanted.format {
                DiskFormat::Raw => file.set_len(size.0),
                DiskFormat::Qcow2 => match &wanted.base {
                    None => qcow2::create(&file, size, None),
                    Some(base) => {
                        let name = relative(&volumes, &base.path)?;
                        qcow2::create(&file, size, Some((&name, base.format)))
                    }
                },
            };
            written.and_then(|()| file.sync_all()).map_err(fault::at(&path, "write"))
        })
        .await
    }

    /// Makes a disk that nobody uses at least `size` large.
    async fn enlarge(&self, disk: &Base, size: Bytes) -> Result<()> {
        if disk_size(disk).await? >= size {
            return Ok(());
        }
        if size > qcow2::SIZE_MAX {
            return Err(too_large());
        }
        let format = disk.format;
        if format == DiskFormat::Qcow2 {
            self.inner.qemu_img.grow(&disk.path, size).await?;
        }
        let path = disk.path.clone();
        blocking(move || {
            let file = OpenOptions::new().write(true).open(&path);
            let file = file.map_err(fault::at(&path, "open"))?;
            let grown = if format == DiskFormat::Raw { file.set_len(size.0) } else { Ok(()) };
            grown.and_then(|()| file.sync_all()).map_err(fault::at(&path, "grow"))
        })
        .await
    }
}

#[async_trait]
impl Pool for DirPool {
    fn path(&self) -> &Path {
        &self.inner.path
    }

    async fn usage(&self) -> Result<Usage> {
        let path = self.inner.path.clone();
        blocking(move || {
            let stat = rustix::fs::statvfs(&path);
            let stat = stat.map_err(|error| fault::from_io(&path, "read", &error.into()))?;
            let bytes = |blocks: u64| Bytes(blocks.saturating_mul(stat.f_frsize));
            Ok(Usage { total: bytes(stat.f_blocks), free: bytes(stat.f_bavail) })
        })
        .await
    }

    async fn ensure_volume(&self, wanted: &VolumeWanted) -> Result<PathBuf> {
        let path = self.volume_path(wanted.uid, wanted.format);
        if path.exists() {
            return Ok(path);
        }
        let making = self.begin(wanted.uid)?;
        self.make_volume(wanted, &making.file()).await?;
        making.finish(path).await
    }

    async fn ensure_copy(
        &self,
        wanted: &VolumeWanted,
        original: &Original,
        progress: Percent<'_>,
    ) -> Result<PathBuf> {
        let path = self.volume_path(wanted.uid, wanted.format);
        if path.exists() {
            return Ok(path);
        }
        let making = self.begin(wanted.uid)?;
        self.copy_volume(wanted, original, &making.file(), progress).await?;
        making.finish(path).await
    }

    async fn volume(&self, uid: Uuid, format: DiskFormat) -> Result<PathBuf> {
        let path = self.volume_path(uid, format);
        if path.exists() {
            return Ok(path);
        }
        Err(Error::unavailable(format!("the volume's file {} is gone", path.display()))
            .hint("is the pool's disk mounted? Otherwise the file was removed by hand"))
    }

    async fn grow_volume(&self, uid: Uuid, format: DiskFormat, size: Bytes) -> Result<Bytes> {
        let path = self.volume(uid, format).await?;
        let disk = Base { path, format };
        self.enlarge(&disk, size).await?;
        disk_size(&disk).await
    }

    async fn export_volume(&self, wanted: &ExportWanted) -> Result<Exported> {
        let path = self.volume(wanted.volume, wanted.format).await?;
        let top = Base { path, format: wanted.format };
        let size = disk_size(&top).await?;
        let name = format!("export-{}", Uuid::now_v7());
        let making = Making::new(self.inner.path.join("incoming").join(name))?;
        let file = making.0.join("disk");
        let from =
            Layers { top: &top, backing: wanted.backing.as_ref(), snapshot: wanted.snapshot };
        self.inner.qemu_img.flatten(from, (&file, wanted.into.into()), size).await?;
        blocking(move || {
            let open = File::open(&file).map_err(fault::at(&file, "read"))?;
            let size = open.metadata().map_err(fault::at(&file, "read"))?.len();
            drop(making);
            Ok(Exported { file: open, size: Bytes(size) })
        })
        .await
    }

    async fn volume_usage(&self, uid: Uuid) -> Result<Bytes> {
        let paths = FORMATS.map(|format| self.volume_path(uid, format));
        blocking(move || {
            let used = |path: &PathBuf| Some(fs::metadata(path).ok()?.blocks() * SECTOR);
            Ok(Bytes(paths.iter().filter_map(used).sum()))
        })
        .await
    }

    async fn delete_volume(&self, uid: Uuid) -> Result<()> {
        let paths = FORMATS.map(|format| self.volume_path(uid, format));
        let dir = self.inner.path.join("volumes");
        blocking(move || {
            paths.iter().try_for_each(|path| remove_any(path))?;
            sync_dir(&dir)
        })
        .await
    }

    fn staging(&self, image: Uuid) -> PathBuf {
        self.inner.path.join("incoming").join(image.to_string())
    }

    async fn publish_image(&self, image: Uuid, files: &Path) -> Result<()> {
        let (from, to) = (files.to_owned(), self.image_path(image));
        let staging = self.staging(image);
        blocking(move || {
            if !to.exists() {
                make_read_only(&from)?;
                sync_tree(&from)?;
                rename(&from, &to)?;
            }
            remove_large(&staging)
        })
        .await
    }

    async fn image(&self, image: Uuid) -> Result<Option<PathBuf>> {
        let path = self.image_path(image);
        Ok(path.is_dir().then_some(path))
    }

    async fn delete_image(&self, image: Uuid) -> Result<()> {
        let (path, staging) = (self.image_path(image), self.staging(image));
        let doomed = self.inner.path.join("incoming").join(format!("deleted-{image}"));
        let dir = self.inner.path.join("images");
        blocking(move || {
            // In one step, so that a crash leaves no half image where whole ones stand.
            remove_any(&doomed)?;
            if path.exists() {
                fs::rename(&path, &doomed).map_err(fault::at(&path, "remove"))?;
                sync_dir(&dir)?;
            }
            remove_any(&doomed)?;
            remove_any(&staging)
        })
        .await
    }
}

/// A folder in which something is made; goes when that is done or given up.
struct Making(PathBuf);

impl Making {
    fn new(path: PathBuf) -> Result<Self> {
        remove_any(&path)?;
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(fault::at(&path, "make"))?;
        Ok(Self(path))
    }

    fn file(&self) -> PathBuf {
        self.0.join("disk")
    }

    /// The commit point: the file, whole and durable, gets its final name. Whoever gives up
    /// meanwhile removes the folder: after that the file appears nowhere any more.
    async fn finish(&self, to: PathBuf) -> Result<PathBuf> {
        let (folder, file) = (self.0.clone(), self.file());
        blocking(move || {
            rename(&file, &to)?;
            remove_any(&folder)?;
            Ok(to)
        })
        .await
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Checks that the directory is a pool or may become one, and opens its marker.
fn enter(path: &Path) -> Result<File> {
    if !path.is_absolute() {
        let message = format!("\"{}\" is not an absolute path", path.display());
        return Err(Error::invalid("spec.path", message));
    }
    fs::create_dir_all(path).map_err(fault::at(path, "make"))?;
    let marker = path.join(MARKER);
    if !marker.exists() {
        refuse_foreign(path)?;
    }
    for dir in ["images", "volumes", "incoming"].map(|name| path.join(name)) {
        let made = fs::DirBuilder::new().mode(0o711).recursive(true).create(&dir);
        made.map_err(fault::at(&dir, "make"))?;
    }
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(&marker);
    let mut file = file.map_err(fault::at(&marker, "open"))?;
    if file.metadata().is_ok_and(|meta| meta.len() == 0) {
        // The write test. A disk that is full must still be usable for what lies there.
        let written = file.write_all(b"format = 1\n").and_then(|()| file.sync_all());
        match written {
            Err(error) if error.kind() != ErrorKind::StorageFull => {
                return Err(fault::from_io(&marker, "write", &error));
            }
            _ => (),
        }
    }
    Ok(file)
}

fn refuse_foreign(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path).map_err(fault::at(path, "read"))? {
        let name = entry.map_err(fault::at(path, "read"))?.file_name();
        if name != "lost+found" {
            let message = format!(
                "{} is no pool and holds other things (\"{}\")",
                path.display(),
                name.to_string_lossy()
            );
            return Err(Error::invalid("spec.path", message).hint("name an empty directory"));
        }
    }
    Ok(())
}

/// Whether nobody else has the pool open. A daemon that was killed while it started `qemu-img`
/// leaves a child that holds the lock until it has become `qemu-img`: a moment is waited for it.
fn alone(marker: &File) -> bool {
    (0..LOCK_TRIES).any(|attempt| {
        if attempt > 0 {
            std::thread::sleep(LOCK_PAUSE);
        }
        marker.try_lock().is_ok()
    })
}

/// Removes what a crash has left; of images that had wholly arrived, only what was made of them.
/// Uploads wait for their clients.
fn sweep(incoming: &Path) -> Result<()> {
    for entry in fs::read_dir(incoming).map_err(fault::at(incoming, "read"))? {
        let path = entry.map_err(fault::at(incoming, "read"))?.path();
        if path.join(ARRIVED).exists() && path.join(crate::image::SOURCE).exists() {
            remove_any(&path.join(crate::image::WORK))?;
            continue;
        }
        if path.join(UPLOAD).exists() && !crate::image::is_stale(&path) {
            continue;
        }
        tracing::info!(path = %path.display(), "removing what a crash has left");
        remove_any(&path)?;
    }
    Ok(())
}

fn volume_size(wanted: &VolumeWanted) -> Result<Bytes> {
    let base = wanted.base.as_ref().map(base_size).transpose()?;
    let size = match (wanted.size, base) {
        (Bytes(0), None) => return Err(Error::invalid("spec.size", "a volume needs a size")),
        (Bytes(0), Some(base)) => base,
        (size, Some(base)) if size < base => {
            let message = format!("{size} is less than the image's {base}");
            return Err(Error::invalid("spec.size", message));
        }
        (size, _) => size,
    };
    let rounded = size.0.checked_next_multiple_of(SECTOR).filter(|size| *size <= qcow2::SIZE_MAX.0);
    rounded.map(Bytes).ok_or_else(too_large)
}

fn too_large() -> Error {
    Error::invalid("spec.size", format!("a volume has at most {}", qcow2::SIZE_MAX))
}

async fn disk_size(disk: &Base) -> Result<Bytes> {
    let disk = disk.clone();
    blocking(move || base_size(&disk)).await
}

fn base_size(base: &Base) -> Result<Bytes> {
    let file = File::open(&base.path).map_err(fault::at(&base.path, "read"))?;
    match base.format {
        DiskFormat::Qcow2 => Ok(qcow2::Header::read(&file)?.virtual_size),
        DiskFormat::Raw => {
            let meta = file.metadata().map_err(fault::at(&base.path, "read"))?;
            Ok(Bytes(meta.len()))
        }
    }
}

/// `path` as seen from `dir` where both lie in the same pool, else as it is.
fn relative(dir: &Path, path: &Path) -> Result<String> {
    let pool = dir.parent().unwrap_or(dir);
    let seen = match path.strip_prefix(pool) {
        Ok(rest) if rest.components().all(|part| matches!(part, Component::Normal(_))) => {
            Path::new("..").join(rest)
        }
        _ => path.to_owned(),
    };
    let odd = || Error::internal(format!("{} is not UTF-8", path.display()));
    seen.into_os_string().into_string().map_err(|_| odd())
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(fault::at(to, "make"))?;
    sync_dir(to.parent().unwrap_or(to))
}

/// File systems block; the runtime's workers must not.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let lost = |error| Error::internal(format!("work on the pool was lost: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}
