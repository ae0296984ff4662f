//! Images from files, uploads and URLs arrive whole or not at all.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes as Chunk;
use futures::StreamExt;
use novacron_host::cloud_init::iso;
use novacron_host::hypervisor::Boot;
use novacron_host::image::{ImageFiles, Importer, Limits, Source};
use novacron_host::storage::{DirPool, Pool, QemuImg, VolumeWanted};
use novacron_model::image::{ImageFormat, ImageKind};
use novacron_model::task::Live;
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat;
use novacron_model::{Code, Error};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::tool::{Place, info, names, noise, place, qemu_img};
use crate::web::{State, Web};

pub fn importer(place: &Place) -> Importer {
    Importer::new(place.pool.clone(), QemuImg::default(), Limits::default())
}

pub fn upload(content: impl Into<Vec<u8>>) -> Source {
    let content = content.into();
    let length = Some(content.len() as u64);
    let chunks: Vec<_> = content.chunks(64 << 10).map(|part| Ok(part.to_vec().into())).collect();
    Source::Upload { length, content: futures::stream::iter(chunks).boxed() }
}

pub fn quiet(_: Live) {}

/// Nothing of any image is in the pool.
pub fn assert_untouched(place: &Place) {
    for dir in ["images", "incoming"] {
        assert_eq!(names(&place.path.join(dir)), Vec::<String>::new(), "{dir}");
    }
}

pub fn sha256(content: &[u8]) -> String {
    let hex = |text, byte| format!("{text}{byte:02x}");
    Sha256::digest(content).iter().fold(String::new(), hex)
}

/// What a guest would read from an image's disk.
pub fn content(place: &Place, files: &ImageFiles) -> Vec<u8> {
    let out = place.dir.path().join("content");
    let disk = files.disk.as_ref().unwrap();
    let (path, out_path) = (disk.path.to_str().unwrap(), out.to_str().unwrap());
    qemu_img(&["convert", "-f", disk.format.as_str(), "-O", "raw", path, out_path]);
    fs::read(out).unwrap()
}

/// A qcow2 file with 1 MiB of noise, and the noise.
pub fn qcow2(dir: &Path, options: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let (raw, disk) = (dir.join("raw"), dir.join("qcow2"));
    fs::write(&raw, noise(1 << 20)).unwrap();
    let paths = [raw.to_str().unwrap(), disk.to_str().unwrap()];
    qemu_img(&[&["convert", "-f", "raw", "-O", "qcow2"], options, &paths].concat());
    (fs::read(disk).unwrap(), noise(1 << 20))
}

#[tokio::test]
async fn a_clean_qcow2_is_kept_as_it_is() {
    let place = place().await;
    let (file, noise) = qcow2(place.dir.path(), &[]);
    let image = Uuid::now_v7();
    let sum = sha256(&file);
    let files = importer(&place).import(image, upload(&*file), Some(&sum), &quiet).await.unwrap();
    assert_eq!((files.kind, &files.boot), (ImageKind::Disk, &Boot::Firmware));
    assert_eq!((files.size, files.virtual_size), (Bytes(file.len() as u64), Bytes::mib(1)));
    assert_eq!(files.format, Some(ImageFormat::Qcow2));
    assert!(files.stored >= Bytes::mib(1) && files.stored < Bytes::mib(2), "{}", files.stored);
    assert_eq!(files.sha256, sum);
    assert!(fs::read(&files.disk.as_ref().unwrap().path).unwrap() == file);
    assert!(content(&place, &files) == noise);
    assert!(names(&place.path.join("incoming")).is_empty());
    assert_eq!(ImageFiles::open(&*place.pool, image).await.unwrap(), Some(files));
}

/// A CD with one file of so many bytes.
pub fn cd(bytes: usize) -> Vec<u8> {
    iso::image("SETUP", &[("setup", &noise(bytes))])
}

#[tokio::test]
async fn an_iso_is_kept_as_it_is_and_is_no_disk() {
    let place = place().await;
    let mut hybrid = cd(100_000);
    // what makes a CD bootable from a stick: a partition table in front of it, more behind it
    hybrid[510..512].copy_from_slice(&[0x55, 0xaa]);
    hybrid.extend(noise(70_000));
    for file in [cd(1 << 20), hybrid] {
        let image = Uuid::now_v7();
        let files = importer(&place).import(image, upload(&*file), None, &quiet).await.unwrap();
        assert_eq!((files.kind, &files.boot), (ImageKind::Iso, &Boot::Firmware));
        assert_eq!(files.format, Some(ImageFormat::Iso));
        assert_eq!((files.size, files.virtual_size), (Bytes(file.len() as u64), Bytes(0)));
        assert_eq!(files.disk, None);
        let path = files.iso.clone().unwrap();
        assert!(fs::read(&path).unwrap() == file);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o444);
        assert!(names(&place.path.join("incoming")).is_empty());
        assert_eq!(ImageFiles::open(&*place.pool, image).await.unwrap(), Some(files));
    }
}

