//! A disk and what lies below it, as `--image-opts` of QEMU's tools: every layer with its format, so
//! that nothing is probed and no header is believed.

use std::path::Path;

use novacron_model::volume::DiskFormat;

/// The disk over its image, if it has one.
pub fn options(disk: (&Path, DiskFormat), image: Option<(&Path, DiskFormat)>) -> String {
    let own = own_options(disk);
    let Some((image, format)) = image else { return own };
    let (format, image) = (format.as_str(), doubled_commas(image));
    format!("{own},backing.driver={format},backing.file.driver=file,backing.file.filename={image}")
}

/// The uppermost layer alone.
pub fn own_options((path, format): (&Path, DiskFormat)) -> String {
    let (format, path) = (format.as_str(), doubled_commas(path));
    format!("driver={format},file.driver=file,file.filename={path}")
}

fn doubled_commas(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use novacron_model::volume::DiskFormat::{Qcow2, Raw};

    use super::*;

    #[test]
    fn every_layer_has_its_format() {
        let disk = (Path::new("/pools/a,b/web"), Qcow2);
        let own = "driver=qcow2,file.driver=file,file.filename=/pools/a,,b/web";
        assert_eq!(own_options(disk), own);
        assert_eq!(options(disk, None), own);
        let below = "backing.driver=raw,backing.file.driver=file,backing.file.filename=/i,,";
        assert_eq!(options(disk, Some((Path::new("/i,"), Raw))), format!("{own},{below}"));
    }
}
