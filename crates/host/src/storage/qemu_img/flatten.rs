//! Writing what a guest sees of a disk, now or in one of its snapshots, into one new file that
//! names no other.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use novacron_model::units::Bytes;
use novacron_model::{Error, Result};
use uuid::Uuid;

use super::{Format, Limits, QemuImg, room_for, time_for};
use crate::storage::{Base, fault, layers};

/// A disk with the image beneath it.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    pub top: &'a Base,
    pub backing: Option<&'a Base>,
    /// The tag of a snapshot in `top` that is read in place of what the disk shows now.
    pub snapshot: Option<Uuid>,
}

impl QemuImg {
    /// Makes `to`, not yet durable. `size` is the one that a guest sees of the disk. Nobody may
    /// write the disk meanwhile; a snapshot's clusters stay as they are while it exists, so that
    /// one can be read beneath a running guest.
    pub async fn flatten(&self, from: Layers<'_>, to: (&Path, Format), size: Bytes) -> Result<()> {
        let limits = Limits { output: room_for(size), time: time_for(size.0) };
        // Without locks (`-U`): a guest has the file beneath a snapshot, and the lock of a killed
        // `qemu-img` would outlive its caller for a moment and keep a guest from its start.
        let mut args: Vec<OsString> =
            ["convert", "-U", "--image-opts", "-O", to.1.as_str()].map(OsString::from).into();
        if let Some(tag) = from.snapshot {
            args.extend(["-l".into(), format!("snapshot.name={tag}").into()]);
        }
        let layers = layers::options(
            (from.top.path.as_path(), from.top.format),
            from.backing.map(|disk| (disk.path.as_path(), disk.format)),
        );
        args.extend([layers.into(), to.0.into()]);
        let args: Vec<&OsStr> = args.iter().map(OsString::as_os_str).collect();
        let ended = self.run(&args, limits, &mut |_| ()).await?;
        if fault::tells_full(&ended.stderr) {
            return Err(fault::full(to.0));
        }
        if from.snapshot.is_some() && ended.stderr.contains("Can't find snapshot") {
            return Err(Error::conflict("the snapshot is not in this disk")
                .hint("`novacron snapshot list` shows what there is"));
        }
        ended.succeeded("convert")
    }
}
