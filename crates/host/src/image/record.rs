//! What a pool keeps about an image, beside its files, and what is read back from there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use novacron_model::image::{ImageFormat, ImageKind, ImageMachine};
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat;
use novacron_model::{Error, Name, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::bundle::{self, Bundle};
use super::{Arrival, CD};
use crate::hypervisor::Boot;
use crate::storage::{Base, Pool, fault};

const FILE: &str = "image.json";
const FORMAT: u32 = 1;

/// In which `stat` counts, whatever the file system.
const BLOCK: u64 = 512;

/// An image that is ready, as a machine and its volumes need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFiles {
    pub kind: ImageKind,
    /// Of the source; none if an older version has made the image.
    pub format: Option<ImageFormat>,
    /// Room that its files take.
    pub stored: Bytes,
    /// Lower-case hex SHA-256 of the source as it arrived; empty where it is yet to be worked out,
    /// from the file that stayed as it came.
    pub sha256: String,
    /// Bytes of the source as it arrived.
    pub size: Bytes,
    /// Zero where there is no disk.
    pub virtual_size: Bytes,
    /// What the bundle says of itself; empty for a disk.
    pub os: String,
    /// What volumes of this image lie over; the first of several.
    pub disk: Option<Base>,
    /// All disks of a whole VM.
    pub disks: BTreeMap<Name, Base>,
    /// What the VM was like.
    pub machine: Option<ImageMachine>,
    /// The CD that a machine reads as it is.
    pub iso: Option<PathBuf>,
    pub boot: Boot,
}

impl ImageFiles {
    /// The image's files, where it is published in the pool.
    pub async fn open(pool: &dyn Pool, image: Uuid) -> Result<Option<Self>> {
        let Some(dir) = pool.image(image).await? else { return Ok(None) };
        let path = dir.join(FILE);
        let text = fs::read(&path).map_err(fault::at(&path, "read"))?;
        let record: Record = serde_json::from_slice(&text).map_err(|error| {
            Error::internal(format!("{} is damaged: {error}", path.display()))
                .hint("remove the image and import it again")
        })?;
        let stored = stored(&dir).map_err(fault::at(&dir, "read"))?;
        Ok(Some(ImageFiles { stored, ..record.files(&dir) }))
    }
}

/// Holes take no room.
fn stored(dir: &Path) -> std::io::Result<Bytes> {
    let blocks = fs::read_dir(dir)?.map(|entry| Ok(entry?.metadata()?.blocks()));
    Ok(Bytes(blocks.sum::<std::io::Result<u64>>()? * BLOCK))
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    kind: ImageKind,
    #[serde(default)]
    source: Option<ImageFormat>,
    pub sha256: String,
    size: Bytes,
    virtual_size: Bytes,
    /// Of the disk. Where it is not told, the image was made when there was but one.
    #[serde(default = "qcow2")]
    disk: DiskFormat,
    /// Of each disk of a whole VM.
    #[serde(default)]
    disks: Vec<DiskFormat>,
    #[serde(default)]
    os: String,
    #[serde(default)]
    kernel: Option<Kernel>,
    #[serde(default)]
    machine: Option<ImageMachine>,
}

fn qcow2() -> DiskFormat {
    DiskFormat::Qcow2
}

/// A disk that was made.
#[derive(Debug, Clone, Copy)]
pub struct Disk {
    pub format: DiskFormat,
    /// As a guest sees it.
    pub size: Bytes,
    /// It is the very file that arrived.
    pub as_it_came: bool,
}

/// A disk's file in the image's folder; the disks of a whole VM have names.
pub fn disk_file(name: Option<&Name>, format: DiskFormat) -> String {
    let format = format.as_str();
    name.map_or_else(|| format!("disk.{format}"), |name| format!("disk-{name}.{format}"))
}

#[derive(Debug, Serialize, Deserialize)]
struct Kernel {
    initrd: bool,
    cmdline: String,
}

impl Record {
    /// Of a disk, until [`Record::set_bundle`] or [`Record::set_iso`].
    pub fn new(arrival: &Arrival) -> Self {
        Self {
            format: FORMAT,
            kind: ImageKind::Disk,
            source: None,
            sha256: arrival.sha256.clone(),
            size: arrival.size,
            virtual_size: Bytes(0),
            disk: qcow2(),
            disks: Vec::new(),
            os: String::new(),
            kernel: None,
            machine: None,
        }
    }

    pub fn set_format(&mut self, source: ImageFormat) {
        self.source = Some(source);
    }

    /// In the order of the bundle; volumes lie over the first unless they say otherwise.
    pub fn set_disks(&mut self, disks: &[Disk]) {
        if let Some(first) = disks.first() {
            (self.virtual_size, self.disk) = (first.size, first.format);
        }
        self.disks = disks.iter().map(|disk| disk.format).collect();
    }

    pub fn set_bundle(&mut self, bundle: Bundle) {
        self.kind = ImageKind::Bundle;
        self.os = bundle.os;
        let kernel = bundle.kernel;
        self.kernel =
            kernel.map(|kernel| Kernel { initrd: kernel.initrd, cmdline: kernel.cmdline });
        self.machine = bundle.machine;
    }

    pub fn set_iso(&mut self) {
        self.kind = ImageKind::Iso;
    }

    pub fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE);
        let text = serde_json::to_vec(self)
            .map_err(|error| Error::internal(format!("an image's record: {error}")))?;
        fs::write(&path, text).map_err(fault::at(&path, "write"))
    }

    fn files(self, dir: &Path) -> ImageFiles {
        let names = self.machine.iter().flat_map(|machine| &machine.disks).map(|disk| &disk.name);
        let formats = self.disks.iter().copied().chain(std::iter::repeat(self.disk));
        let base = |(name, format): (&Name, DiskFormat)| {
            let path = dir.join(disk_file(Some(name), format));
            (name.clone(), Base { path, format })
        };
        let disks: Vec<(Name, Base)> = names.zip(formats).map(base).collect();
        let only = || Base { path: dir.join(disk_file(None, self.disk)), format: self.disk };
        let first = disks.first().map_or_else(only, |(_, base)| base.clone());
        let boot = match self.kernel {
            None => Boot::Firmware,
            Some(kernel) => Boot::Kernel {
                kernel: dir.join(bundle::KERNEL),
                initrd: kernel.initrd.then(|| dir.join(bundle::INITRD)),
                cmdline: kernel.cmdline,
            },
        };
        ImageFiles {
            kind: self.kind,
            format: self.source,
            stored: Bytes(0),
            sha256: self.sha256,
            size: self.size,
            virtual_size: self.virtual_size,
            os: self.os,
            disk: (self.virtual_size > Bytes(0)).then_some(first),
            disks: disks.into_iter().collect(),
            machine: self.machine,
            iso: (self.kind == ImageKind::Iso).then(|| dir.join(CD)),
            boot,
        }
    }
}
