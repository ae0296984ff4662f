//! A pool that is a directory keeps what it is given, and only that.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use async_trait::async_trait;
use novacron_host::storage::contract::Fixture;
use novacron_host::storage::{Base, DirPool, Pool, QemuImg, VolumeWanted};
use novacron_model::Code;
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat::{self, Qcow2, Raw};
use uuid::Uuid;

use crate::tool::{info, names, noise, place, qemu_img, run};

struct Directory(tempfile::TempDir);

#[async_trait]
impl Fixture for Directory {
    async fn open(&self) -> Box<dyn Pool> {
        let path = self.0.path().join("pool");
        Box::new(DirPool::open(path, QemuImg::default()).await.unwrap())
    }
}

novacron_host::pool_contract!(Directory(tempfile::tempdir().unwrap()));

fn wanted(format: DiskFormat, size: Bytes, base: Option<Base>) -> VolumeWanted {
    VolumeWanted { uid: Uuid::now_v7(), format, size, base }
}

/// An image of 3 MiB with noise in it, published in the pool.
pub async fn image(pool: &DirPool) -> (Uuid, Base) {
    let image = Uuid::now_v7();
    let work = pool.staging(image).join("work");
    fs::create_dir_all(&work).unwrap();
    let raw = work.join("raw");
    fs::write(&raw, noise(3 << 20)).unwrap();
    let disk = work.join("disk.qcow2");
    let (from, to) = (raw.to_str().unwrap(), disk.to_str().unwrap());
    qemu_img(&["convert", "-f", "raw", "-O", "qcow2", from, to]);
    fs::remove_file(&raw).unwrap();
    pool.publish_image(image, &work).await.unwrap();
    let path = pool.image(image).await.unwrap().unwrap().join("disk.qcow2");
    (image, Base { path, format: Qcow2 })
}

#[tokio::test]
async fn an_overlay_reads_as_its_image_and_checks_clean() {
    let place = place().await;
    let (_, base) = image(&place.pool).await;
    for size in [Bytes(0), Bytes::gib(10), Bytes::gib(9 << 10), Bytes((3 << 20) + 512)] {
        let wanted = wanted(Qcow2, size, Some(base.clone()));
        let path = place.pool.ensure_volume(&wanted).await.unwrap();
        let text = path.to_str().unwrap();
        qemu_img(&["check", "-f", "qcow2", text]);
        let info = info(&path, "qcow2");
        let seen = if size == Bytes(0) { Bytes::mib(3) } else { size };
        assert_eq!(info["virtual-size"], seen.0);
        assert_eq!(info["backing-filename-format"], "qcow2");
        run("qemu-io", &["-f", "qcow2", "-c", "write -P 7 1M 4k", text]);
        qemu_img(&["check", "-f", "qcow2", text]);
        let out = place.dir.path().join("out");
        run("qemu-io", &["-f", "qcow2", "-c", "read -P 7 1M 4k", text]);
        if size == Bytes(0) {
            qemu_img(&["convert", "-f", "qcow2", "-O", "raw", text, out.to_str().unwrap()]);
            let mut expected = noise(3 << 20);
            expected[1 << 20..(1 << 20) + 4096].fill(7);
            assert!(fs::read(&out).unwrap() == expected);
        }
    }
}

#[tokio::test]
async fn a_pool_can_be_moved() {
    let place = place().await;
    let (_, base) = image(&place.pool).await;
    let path = place.pool.ensure_volume(&wanted(Qcow2, Bytes(0), Some(base))).await.unwrap();
    let name = path.file_name().unwrap();
    drop(place.pool);
    let moved = place.dir.path().join("elsewhere");
    fs::rename(&place.path, &moved).unwrap();
    let path = moved.join("volumes").join(name);
    run("qemu-io", &["-f", "qcow2", "-r", "-c", "read 0 3M", path.to_str().unwrap()]);
}

#[tokio::test]
async fn empty_volumes_have_their_size_and_take_no_space() {
    let place = place().await;
    for format in [Qcow2, Raw] {
        let wanted = wanted(format, Bytes::gib(20), None);
        let path = place.pool.ensure_volume(&wanted).await.unwrap();
        assert_eq!(info(&path, format.as_str())["virtual-size"], Bytes::gib(20).0);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let used = place.pool.volume_usage(wanted.uid).await.unwrap();
        assert!(used < Bytes::mib(1), "{used}");
        assert_eq!(place.pool.volume(wanted.uid, format).await.unwrap(), path);
    }
}

