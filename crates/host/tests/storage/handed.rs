//! Files that a client hands over: what is stored is what would have been uploaded.

use std::fs::{self, File};
use std::sync::Arc;

use novacron_host::image::{ImageFiles, Source};
use novacron_host::storage::{DirPool, QemuImg};
use novacron_model::Code;
use novacron_model::image::ImageKind;
use novacron_model::units::Bytes;
use uuid::Uuid;

use crate::image::{assert_untouched, cd, content, importer, qcow2, quiet, sha256, upload};
use crate::tool::{Place, names, noise, place, qemu_img};

fn handed(place: &Place, bytes: &[u8]) -> Source {
    let path = place.dir.path().join("handed");
    fs::write(&path, bytes).unwrap();
    Source::File(File::open(path).unwrap())
}

fn vmdk(place: &Place) -> Vec<u8> {
    let (raw, vmdk) = (place.dir.path().join("raw"), place.dir.path().join("vmdk"));
    fs::write(&raw, noise(1 << 20)).unwrap();
    let paths = [raw.to_str().unwrap(), vmdk.to_str().unwrap()];
    qemu_img(&[&["convert", "-f", "raw", "-O", "vmdk"], &paths[..]].concat());
    fs::read(vmdk).unwrap()
}

#[tokio::test]
async fn a_file_becomes_the_image_that_its_upload_does() {
    let place = place().await;
    let importer = importer(&place);
    let mut raw = noise((3 << 20) + 100);
    raw[70_000..1_500_000].fill(0);
    for bytes in [raw, qcow2(place.dir.path(), &[]).0, vmdk(&place), cd(1 << 20)] {
        let image = Uuid::now_v7();
        let ours = importer.import(image, handed(&place, &bytes), None, &quiet).await.unwrap();
        let theirs = importer.import(Uuid::now_v7(), upload(&*bytes), None, &quiet).await.unwrap();
        assert_eq!((ours.kind, ours.size), (theirs.kind, theirs.size));
        assert_eq!(ours.virtual_size, theirs.virtual_size);
        if ours.kind == ImageKind::Disk {
            assert!(content(&place, &ours) == content(&place, &theirs));
        } else {
            assert!(fs::read(ours.iso.unwrap()).unwrap() == bytes);
        }
        assert_eq!(importer.sum(image).await.unwrap(), sha256(&bytes));
        assert!(names(&place.path.join("incoming")).is_empty());
    }
}

#[tokio::test]
async fn the_sum_of_what_stays_can_be_asked_for_later_and_of_what_goes_is_known() {
    let place = place().await;
    let importer = importer(&place);
    for (bytes, known) in [(noise(100_000), false), (vmdk(&place), true)] {
        let image = Uuid::now_v7();
        let files = importer.import(image, handed(&place, &bytes), None, &quiet).await.unwrap();
        assert_eq!(files.sha256, if known { sha256(&bytes) } else { String::new() });
        assert_eq!(importer.sum(image).await.unwrap(), sha256(&bytes));
    }
    assert_eq!(importer.sum(Uuid::now_v7()).await.unwrap_err().code, Code::Unavailable);
}

#[tokio::test]
async fn a_checksum_is_verified_before_anything_is_made() {
    let place = place().await;
    let (importer, bytes) = (importer(&place), noise(9 << 20));
    let wrong = "0".repeat(64);
    let import = importer.import(Uuid::now_v7(), handed(&place, &bytes), Some(&wrong), &quiet);
    assert_eq!(import.await.unwrap_err().field.as_deref(), Some("spec.sha256"));
    assert_untouched(&place);
    let sum = sha256(&bytes);
    let import = importer.import(Uuid::now_v7(), handed(&place, &bytes), Some(&sum), &quiet);
    assert_eq!(import.await.unwrap().sha256, sum);
}

#[tokio::test]
async fn only_files_that_can_be_read_are_taken() {
    let place = place().await;
    let path = place.dir.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
        .unwrap();
    let write_only = File::create(place.dir.path().join("write-only")).unwrap();
    write_only.set_len(4096).unwrap();
    let fifo = File::options().read(true).write(true).open(&path).unwrap();
    let zero = File::open("/dev/zero").unwrap();
    let folder = File::open(place.dir.path()).unwrap();
    let socket = std::os::unix::net::UnixStream::pair().unwrap().0;
    let socket = File::from(std::os::fd::OwnedFd::from(socket));
    for file in [fifo, zero, folder, socket, write_only] {
        let source = Source::File(file);
        let refused = importer(&place).import(Uuid::now_v7(), source, None, &quiet).await;
        assert_eq!(refused.unwrap_err().field.as_deref(), Some("spec.source"));
    }
    let empty = importer(&place).import(Uuid::now_v7(), handed(&place, b""), None, &quiet).await;
    assert!(empty.unwrap_err().message.contains("empty"));
    assert_untouched(&place);
}

#[tokio::test]
async fn a_copy_outlives_the_daemon_and_not_the_machine() {
    let place = place().await;
    let image = Uuid::now_v7();
    let source = handed(&place, &noise(8192));
    let arrival = importer(&place).receive(image, source, None, &quiet).await.unwrap();
    assert!(!arrival.is_durable());
    // Nobody is told that it is safe.
    assert_eq!(importer(&place).uploaded(image).unwrap().offset, Bytes(0));
    let place = restarted(place).await;
    assert_eq!(importer(&place).arrived(image).unwrap(), Some(arrival));

    let record = place.path.join("incoming").join(image.to_string()).join("arrival.json");
    let kept = fs::read_to_string(&record).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    fs::write(&record, kept.replace(boot.trim(), "another")).unwrap();
    let place = restarted(place).await;
    assert_eq!(importer(&place).arrived(image).unwrap(), None);
    assert_eq!(importer(&place).finish(image, &quiet).await.unwrap_err().code, Code::Conflict);

    fs::write(&record, kept).unwrap();
    let files = importer(&place).finish(image, &quiet).await.unwrap();
    assert!(content(&place, &files) == noise(8192));
    assert_eq!(ImageFiles::open(&*place.pool, image).await.unwrap(), Some(files));
}

#[tokio::test]
async fn what_the_machine_forgot_is_removed() {
    let place = place().await;
    let image = Uuid::now_v7();
    let source = handed(&place, &noise(8192));
    importer(&place).receive(image, source, None, &quiet).await.unwrap();
    let record = place.path.join("incoming").join(image.to_string()).join("arrival.json");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let text = fs::read_to_string(&record).unwrap().replace(boot.trim(), "another");
    fs::write(&record, text).unwrap();
    importer(&place).drop_stale(image).unwrap();
    assert_untouched(&place);
}

async fn restarted(place: Place) -> Place {
    let Place { pool, path, dir } = place;
    drop(pool);
    let pool = Arc::new(DirPool::open(&path, QemuImg::default()).await.unwrap());
    Place { pool, path, dir }
}