#[tokio::test]
async fn a_raw_image_is_kept_whatever_is_on_it() {
    let place = place().await;
    let mut mbr = noise(1 << 20);
    mbr[510..512].copy_from_slice(&[0x55, 0xaa]);
    // 100 bytes more than whole sectors: the last one is filled with zeros
    for raw in [mbr, noise(12_388), b"hello".to_vec()] {
        let files =
            importer(&place).import(Uuid::now_v7(), upload(&*raw), None, &quiet).await.unwrap();
        let mut expected = raw.clone();
        expected.resize(raw.len().next_multiple_of(512), 0);
        assert_eq!(files.virtual_size.0, expected.len() as u64);
        assert_eq!((files.size.0, &files.sha256), (raw.len() as u64, &sha256(&raw)));
        let disk = files.disk.as_ref().unwrap();
        assert_eq!(disk.format, DiskFormat::Raw);
        assert_eq!(files.format, Some(ImageFormat::Raw));
        assert!(fs::read(&disk.path).unwrap() == expected);
        assert_eq!(fs::metadata(&disk.path).unwrap().permissions().mode() & 0o777, 0o444);
    }
}

#[tokio::test]
async fn zeros_of_a_raw_image_take_no_room_and_read_as_zeros() {
    let place = place().await;
    // Behind the noise, in its middle, at the beginning and at the end; not all at the edges of
    // blocks or of chunks, which have 64 KiB.
    let zeros = |kib: usize| vec![0; kib << 10];
    let noise = |kib: usize| noise(kib << 10);
    let raw = [zeros(512), noise(100), zeros(2000), noise(3), zeros(61), noise(64), zeros(1024)];
    let raw = raw.concat();
    let files = importer(&place).import(Uuid::now_v7(), upload(&*raw), None, &quiet).await.unwrap();
    let disk = files.disk.unwrap().path;
    assert!(fs::read(&disk).unwrap() == raw);
    let used = fs::metadata(&disk).unwrap().blocks() * 512;
    assert!((167 << 10..512 << 10).contains(&used), "{used} bytes are used");
}

#[tokio::test]
async fn volumes_lie_over_a_raw_image() {
    let place = place().await;
    let raw = noise(1 << 20);
    let files = importer(&place).import(Uuid::now_v7(), upload(&*raw), None, &quiet).await.unwrap();
    for format in [DiskFormat::Qcow2, DiskFormat::Raw] {
        let size = Bytes::mib(2);
        let wanted = VolumeWanted { uid: Uuid::now_v7(), format, size, base: files.disk.clone() };
        let volume = place.pool.ensure_volume(&wanted).await.unwrap();
        let out = place.dir.path().join("volume");
        let paths = [volume.to_str().unwrap(), out.to_str().unwrap()];
        qemu_img(&[&["convert", "-f", format.as_str(), "-O", "raw"], &paths[..]].concat());
        let read = fs::read(out).unwrap();
        assert!(read[..1 << 20] == raw && read[1 << 20..] == vec![0; 1 << 20], "{format:?}");
        if format == DiskFormat::Qcow2 {
            assert_eq!(info(&volume, "qcow2")["backing-filename-format"], "raw");
        }
    }
}

