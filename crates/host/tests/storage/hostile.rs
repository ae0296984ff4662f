//! Images that lie, reach out or are something else are refused, and nothing of them stays.

use std::fs;
use std::path::Path;

use novacron_host::hypervisor::Boot;
use novacron_host::image::{Importer, Limits};
use novacron_host::storage::QemuImg;
use novacron_model::image::ImageKind;
use novacron_model::units::Bytes;
use novacron_model::{Code, Error};
use uuid::Uuid;

use crate::image::{assert_untouched, cd, importer, qcow2, quiet, upload};
use crate::tool::{Place, noise, place, qemu_img};

pub async fn refusal(place: &Place, content: Vec<u8>) -> Error {
    let image = Uuid::now_v7();
    let result = importer(place).import(image, upload(content), None, &quiet).await;
    assert_untouched(place);
    result.unwrap_err()
}

pub async fn assert_refused(place: &Place, content: Vec<u8>, words: &str) {
    let error = refusal(place, content).await;
    assert_eq!(error.code, Code::Invalid, "{words}: {error}");
    assert!(error.message.contains(words), "\"{}\" does not say \"{words}\"", error.message);
    assert!(error.hint.is_some(), "{error}");
}

/// A file that qemu-img makes with these arguments, which come before its path.
fn made(dir: &Path, args: &[&str], after: &[&str]) -> Vec<u8> {
    let path = dir.join("made");
    let _ = fs::remove_file(&path);
    qemu_img(&[args, &[path.to_str().unwrap()], after].concat());
    fs::read(path).unwrap()
}

#[tokio::test]
async fn images_that_name_other_files_are_refused() {
    let place = place().await;
    let dir = place.dir.path();
    let base = dir.join("base");
    fs::write(&base, noise(4096)).unwrap();
    let base = base.to_str().unwrap();
    let overlay = ["create", "-f", "qcow2", "-F", "raw", "-b", base];
    assert_refused(&place, made(dir, &overlay, &[]), "backing file").await;
    // without a named format, as an attacker would
    let unsafe_overlay = ["create", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/shadow"];
    assert_refused(&place, made(dir, &unsafe_overlay, &["1M"]), "backing file").await;
    let data = format!("data_file={},data_file_raw=on", dir.join("data").display());
    let external = ["create", "-f", "qcow2", "-o", &data];
    assert_refused(&place, made(dir, &external, &["1M"]), "external data file").await;
}

#[tokio::test]
async fn encrypted_images_are_refused() {
    let place = place().await;
    let secret = "secret,id=s,data=hunter2";
    let options = "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10";
    let args = ["create", "--object", secret, "-f", "qcow2", "-o", options];
    assert_refused(&place, made(place.dir.path(), &args, &["1M"]), "is encrypted").await;
}

#[tokio::test]
async fn disks_of_others_are_refused_with_the_way_to_convert() {
    let place = place().await;
    let dir = place.dir.path();
    for (format, options, name) in [
        ("vpc", "subformat=dynamic", "VHD"),
        ("vpc", "subformat=fixed", "VHD"),
        ("vdi", "preallocation=off", "VDI"),
        ("qed", "cluster_size=64k", "QED"),
        ("qcow", "encryption=off", "QCOW"),
    ] {
        let image = made(dir, &["create", "-f", format, "-o", options], &["1M"]);
        let error = refusal(&place, image).await;
        assert!(error.message.contains(name), "{format}: {error}");
        assert!(error.hint.unwrap().contains(&format!("qemu-img convert -f {format} ")));
    }
    assert_refused(&place, b"\x1f\x8b\x08\0rest".to_vec(), "gzip").await;
    assert_refused(&place, b"\xfd7zXZ\0rest".to_vec(), "xz").await;
    assert_refused(&place, b"\n<!DOCTYPE html><html>".to_vec(), "web page").await;
}

#[tokio::test]
async fn absurd_sizes_are_refused() {
    let place = place().await;
    let dir = place.dir.path();
    for size in ["9T", "2E"] {
        let options = ["create", "-f", "qcow2", "-o", "cluster_size=2M"];
        let error = refusal(&place, made(dir, &options, &[size])).await;
        assert_eq!(error.code, Code::TooLarge, "{error}");
    }
    let limits = Limits { virtual_size: Bytes(4096), ..Limits::default() };
    let small = Importer::new(place.pool.clone(), QemuImg::default(), limits);
    let result = small.import(Uuid::now_v7(), upload(noise(8192)), None, &quiet).await;
    assert_eq!(result.unwrap_err().code, Code::TooLarge);
    assert_untouched(&place);
}

/// Offset in the header and what is written there.
const LIES: [(&str, usize, &[u8]); 15] = [
    ("version 4", 4, &[0, 0, 0, 4]),
    ("clusters of 2^63", 20, &[0, 0, 0, 63]),
    ("clusters of 2^8", 20, &[0, 0, 0, 8]),
    ("disk is empty", 24, &[0; 8]),
    ("L1 table", 24, &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0]),
    ("L1 table", 36, &[0xff; 4]),
    ("L1 table", 36, &[0; 4]),
    ("L1 table", 40, &[0, 0, 0x7f, 0xff, 0, 0, 0, 0]),
    ("L1 table", 40, &[0xff; 8]),
    ("refcount table", 48, &[0, 0, 0, 0, 0, 1, 0, 1]),
    ("refcount table", 56, &[0xff; 4]),
    ("snapshots", 60, &[0, 0, 0xff, 0xff]),
    ("unknown", 72, &[0x80, 0, 0, 0, 0, 0, 0, 0]),
    ("too wide", 96, &[0, 0, 0, 7]),
    ("length is said", 100, &[0xff, 0xff, 0xff, 0xff]),
];

