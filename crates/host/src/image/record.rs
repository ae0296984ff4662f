//! What a pool keeps about an image, beside its files, and what is read back from there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use novacron_model::image::{ImageKind, ImageMachine};
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat;
use novacron_model::{Error, Name, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::bundle::{self, Bundle};
use super::{Arrival, CD, DISK, disk_file};
use crate::hypervisor::Boot;
use crate::storage::{Base, Pool, fault};

const FILE: &str = "image.json";
const FORMAT: u32 = 1;

/// An image that is ready, as a machine and its volumes need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFiles {
    pub kind: ImageKind,
    /// Lower-case hex SHA-256 of the source as it arrived.
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
        Ok(Some(record.files(&dir)))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    kind: ImageKind,
    sha256: String,
    size: Bytes,
    pub virtual_size: Bytes,
    #[serde(default)]
    os: String,
    #[serde(default)]
    kernel: Option<Kernel>,
    #[serde(default)]
    machine: Option<ImageMachine>,
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
            sha256: arrival.sha256.clone(),
            size: arrival.size,
            virtual_size: Bytes(0),
            os: String::new(),
            kernel: None,
            machine: None,
        }
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
        let base = |file: String| Base { path: dir.join(file), format: DiskFormat::Qcow2 };
        let names: Vec<Name> = self
            .machine
            .iter()
            .flat_map(|machine| &machine.disks)
            .map(|disk| disk.name.clone())
            .collect();
        let first = names.first().map_or_else(|| DISK.to_owned(), disk_file);
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
            sha256: self.sha256,
            size: self.size,
            virtual_size: self.virtual_size,
            os: self.os,
            disk: (self.virtual_size > Bytes(0)).then(|| base(first)),
            disks: names.into_iter().map(|name| (name.clone(), base(disk_file(&name)))).collect(),
            machine: self.machine,
            iso: (self.kind == ImageKind::Iso).then(|| dir.join(CD)),
            boot,
        }
    }
}