#[tokio::test]
async fn an_image_from_before_raw_disks_were_kept_is_still_read() {
    let place = place().await;
    let (file, noise) = qcow2(place.dir.path(), &[]);
    let image = Uuid::now_v7();
    importer(&place).import(image, upload(&*file), None, &quiet).await.unwrap();
    let record = place.path.join(format!("images/{image}/image.json"));
    let text = fs::read_to_string(&record).unwrap().replace(r#""disk":"qcow2","#, "");
    fs::remove_file(&record).unwrap();
    fs::write(&record, text).unwrap();
    let files = ImageFiles::open(&*place.pool, image).await.unwrap().unwrap();
    assert!(content(&place, &files) == noise);
}

#[tokio::test]
async fn snapshots_and_bitmaps_inside_an_image_are_left_out() {
    let place = place().await;
    let (file, noise) = qcow2(place.dir.path(), &[]);
    let path = place.dir.path().join("busy.qcow2");
    let text = path.to_str().unwrap();
    for args in [["snapshot", "-c", "s1", text], ["bitmap", "--add", text, "b1"]] {
        fs::write(&path, &file).unwrap();
        qemu_img(&args);
        let source = upload(fs::read(&path).unwrap());
        let files = importer(&place).import(Uuid::now_v7(), source, None, &quiet).await.unwrap();
        assert!(content(&place, &files) == noise);
        let info = info(&files.disk.unwrap().path, "qcow2");
        assert_eq!(info.get("snapshots"), None);
        assert_eq!(info["format-specific"]["data"].get("bitmaps"), None);
    }
}

#[tokio::test]
async fn a_wrong_checksum_leaves_nothing() {
    let place = place().await;
    let sum = sha256(b"another");
    let source = upload(noise(4096));
    let error =
        importer(&place).import(Uuid::now_v7(), source, Some(&sum), &quiet).await.unwrap_err();
    assert_eq!((error.code, error.field.as_deref()), (Code::Invalid, Some("spec.sha256")));
    assert!(error.message.contains(&sum) && error.message.contains(&sha256(&noise(4096))));
    assert_untouched(&place);
}

#[tokio::test]
async fn an_upload_that_ends_early_or_fails_leaves_nothing() {
    let place = place().await;
    let short = futures::stream::iter([Ok(Chunk::from_static(b"half"))]).boxed();
    let cut = futures::stream::iter([
        Ok(Chunk::from_static(b"half")),
        Err(Error::unavailable("the client has gone")),
    ]);
    let cases = [
        (Source::Upload { length: Some(8), content: short }, Code::Invalid),
        (Source::Upload { length: None, content: cut.boxed() }, Code::Unavailable),
        (upload([]), Code::Invalid),
    ];
    for (source, code) in cases {
        let error =
            importer(&place).import(Uuid::now_v7(), source, None, &quiet).await.unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert_untouched(&place);
    }
}

#[tokio::test]
async fn what_has_arrived_outlives_a_crash() {
    let place = place().await;
    let image = Uuid::now_v7();
    let arrival = importer(&place).receive(image, upload(noise(8192)), None, &quiet).await.unwrap();
    let Place { pool, path, dir } = place;
    drop(pool);
    let pool = Arc::new(DirPool::open(&path, QemuImg::default()).await.unwrap());
    let place = Place { pool, path, dir };
    assert_eq!(importer(&place).arrived(image).unwrap(), Some(arrival));
    let files = importer(&place).finish(image, &quiet).await.unwrap();
    assert!(content(&place, &files) == noise(8192));
    // and once more
    assert_eq!(importer(&place).finish(image, &quiet).await.unwrap(), files);
}

#[tokio::test]
async fn a_dropped_upload_leaves_nothing() {
    let place = place().await;
    let endless = futures::stream::repeat_with(|| Ok(Chunk::from_static(&[7; 4096])));
    let paced = endless.then(|chunk| async {
        tokio::task::yield_now().await;
        chunk
    });
    let source = Source::Upload { length: None, content: paced.boxed() };
    let (importer, image) = (importer(&place), Uuid::now_v7());
    let begun = tokio::sync::Notify::new();
    let progress = |_| begun.notify_one();
    tokio::select! {
        result = importer.import(image, source, None, &progress) => panic!("{result:?}"),
        () = begun.notified() => (),
    }
    assert_untouched(&place);
    // and the image is free for another try
    importer.import(image, upload(noise(512)), None, &quiet).await.unwrap();
}

#[tokio::test]
async fn two_imports_of_one_image_do_not_meet() {
    let place = place().await;
    let (importer, image) = (importer(&place), Uuid::now_v7());
    let never = Source::Upload { length: None, content: futures::stream::pending().boxed() };
    let first = importer.import(image, never, None, &quiet);
    let second = importer.import(image, upload(noise(512)), None, &quiet);
    let both = async { tokio::join!(first, second).1 };
    let second = tokio::select! {
        biased;
        second = both => second,
        () = tokio::time::sleep(Duration::from_secs(1)) => Err(Error::conflict("refused at once")),
    };
    assert_eq!(second.unwrap_err().code, Code::Conflict);
}

#[tokio::test]
async fn a_broken_download_is_resumed() {
    let place = place().await;
    let (file, noise) = qcow2(place.dir.path(), &[]);
    let state = State { cut: Some(300 << 10), ..State::new(file.clone()) };
    let web = Web::start(state).await;
    let seen = Mutex::new(Vec::new());
    let progress = |live: Live| seen.lock().unwrap().push(live);
    let source = Source::Url(web.url("/away"));
    let sum = sha256(&file);
    let files =
        importer(&place).import(Uuid::now_v7(), source, Some(&sum), &progress).await.unwrap();
    assert!(content(&place, &files) == noise);
    assert!(web.partial() >= 3, "{}", web.partial());
    let seen = seen.into_inner().unwrap();
    let downloads: Vec<_> = seen.iter().filter(|live| live.step == "downloading").collect();
    assert!(downloads.is_sorted_by_key(|live| live.done));
    assert_eq!(downloads.last().unwrap().done, file.len() as u64);
    assert!(downloads.iter().all(|live| live.total == file.len() as u64));
}

#[tokio::test]
async fn a_download_that_changes_or_cannot_be_resumed_begins_anew() {
    let raw = noise(600 << 10);
    let cut = Some(400 << 10);
    let changed: Vec<u8> = raw.iter().map(|byte| !byte).collect();
    let place = place().await;

    // Never gets beyond the cut: given up, and nothing stays.
    for state in [
        State { cut, ranges: false, ..State::new(raw.clone()) },
        State { cut, etag: false, ..State::new(raw.clone()) },
    ] {
        let web = Web::start(state).await;
        let source = Source::Url(web.url("/image"));
        let import = importer(&place);
        let import = import.import(Uuid::now_v7(), source, None, &quiet);
        let few = async {
            while web.requests() < 3 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            result = import => panic!("{result:?}"),
            () = few => assert_eq!(web.partial(), 0),
        }
        assert_untouched(&place);
    }

    // Another file is there when the connection is opened again: no mixture of both.
    let state = State { cut, change_at: Some(1), ..State::new(raw) };
    let web = Web::start(state).await;
    let source = Source::Url(web.url("/image"));
    let files = importer(&place).import(Uuid::now_v7(), source, None, &quiet).await.unwrap();
    assert_eq!(files.sha256, sha256(&changed));
    assert!(content(&place, &files) == changed);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_a_missing_file_is_not() {
    let place = place().await;
    let web = Web::start(State { busy: 2, ..State::new(noise(512)) }).await;
    let source = Source::Url(web.url("/image"));
    importer(&place).import(Uuid::now_v7(), source, None, &quiet).await.unwrap();
    assert_eq!(web.requests(), 3);

    let web = Web::start(State::new(noise(512))).await;
    let source = Source::Url(web.url("/secret-token"));
    let error = importer(&place).import(Uuid::now_v7(), source, None, &quiet).await.unwrap_err();
    assert_eq!((error.code, web.requests()), (Code::Unavailable, 1));
    assert!(error.message.contains("404") && !error.message.contains("secret-token"), "{error}");
}

#[tokio::test]
async fn redirects_end_somewhere() {
    let place = place().await;
    let web = Web::start(State::new(noise(512))).await;
    for path in ["/loop", "/file"] {
        let source = Source::Url(web.url(path));
        let error =
            importer(&place).import(Uuid::now_v7(), source, None, &quiet).await.unwrap_err();
        assert_eq!(error.code, Code::Unavailable, "{path}: {error}");
        assert!(web.requests() < 10);
        assert_untouched(&place);
    }
}

#[tokio::test]
async fn only_http_urls_are_fetched() {
    let place = place().await;
    for url in ["file:///etc/passwd", "ftp://host/x", "/etc/passwd", "http://", "nbd:unix:/x"] {
        let source = Source::Url(url.into());
        let error =
            importer(&place).import(Uuid::now_v7(), source, None, &quiet).await.unwrap_err();
        assert_eq!(error.field.as_deref(), Some("spec.source.url"), "{url}: {error}");
        assert_untouched(&place);
    }
}

#[tokio::test]
async fn an_image_that_is_too_large_is_refused_early() {
    let place = place().await;
    let limits = Limits { size: Bytes(1000), ..Limits::default() };
    let importer = Importer::new(place.pool.clone(), QemuImg::default(), limits);
    let web = Web::start(State::new(noise(2000))).await;
    let endless = futures::stream::repeat_with(|| Ok(Chunk::from_static(&[7; 100]))).boxed();
    for source in [
        Source::Url(web.url("/image")),
        upload(noise(2000)),
        Source::Upload { length: None, content: endless },
    ] {
        let error = importer.import(Uuid::now_v7(), source, None, &quiet).await.unwrap_err();
        assert_eq!(error.code, Code::TooLarge);
        assert_untouched(&place);
    }
}

#[tokio::test]
async fn a_deleted_image_ends_its_import() {
    let place = place().await;
    let image = Uuid::now_v7();
    importer(&place).receive(image, upload(noise(512)), None, &quiet).await.unwrap();
    place.pool.delete_image(image).await.unwrap();
    let error = importer(&place).finish(image, &quiet).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict);
    assert_untouched(&place);
}
