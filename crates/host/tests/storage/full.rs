//! A full disk is told as such, and nothing is left half made.

use std::fs;
use std::path::Path;

use novacron_host::image::{Importer, Limits, Part};
use novacron_host::storage::{Base, DirPool, Original, Pool, QemuImg, VolumeWanted};
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat::{Qcow2, Raw};
use novacron_model::{Code, Result};
use std::sync::Arc;
use uuid::Uuid;

use crate::again;
use crate::image::{quiet, upload};
use crate::tool::{names, noise, qemu_img, run};

#[test]
fn a_full_pool_is_told_as_such() {
    again::on_small_disk("full::inner_full_pool", 8);
}

#[tokio::test]
#[ignore = "run by a_full_pool_is_told_as_such, on a small disk"]
async fn inner_full_pool() {
    let Some(place) = again::inner_place() else { return };
    let (path, elsewhere) = (place.join("pool"), tempfile::tempdir().unwrap());
    let pool = Arc::new(DirPool::open(&path, QemuImg::default()).await.unwrap());
    let importer = Importer::new(pool.clone(), QemuImg::default(), Limits::default());
    let import = async |content: Vec<u8>| {
        importer.import(Uuid::now_v7(), upload(content), None, &quiet).await
    };

    // It says beforehand that it is too long.
    assert_full(import(noise(9 << 20)).await);
    assert_clean(&path);
    // It does not.
    let chunks = noise(9 << 20).chunks(64 << 10).map(|part| Ok(part.to_vec().into())).collect();
    let chunks: Vec<Result<bytes::Bytes>> = chunks;
    let content = Box::pin(futures::stream::iter(chunks));
    let source = novacron_host::image::Source::Upload { length: None, content };
    assert_full(importer.import(Uuid::now_v7(), source, None, &quiet).await);
    assert_clean(&path);
    // Beside others, in parts: they take what it was promised.
    let (uid, whole) = (Uuid::now_v7(), noise(5 << 20));
    let part = |offset: usize, end: usize| Part {
        offset: offset as u64,
        total: whole.len() as u64,
        content: Box::pin(futures::stream::iter([Ok(whole[offset..end].to_vec().into())])),
    };
    importer.receive_part(uid, part(0, 1 << 20), None, &quiet).await.unwrap();
    let (ballast, bytes) = (path.join("ballast"), whole[1 << 20..].to_vec());
    let late = futures::stream::once(async move {
        fs::write(ballast, noise(4 << 20)).unwrap();
        Ok(bytes.into())
    });
    let rest = Part { content: Box::pin(late), ..part(1 << 20, 1 << 20) };
    assert_full(importer.receive_part(uid, rest, None, &quiet).await);
    assert_clean(&path);
    fs::remove_file(path.join("ballast")).unwrap();
    // It arrives, and has no room to be converted.
    let (raw, vmdk) = (elsewhere.path().join("raw"), elsewhere.path().join("vmdk"));
    fs::write(&raw, noise(5 << 20)).unwrap();
    let paths = [raw.to_str().unwrap(), vmdk.to_str().unwrap()];
    qemu_img(&[&["convert", "-f", "raw", "-O", "vmdk"], &paths[..]].concat());
    assert_full(import(fs::read(&vmdk).unwrap()).await);
    assert_clean(&path);

    // Three quarters are used: a raw copy does not fit, an overlay does.
    let image = import(noise(3 << 20)).await.unwrap();
    let uid = Uuid::now_v7();
    let copy = VolumeWanted { uid, format: Raw, size: Bytes(0), base: image.disk };
    fs::write(path.join("ballast"), noise(3 << 20)).unwrap();
    assert_full(pool.ensure_volume(&copy).await);
    assert!(names(&path.join("volumes")).is_empty() && names(&path.join("incoming")).is_empty());
    let overlay = VolumeWanted { format: Qcow2, ..copy.clone() };
    let path_of_overlay = pool.ensure_volume(&overlay).await.unwrap();

    // It holds more of its own than a copy of it finds room for.
    fs::remove_file(path.join("ballast")).unwrap();
    let written = ["-f", "qcow2", "-c", "write -P 7 0 2M", path_of_overlay.to_str().unwrap()];
    run("qemu-io", &written);
    fs::write(path.join("ballast"), noise(1 << 20)).unwrap();
    let original = Original { uid, snapshot: None };
    let copy = VolumeWanted { uid: Uuid::now_v7(), ..overlay.clone() };
    assert_full(pool.ensure_copy(&copy, &original, &mut |_| ()).await);
    assert!(names(&path.join("incoming")).is_empty());
    assert_eq!(names(&path.join("volumes")).len(), 1);

    // Not a byte is left: opening still works, making a volume does not, removing helps.
    while fs::write(path.join("ballast2"), noise(2 << 20)).is_ok() {}
    drop((pool, importer));
    let pool = DirPool::open(&path, QemuImg::default()).await.unwrap();
    pool.volume(uid, Qcow2).await.unwrap();
    let another = VolumeWanted { uid: Uuid::now_v7(), ..overlay };
    assert_full(pool.ensure_volume(&another).await);
    assert_eq!(names(&path.join("volumes")).len(), 1);
    pool.delete_volume(uid).await.unwrap();
    fs::remove_file(path.join("ballast2")).unwrap();
    pool.ensure_volume(&another).await.unwrap();
}

#[test]
fn a_pool_opens_on_a_full_disk() {
    again::on_small_disk("full::inner_new_pool", 1);
}

#[tokio::test]
#[ignore = "run by a_pool_opens_on_a_full_disk, on a small disk"]
async fn inner_new_pool() {
    let Some(place) = again::inner_place() else { return };
    let path = place.join("pool");
    drop(DirPool::open(&path, QemuImg::default()).await.unwrap());
    let _ = fs::write(path.join("ballast"), noise(2 << 20));
    let pool = DirPool::open(&path, QemuImg::default()).await.unwrap();
    assert_eq!(pool.usage().await.unwrap().free, Bytes(0));
    let base: Option<Base> = None;
    let wanted = VolumeWanted { uid: Uuid::now_v7(), format: Qcow2, size: Bytes::gib(1), base };
    assert_full(pool.ensure_volume(&wanted).await);
}

fn assert_full<T: std::fmt::Debug>(result: Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(error.code, Code::StorageFull, "{error}");
    assert!(error.hint.is_some());
}

fn assert_clean(path: &Path) {
    for dir in ["images", "volumes", "incoming"] {
        assert!(names(&path.join(dir)).is_empty(), "{dir}");
    }
}
