//! Disks of other hypervisors become qcow2 images; those that lie or reach out are refused.

use std::fs;
use std::path::Path;

use novacron_model::Code;
use novacron_model::image::{ImageFormat, ImageKind};
use novacron_model::units::Bytes;
use uuid::Uuid;

use crate::hostile::{assert_refused, refusal};
use crate::image::{content, importer, quiet, upload};
use crate::tool::{info, noise, place, qemu_img};

/// 3 MiB: noise, a hole, noise.
fn disk() -> Vec<u8> {
    let mut disk = noise(3 << 20);
    disk[1 << 20..2 << 20].fill(0);
    disk
}

fn made(dir: &Path, format: &str, options: &str) -> Vec<u8> {
    let (raw, to) = (dir.join("raw"), dir.join("disk.made"));
    fs::write(&raw, disk()).unwrap();
    let paths = [raw.to_str().unwrap(), to.to_str().unwrap()];
    qemu_img(&[&["convert", "-f", "raw", "-O", format, "-o", options][..], &paths].concat());
    fs::read(to).unwrap()
}

/// As `VMware` writes a stream: the header says that the one at the end counts.
fn with_footer(stream: &[u8]) -> Vec<u8> {
    let mut out = stream.to_vec();
    out[56..64].fill(0xff);
    let mut marker = [0; 512];
    marker[0] = 1;
    marker[12] = 3;
    out.extend(marker);
    out.extend(&stream[..512]);
    out.extend([0; 512]);
    out
}

#[tokio::test]
async fn vmdk_and_vhdx_disks_become_qcow2() {
    let place = place().await;
    let dir = place.dir.path();
    let stream = made(dir, "vmdk", "subformat=streamOptimized");
    let files = [
        made(dir, "vmdk", "subformat=monolithicSparse"),
        with_footer(&stream),
        stream,
        made(dir, "vhdx", "subformat=dynamic"),
        made(dir, "vhdx", "subformat=fixed"),
    ];
    let formats = [[ImageFormat::Vmdk; 3].as_slice(), &[ImageFormat::Vhdx; 2]].concat();
    for (n, file) in files.into_iter().enumerate() {
        let length = Bytes(file.len() as u64);
        let files = importer(&place).import(Uuid::now_v7(), upload(file), None, &quiet).await;
        let files = files.unwrap_or_else(|error| panic!("file {n}: {error}"));
        let found = (files.kind, files.size, files.virtual_size);
        assert_eq!(found, (ImageKind::Disk, length, Bytes::mib(3)), "file {n}");
        assert!(content(&place, &files) == disk(), "file {n}");
        assert_eq!(files.format, Some(formats[n]), "what came, not what it was made into");
        assert_eq!(info(&files.disk.unwrap().path, "qcow2").get("backing-filename"), None);
    }
}

#[tokio::test]
async fn vmdk_disks_that_name_other_files_are_refused() {
    let place = place().await;
    let dir = place.dir.path();
    let honest = made(dir, "vmdk", "subformat=monolithicSparse");
    let with = |from: &str, to: &str| {
        let text = String::from_utf8_lossy(&honest[512..1024]).into_owned();
        assert!(text.contains(from), "{text}");
        let mut text = text.replace(from, to).into_bytes();
        text.truncate(text.len().min(10_240));
        let mut file = honest.clone();
        file[512..512 + text.len()].copy_from_slice(&text);
        file
    };
    let hint = "parentFileNameHint=\"/etc/shadow\"\nparentCID=ffffffff";
    let extent = "RW 6144 SPARSE \"disk.made\"";
    for (file, words) in [
        (with("parentCID=ffffffff", hint), "parent disk"),
        (with("parentCID=ffffffff", "parentCID=12345678"), "parent disk"),
        (with("monolithicSparse", "monolithicFlat"), "monolithicFlat"),
        (with("monolithicSparse", "vmfsRawDeviceMap"), "vmfsRawDeviceMap"),
        (with("createType=\"monolithicSparse\"", ""), "of the type"),
        (with(extent, "RW 6144 FLAT \"/etc/shadow\" 0"), "other files"),
        (with(extent, "RW 6144 SPARSE \"/etc/shadow\""), "other files"),
        (with(extent, &format!("{extent}\n{extent}")), "in one file"),
        (with(extent, ""), "in one file"),
        (with(extent, "RW 6145 SPARSE \"disk.made\""), "another size"),
    ] {
        assert_refused(&place, file, words).await;
    }
    // the word alone, behind the text's end, is enough
    let mut hidden = honest.clone();
    hidden[9000..9019].copy_from_slice(b"parentFileNameHint=");
    assert_refused(&place, hidden, "parent disk").await;
    // a child as QEMU makes one
    let (base, child) = (dir.join("base.vmdk"), dir.join("child.vmdk"));
    fs::write(&base, &honest).unwrap();
    let paths = [base.to_str().unwrap(), child.to_str().unwrap()];
    qemu_img(&["create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", paths[0], paths[1]]);
    assert_refused(&place, fs::read(&child).unwrap(), "parent disk").await;
    // descriptors in files of their own, and a part of a split disk
    let flat = dir.join("flat.vmdk");
    let create = ["create", "-q", "-f", "vmdk", "-o"];
    for kind in ["subformat=monolithicFlat", "subformat=twoGbMaxExtentSparse"] {
        let _ = fs::remove_file(&flat);
        qemu_img(&[&create[..], &[kind, flat.to_str().unwrap(), "1M"]].concat());
        assert_refused(&place, fs::read(&flat).unwrap(), "its descriptor").await;
    }
    let part = fs::read(dir.join("flat-s001.vmdk")).unwrap();
    assert_refused(&place, part, "one part of").await;
}