#[tokio::test]
async fn a_raw_volume_is_a_copy_that_may_be_larger() {
    let place = place().await;
    let (image, base) = image(&place.pool).await;
    let wanted = wanted(Raw, Bytes::mib(5), Some(base));
    let path = place.pool.ensure_volume(&wanted).await.unwrap();
    place.pool.delete_image(image).await.unwrap();
    let content = fs::read(path).unwrap();
    assert_eq!(content.len(), 5 << 20);
    assert!(content[..3 << 20] == noise(3 << 20));
}

#[tokio::test]
async fn what_a_crash_has_left_is_swept_and_nothing_else() {
    let place = place().await;
    let (image, _) = image(&place.pool).await;
    let volume = wanted(Qcow2, Bytes::gib(1), None);
    place.pool.ensure_volume(&volume).await.unwrap();
    let incoming = place.path.join("incoming");
    fs::write(incoming.join("volume-x.qcow2"), "half").unwrap();
    let half = place.pool.staging(Uuid::now_v7());
    fs::create_dir(&half).unwrap();
    fs::write(half.join("source.part"), "half").unwrap();
    let whole = place.pool.staging(Uuid::now_v7());
    fs::create_dir_all(whole.join("work")).unwrap();
    fs::write(whole.join("source"), "whole").unwrap();
    fs::write(whole.join("arrival.json"), "{}").unwrap();

    // While someone else has it open, anything may be in the making.
    let second = DirPool::open(&place.path, QemuImg::default()).await.unwrap();
    assert_eq!(names(&incoming).len(), 3);
    drop((second, place.pool));

    let pool = DirPool::open(&place.path, QemuImg::default()).await.unwrap();
    assert_eq!(names(&incoming), [whole.file_name().unwrap().to_str().unwrap()]);
    assert_eq!(names(&whole), ["arrival.json", "source"]);
    assert!(pool.image(image).await.unwrap().is_some());
    pool.volume(volume.uid, Qcow2).await.unwrap();
}

#[tokio::test]
async fn a_directory_that_holds_other_things_is_no_pool() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("incoming")).unwrap();
    fs::write(dir.path().join("incoming/letter"), "dear").unwrap();
    let error = DirPool::open(dir.path(), QemuImg::default()).await.unwrap_err();
    assert_eq!((error.code, error.field.as_deref()), (Code::Invalid, Some("spec.path")));
    assert!(error.message.contains("incoming"), "{error}");
    assert!(dir.path().join("incoming/letter").exists());

    let relative = DirPool::open(Path::new("pool"), QemuImg::default()).await.unwrap_err();
    assert_eq!(relative.code, Code::Invalid);
    let file = dir.path().join("incoming/letter/pool");
    assert!(DirPool::open(file, QemuImg::default()).await.is_err());
}

#[tokio::test]
async fn images_are_read_only_and_go_whole() {
    let place = place().await;
    let (image, base) = image(&place.pool).await;
    assert_eq!(fs::metadata(&base.path).unwrap().permissions().mode() & 0o222, 0);
    place.pool.delete_image(image).await.unwrap();
    place.pool.delete_image(image).await.unwrap();
    assert_eq!(place.pool.image(image).await.unwrap(), None);
    assert!(names(&place.path.join("images")).is_empty());
    assert!(names(&place.path.join("incoming")).is_empty());
}

#[tokio::test]
async fn a_missing_qemu_img_says_what_to_install() {
    let dir = tempfile::tempdir().unwrap();
    let pool = DirPool::open(dir.path().join("pool"), QemuImg::new("/nowhere/qemu-img")).await;
    let (_, base) = image(pool.as_ref().unwrap()).await;
    let error = pool.unwrap().ensure_volume(&wanted(Raw, Bytes(0), Some(base))).await.unwrap_err();
    assert_eq!(error.code, Code::Unsupported);
    assert!(error.hint.unwrap().contains("qemu-utils"));
}