#[tokio::test]
async fn headers_that_lie_are_refused() {
    let place = place().await;
    let (honest, _) = qcow2(place.dir.path(), &[]);
    for (words, at, bytes) in LIES {
        let mut lying = honest.clone();
        lying[at..at + bytes.len()].copy_from_slice(bytes);
        assert_refused(&place, lying, words).await;
    }
    // a backing file with an offset only, or a size only
    for at in [15, 19] {
        let mut lying = honest.clone();
        lying[at] = 200;
        assert_refused(&place, lying, "backing file").await;
    }
    // marked as corrupt
    let mut corrupt = honest.clone();
    corrupt[79] = 2;
    assert_refused(&place, corrupt, "corrupt").await;
    // a data file named by an extension, without the feature bit
    let mut external = honest.clone();
    let at = external.windows(4).position(|four| four == 0x6803_f857_u32.to_be_bytes()).unwrap();
    external[at..at + 4].copy_from_slice(b"DATA");
    assert_refused(&place, external, "external data file").await;
    let mut endless = honest.clone();
    endless[at..at + 8].copy_from_slice(&[0x12, 0x34, 0x56, 0x78, 0xff, 0xff, 0xff, 0xf0]);
    assert_refused(&place, endless, "extensions").await;
    for length in [4, 71, 103, 300] {
        let mut short = honest.clone();
        short.truncate(length);
        assert_eq!(refusal(&place, short).await.code, Code::Invalid, "{length} bytes");
    }
}

