//! Copies of volumes. A copy is independent of its original at once: it shares the image below and
//! has clusters of its own. Where the file system can share blocks (xfs, btrfs), the file is cloned
//! in a moment; else the clusters that the original itself holds are copied.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use novacron_model::Result;
use novacron_model::volume::DiskFormat;
use rustix::io::Errno;

use super::super::qemu_img::Copy;
use super::super::{Base, Original, Percent, Pool, VolumeWanted, fault, qcow2};
use super::{DirPool, blocking, disk_size};

impl DirPool {
    /// Fills the file at `path`, which does not exist.
    pub(super) async fn copy_volume(
        &self,
        wanted: &VolumeWanted,
        original: &Original,
        path: &Path,
        progress: Percent<'_>,
    ) -> Result<()> {
        let format = wanted.format;
        let from = Base { path: self.volume(original.uid, format).await?, format };
        let held = disk_size(&from).await?;
        let size = wanted.size.max(held);
        if original.snapshot.is_none() && share(&from, path).await? {
            return self.enlarge(&Base { path: path.to_owned(), format }, size).await;
        }
        // A raw volume has its image's content within itself.
        let image = wanted.base.clone().filter(|_| format == DiskFormat::Qcow2);
        let empty = VolumeWanted { size, base: image.clone(), ..wanted.clone() };
        self.make_volume(&empty, path).await?;
        let copy = Copy {
            from: &from.path,
            to: path,
            format,
            image: image.as_ref(),
            snapshot: original.snapshot,
            size,
        };
        self.inner.qemu_img.copy(&copy, progress).await?;
        let path = path.to_owned();
        blocking(move || {
            let file = File::open(&path).map_err(fault::at(&path, "open"))?;
            file.sync_all().map_err(fault::at(&path, "write"))
        })
        .await
    }
}

/// Makes `to` share all blocks of `from`; `false` where that cannot be done, and nothing is there.
async fn share(from: &Base, to: &Path) -> Result<bool> {
    let (from, to) = (from.clone(), to.to_owned());
    blocking(move || {
        let source = File::open(&from.path).map_err(fault::at(&from.path, "read"))?;
        if from.format == DiskFormat::Qcow2 && qcow2::Header::read(&source)?.snapshots > 0 {
            // The copy would hold what no snapshot of its VM names.
            return Ok(false);
        }
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&to);
        let file = file.map_err(fault::at(&to, "make"))?;
        match rustix::fs::ioctl_ficlone(&file, &source) {
            Ok(()) => file.sync_all().map(|()| true).map_err(fault::at(&to, "write")),
            Err(Errno::OPNOTSUPP | Errno::NOTTY | Errno::XDEV | Errno::INVAL) => {
                std::fs::remove_file(&to).map_err(fault::at(&to, "remove"))?;
                Ok(false)
            }
            Err(error) => Err(fault::from_io(&to, "write", &error.into())),
        }
    })
    .await
}
