//! From what has arrived to the files of an image: looked into, unpacked or converted where it must be,
//! and taken as it is where it can.

use std::path::{Path, PathBuf};

use novacron_model::task::step as steps;
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat;
use novacron_model::{Code, Error, Name, Result};
use uuid::Uuid;

use super::bundle::{self, Bundle};
use super::detect::{self, Detected};
use super::record::{self, Disk, Record};
use super::writeback::Beside;
use super::{Arrival, CD, Importer, Progress, SOURCE, Staging, WORK, report, step, sum};
use crate::storage::fault;
use crate::storage::qemu_img::{Check, Format};

impl Importer {
    pub(super) async fn make(
        &self,
        image: Uuid,
        staging: &Path,
        arrival: &Arrival,
        progress: Progress<'_>,
    ) -> Result<()> {
        let work = Staging::fresh(staging.join(WORK))?;
        let source = staging.join(SOURCE);
        step(progress, steps::CHECK);
        let mut record = Record::new(arrival);
        let unknown = arrival.sha256.is_empty();
        let sum = unknown.then(|| sum::begin(&source, arrival.size)).transpose()?;
        let detected = detect::detect(&source)?;
        record.set_format(detected.format());
        let as_it_came = match detected {
            Detected::Bundle => {
                step(progress, steps::UNPACK);
                let mut bundle =
                    bundle::unpack(&source, &work.path, self.limits.virtual_size).await?;
                record.set_disks(&self.make_disks(&mut bundle, &work.path, progress).await?);
                record.set_bundle(bundle);
                false
            }
            Detected::Iso => {
                keep(&source, &work.path.join(CD))?;
                record.set_iso();
                true
            }
            _ => {
                let disk = self.make_disk(&source, &work.path, None, progress).await?;
                record.set_disks(&[disk]);
                disk.as_it_came
            }
        };
        // The sum of what stays can be worked out at any time; of what goes, only now.
        if let Some(sum) = sum.filter(|_| !as_it_came) {
            record.sha256 = sum.end().await?;
        }
        record.write(&work.path)?;
        self.pool.publish_image(image, &work.path).await
    }

    /// Makes a bundle's disks in `work`, in its order.
    async fn make_disks(
        &self,
        bundle: &mut Bundle,
        work: &Path,
        progress: Progress<'_>,
    ) -> Result<Vec<Disk>> {
        let mut disks = Vec::new();
        for packed in &bundle.disks {
            let name = packed.name.as_ref();
            disks.push(self.make_disk(&packed.path, work, name, progress).await?);
            std::fs::remove_file(&packed.path).map_err(fault::at(&packed.path, "remove"))?;
        }
        // What a disk has counts, not what the bundle says of it.
        let told = bundle.machine.iter_mut().flat_map(|machine| &mut machine.disks);
        for (told, made) in told.zip(&disks) {
            told.size = made.size;
        }
        Ok(disks)
    }

    /// Makes a disk in `work` from a file of unknown content; `name`: which of a whole VM's.
    async fn make_disk(
        &self,
        from: &Path,
        work: &Path,
        name: Option<&Name>,
        progress: Progress<'_>,
    ) -> Result<Disk> {
        let (format, size, as_is) = match detect::detect(from)? {
            Detected::Qcow2(header) => (Format::Qcow2, header.virtual_size, header.is_plain()),
            Detected::Raw(size) => (Format::Raw, size, true),
            Detected::Vmdk(size) => (Format::Vmdk, size, false),
            Detected::Vhdx(size) => (Format::Vhdx, size, false),
            what @ (Detected::Bundle | Detected::Iso) => {
                let what = if what == Detected::Iso { "an ISO" } else { "itself a bundle" };
                return Err(Error::invalid("spec.source", format!("a bundle's disk is {what}"))
                    .hint("a bundle's disk is a qcow2 or a raw file"));
            }
        };
        if size > self.limits.virtual_size {
            let message =
                format!("the image's disk has {size}, more than {}", self.limits.virtual_size);
            return Err(Error::new(Code::TooLarge, message).at("spec.source"));
        }
        let clean = format != Format::Qcow2 || self.qemu_img.check(from).await? == Check::Clean;
        let file = |format| work.join(record::disk_file(name, format));
        if clean
            && as_is
            && let Some(format) = take_as_it_is(from, format, size, file)?
        {
            return Ok(Disk { format, size, as_it_came: true });
        }
        let disk = Disk { format: DiskFormat::Qcow2, size, as_it_came: false };
        let mut percent = |done| report(progress, steps::CONVERT, done, 100);
        percent(0);
        let to = file(disk.format);
        let _beside = Beside::begin(&to);
        let to = (to.as_path(), Format::Qcow2);
        self.qemu_img.convert((from, format), to, size, &mut percent).await?;
        Ok(disk)
    }
}

/// Gives a disk its second name, where the file system knows such.
fn take_as_it_is(
    from: &Path,
    format: Format,
    size: Bytes,
    file: impl Fn(DiskFormat) -> PathBuf,
) -> Result<Option<DiskFormat>> {
    let format = match format {
        Format::Raw => DiskFormat::Raw,
        Format::Qcow2 => DiskFormat::Qcow2,
        Format::Vmdk | Format::Vhdx => return Ok(None),
    };
    let to = file(format);
    if std::fs::hard_link(from, &to).is_err() {
        return Ok(None);
    }
    let len = std::fs::metadata(&to).map_err(fault::at(&to, "read"))?.len();
    if format == DiskFormat::Raw && len != size.0 {
        // Guests see whole sectors. After a crash the file may be read-only already, and whole.
        let file = std::fs::OpenOptions::new().write(true).open(&to);
        let filled = file.and_then(|file| file.set_len(size.0));
        filled.map_err(fault::at(&to, "write"))?;
    }
    Ok(Some(format))
}

/// Gives a file that stays as it came its name in the image; the file system copies it where it
/// knows no second names.
fn keep(from: &Path, to: &Path) -> Result<()> {
    let linked = std::fs::hard_link(from, to);
    linked.or_else(|_| std::fs::copy(from, to).map(drop)).map_err(fault::at(to, "write"))
}