#[tokio::test]
async fn vmdk_headers_that_lie_are_refused() {
    let place = place().await;
    let dir = place.dir.path();
    let honest = made(dir, "vmdk", "subformat=monolithicSparse");
    let lies: [(&str, usize, &[u8]); 14] = [
        ("version", 4, &[9]),
        ("disk is empty", 12, &[0; 8]),
        ("grain directory", 12, &[0xff; 6]),
        ("grains of", 20, &[0; 8]),
        ("grains of", 20, &[0xff; 8]),
        ("grains of", 20, &[127]),
        ("descriptor is not", 28, &[2]),
        ("descriptor is not", 36, &[0; 8]),
        ("descriptor is not", 36, &[0xff; 8]),
        ("tables of", 44, &[0xff; 4]),
        ("grain directory", 48, &[0xff; 7]),
        ("grain directory", 56, &[0; 8]),
        ("cut short", 64, &[0xff; 8]),
        ("compression", 77, &[7]),
    ];
    for (words, at, bytes) in lies {
        let mut lying = honest.clone();
        lying[at..at + bytes.len()].copy_from_slice(bytes);
        assert_refused(&place, lying, words).await;
    }
    let stream = with_footer(&made(dir, "vmdk", "subformat=streamOptimized"));
    let end = stream.len();
    let footers: [(&str, usize, &[u8]); 4] = [
        ("footer is missing", end - 1536 + 12, &[9]),
        ("no footer", end - 1024, b"COWD"),
        ("points at itself", end - 1024 + 56, &[0xff; 8]),
        ("disk is empty", end - 1024 + 12, &[0; 8]),
    ];
    for (words, at, bytes) in footers {
        let mut lying = stream.clone();
        lying[at..at + bytes.len()].copy_from_slice(bytes);
        assert_refused(&place, lying, words).await;
    }
    for cut in [1, 512, 1024, 2000] {
        assert_refused(&place, stream[..end - cut].to_vec(), "").await;
    }
}

#[tokio::test]
async fn vhdx_headers_that_lie_are_refused() {
    let place = place().await;
    let honest = made(place.dir.path(), "vhdx", "subformat=dynamic");
    let find = |what: &[u8]| honest.windows(what.len()).position(|window| window == what).unwrap();
    let metadata = find(b"metadata");
    // the values stand behind the table in this order, whatever the table says of them
    let item = |id: &[u8]| {
        let at = metadata + honest[metadata..].windows(4).position(|four| four == id).unwrap() + 16;
        metadata + u32::from_le_bytes(honest[at..at + 4].try_into().unwrap()) as usize
    };
    let (parameters, size, sector) =
        (item(b"\x37\x67\xa1\xca"), item(b"\x24\x42\xa5\x2f"), item(b"\x1d\xbf\x41\x81"));
    let (first, second) = (64 << 10, 128 << 10);
    let lies: [(&str, usize, &[u8]); 11] = [
        ("parent disk", parameters + 4, &[2]),
        ("blocks of", parameters, &[0; 4]),
        ("blocks of", parameters, &[0, 0, 0, 0x20]),
        ("size is impossible", size, &[0; 8]),
        ("size is impossible", size, &[1]),
        ("size is impossible", size, &[0xff; 8]),
        ("table is too small", size, &[0, 0, 0, 0, 0, 0x20]),
        ("sectors of", sector, &[0; 4]),
        ("region table", 192 << 10, b"xxxx"),
        ("too many regions", (192 << 10) + 8, &[0xff; 4]),
        ("not where it should be", (192 << 10) + 16 + 16, &[0xff; 8]),
    ];
    for (words, at, bytes) in lies {
        let mut lying = honest.clone();
        lying[at..at + bytes.len()].copy_from_slice(bytes);
        assert_refused(&place, lying, words).await;
    }
    let mut dirty = honest.clone();
    dirty[first + 48] = 7;
    dirty[second + 48] = 7;
    assert_refused(&place, dirty, "closed properly").await;
    let mut headless = honest.clone();
    headless[first..first + 4].fill(0);
    headless[second..second + 4].fill(0);
    assert_refused(&place, headless, "no header").await;
    let mut child = honest.clone();
    let locator = [0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45, 0xab, 0xf7, 0xd3, 0xd8];
    let at = metadata + 32 + 4 * 32;
    child[at..at + 12].copy_from_slice(&locator);
    child[at + 12..at + 16].copy_from_slice(&[0x48, 0x34, 0xab, 0x0c]);
    assert_refused(&place, child, "").await;
    for length in [8, 70 << 10, 200 << 10, 1 << 20, 2 << 20] {
        assert_refused(&place, honest[..length].to_vec(), "").await;
    }
}

#[tokio::test]
async fn foreign_disks_with_damaged_content_leave_nothing() {
    let place = place().await;
    let dir = place.dir.path();
    let stream = made(dir, "vmdk", "subformat=streamOptimized");
    // compressed data that is none
    let mut torn = stream.clone();
    let middle = torn.len() / 2;
    torn[middle - 100_000..middle + 100_000].fill(0x55);
    assert_refused(&place, torn, "cannot be read").await;
    let too_large = made_empty(dir, "vmdk", "subformat=streamOptimized", "9T");
    assert_eq!(refusal(&place, too_large).await.code, Code::TooLarge);
    let too_large = made_empty(dir, "vhdx", "subformat=dynamic,block_size=268435456", "9T");
    assert_eq!(refusal(&place, too_large).await.code, Code::TooLarge);
}

fn made_empty(dir: &Path, format: &str, options: &str, size: &str) -> Vec<u8> {
    let path = dir.join("empty.made");
    let _ = fs::remove_file(&path);
    qemu_img(&["create", "-q", "-f", format, "-o", options, path.to_str().unwrap(), size]);
    fs::read(path).unwrap()
}