#[tokio::test]
async fn isos_that_lie_are_refused() {
    let place = place().await;
    let honest = cd(400_000);
    let at = 16 * 2048;
    let lies: [(&str, usize, &[u8]); 6] = [
        ("contradicts itself", 80, &[0xff, 0xff, 0xff, 0x7f]),
        ("contradicts itself", 84, &[0; 4]),
        ("contradicts itself", 80, &[0; 8]),
        ("cut short", 80, &[0xff, 0xff, 0xff, 0x7f, 0x7f, 0xff, 0xff, 0xff]),
        ("without a mark", 6, &[9]),
        ("no primary volume", 0, &[255]),
    ];
    for (words, offset, bytes) in lies {
        let mut lying = honest.clone();
        lying[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
        assert_refused(&place, lying, words).await;
    }
    for length in [at + 6, at + 80, at + 2048, 36 * 2048] {
        let mut short = honest.clone();
        short.truncate(length);
        assert_eq!(refusal(&place, short).await.code, Code::Invalid, "{length} bytes");
    }
    // descriptors of which none is the volume's, to the file's end
    let mut endless = honest.clone();
    let boot = [&b"\0CD001\x01"[..], &[0; 2041]].concat();
    endless.truncate(at);
    endless.extend(boot.repeat(100));
    assert_refused(&place, endless, "no primary volume").await;
    let manifest = b"format = 1\nkernel = \"k\"\ncmdline = \"\"\ndisk = \"d\"\n".as_slice();
    let parts = [("image.toml", FILE, manifest), ("k", FILE, b"k"), ("d", FILE, &honest)];
    assert_refused(&place, tar(&parts), "disk is an ISO").await;
}

#[tokio::test]
async fn damaged_tables_are_refused() {
    let place = place().await;
    let (mut image, _) = qcow2(place.dir.path(), &[]);
    // the first L1 entry points into the header
    let l1 = usize::try_from(u64::from_be_bytes(image[40..48].try_into().unwrap())).unwrap();
    image[l1..l1 + 8].copy_from_slice(&(1_u64 << 63).to_be_bytes());
    assert_refused(&place, image, "damaged").await;
}

/// Name, kind, content.
pub type Part<'a> = (&'a str, tar::EntryType, &'a [u8]);

pub fn tar(entries: &[Part]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_ustar();
        // as_mut_bytes, since the crate refuses the names that matter here
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("/etc/passwd").unwrap();
            header.set_size(0);
        }
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

pub const FILE: tar::EntryType = tar::EntryType::Regular;
const MANIFEST: &[u8] = b"format = 1\nkernel = \"vmlinuz\"\ninitrd = \"rd\"\ncmdline = \"quiet\"\n";

#[tokio::test]
async fn a_bundle_becomes_kernel_initrd_and_disk() {
    let place = place().await;
    let (disk, _) = qcow2(place.dir.path(), &[]);
    for (disk, size) in
        [(None, Bytes(0)), (Some(disk), Bytes::mib(1)), (Some(noise(512)), Bytes(512))]
    {
        let line = if disk.is_some() { "disk = \"d\"\nos = \"Tiny\"" } else { "" };
        let manifest = [MANIFEST, line.as_bytes()].concat();
        let mut entries = vec![
            ("./image.toml", FILE, manifest.as_slice()),
            ("rd", FILE, b"initrd".as_slice()),
            ("vmlinuz", FILE, b"kernel"),
        ];
        entries.extend(disk.as_ref().map(|disk| ("d", FILE, disk.as_slice())));
        let source = upload(tar(&entries));
        let files = importer(&place).import(Uuid::now_v7(), source, None, &quiet).await.unwrap();
        assert_eq!((files.kind, files.virtual_size), (ImageKind::Bundle, size));
        assert_eq!(files.disk.is_some(), disk.is_some());
        let Boot::Kernel { kernel, initrd, cmdline } = files.boot else { panic!() };
        assert_eq!(fs::read(kernel).unwrap(), b"kernel");
        assert_eq!(fs::read(initrd.unwrap()).unwrap(), b"initrd");
        assert_eq!(cmdline, "quiet");
    }
}

#[tokio::test]
async fn bundles_with_tricks_are_refused() {
    let place = place().await;
    let manifest = ("image.toml", FILE, MANIFEST);
    let kernel = ("vmlinuz", FILE, b"kernel".as_slice());
    let initrd = ("rd", FILE, b"initrd".as_slice());
    let up = b"format = 1\nkernel = \"../up\"\ncmdline = \"\"\n".as_slice();
    let twice = b"format = 1\nkernel = \"k\"\ninitrd = \"k\"\ncmdline = \"\"\n".as_slice();
    let lines = b"format = 1\nkernel = \"vmlinuz\"\ncmdline = \"a\\nb\"\n".as_slice();
    let newer = b"format = 3\nkernel = \"vmlinuz\"\ncmdline = \"\"\n".as_slice();
    let more = b"format = 1\nkernel = \"vmlinuz\"\ncmdline = \"\"\nrun = \"x\"\n".as_slice();
    let nested = b"format = 1\nkernel = \"vmlinuz\"\ncmdline = \"\"\ndisk = \"d\"\n".as_slice();
    let inner = tar(&[manifest]);
    let cases: Vec<(&str, Vec<Part>)> = vec![
        ("first entry", vec![kernel, manifest, initrd]),
        ("is missing", vec![manifest, kernel]),
        ("named twice or not at all", vec![manifest, kernel, kernel, initrd]),
        ("named twice or not at all", vec![manifest, kernel, initrd, ("more", FILE, b"x")]),
        ("not a plain file name", vec![("image.toml", FILE, up), ("../up", FILE, b"x")]),
        ("not a plain file name", vec![manifest, ("/etc/cron.d/x", FILE, b"x")]),
        ("not a plain file name", vec![manifest, ("a/b", FILE, b"x")]),
        ("not a plain file name", vec![manifest, (".hidden", FILE, b"x")]),
        ("not a plain file", vec![manifest, ("vmlinuz", tar::EntryType::Symlink, b"")]),
        ("not a plain file", vec![manifest, ("vmlinuz", tar::EntryType::Link, b"")]),
        ("not a plain file", vec![manifest, ("vmlinuz", tar::EntryType::Char, b"")]),
        ("not a plain file", vec![manifest, ("d", tar::EntryType::Directory, b"")]),
        ("not a plain file", vec![("image.toml", tar::EntryType::Symlink, b"")]),
        ("twice", vec![("image.toml", FILE, twice)]),
        ("not one line", vec![("image.toml", FILE, lines)]),
        ("format 3, only 1 and 2", vec![("image.toml", FILE, newer)]),
        ("unknown field", vec![("image.toml", FILE, more)]),
        ("itself a bundle", vec![("image.toml", FILE, nested), kernel, ("d", FILE, &inner)]),
    ];
    for (words, entries) in cases {
        assert_refused(&place, tar(&entries), words).await;
    }
    // sizes that the archive does not have, and one that ends early
    let mut huge = tar(&[manifest, kernel, initrd]);
    let at = 1024 + 124;
    huge[at..at + 12].copy_from_slice(b"77777777777\0");
    let sum: u32 =
        (1024..1536).map(|i| if (1172..1180).contains(&i) { 32 } else { u32::from(huge[i]) }).sum();
    huge[1172..1180].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_eq!(refusal(&place, huge).await.code, Code::TooLarge);
    let mut short = tar(&[manifest, kernel, ("rd", FILE, &noise(4096))]);
    short.truncate(short.len() - 4096);
    assert_refused(&place, short, "").await;
}

#[tokio::test]
async fn no_bit_flip_in_a_header_brings_the_importer_down() {
    let place = place().await;
    let (honest, noise) = qcow2(place.dir.path(), &[]);
    let mut refused = 0;
    for bit in (0..112 * 8).step_by(3) {
        let mut flipped = honest.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let image = Uuid::now_v7();
        match importer(&place).import(image, upload(flipped), None, &quiet).await {
            // some bits mean nothing, and without its magic it is a raw image
            Ok(files) => assert!(files.virtual_size.0 >= noise.len() as u64 / 2),
            Err(error) => {
                refused += 1;
                assert_ne!(error.code, Code::StorageFull, "bit {bit}: {error}");
            }
        }
    }
    assert!(refused > 100, "{refused}");
}
