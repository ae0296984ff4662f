//! A volume written into one file: its content and nothing else, and nothing left beside it.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use novacron_host::storage::{Base, DirPool, ExportWanted, Exported, Pool, QemuImg, VolumeWanted};
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat::{self, Qcow2, Raw};
use novacron_model::{Code, Error};
use uuid::Uuid;

use crate::again;
use crate::tool::{info, names, noise, place, qemu_img, run};

const SIZE: usize = 4 << 20;

/// A qcow2 volume over an image of noise, with the export of it.
async fn volume(pool: &DirPool, into: DiskFormat) -> (std::path::PathBuf, ExportWanted) {
    let image = Uuid::now_v7();
    let work = pool.staging(image).join("work");
    fs::create_dir_all(&work).unwrap();
    fs::write(work.join("disk"), noise(SIZE)).unwrap();
    pool.publish_image(image, &work).await.unwrap();
    let path = pool.image(image).await.unwrap().unwrap().join("disk");
    let base = Base { path, format: Raw };
    let wanted = VolumeWanted {
        uid: Uuid::now_v7(),
        format: Qcow2,
        size: Bytes(0),
        base: Some(base.clone()),
    };
    let path = pool.ensure_volume(&wanted).await.unwrap();
    let (volume, backing) = (wanted.uid, Some(base));
    (path, ExportWanted { volume, format: Qcow2, backing, snapshot: None, into })
}

fn read(mut exported: Exported) -> Vec<u8> {
    let mut content = Vec::new();
    exported.file.read_to_end(&mut content).unwrap();
    content
}

/// Noise with one letter written over its beginning.
fn noise_with(letter: u8) -> Vec<u8> {
    let mut content = noise(SIZE);
    content[..64 << 10].fill(letter);
    content
}

/// A program that keeps the disk open and writes into it, as a guest does.
struct Writer(Child);

impl Writer {
    fn on(path: &Path) -> Self {
        let mut command = Command::new("qemu-io");
        command.args(["-f", "qcow2"]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Returns once it has been done.
    fn does(&mut self, order: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{order}").unwrap();
        let mut said = String::new();
        let mut byte = [0];
        while !said.contains("ops/sec") {
            assert_eq!(self.0.stdout.as_mut().unwrap().read(&mut byte).unwrap(), 1, "{said}");
            said.push(char::from(byte[0]));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn an_exported_qcow2_disk_names_no_other_file() {
    let place = place().await;
    let (path, wanted) = volume(&place.pool, Qcow2).await;
    run("qemu-io", &["-f", "qcow2", "-c", "write -P 0x61 0 64k", path.to_str().unwrap()]);
    let exported = place.pool.export_volume(&wanted).await.unwrap();
    assert!(names(&place.path.join("incoming")).is_empty());
    let out = place.dir.path().join("out.qcow2");
    fs::write(&out, read(exported)).unwrap();
    let told = info(&out, "qcow2");
    assert_eq!(
        (told["virtual-size"].as_u64(), told.get("backing-filename")),
        (Some(4 << 20), None)
    );
    let raw = place.dir.path().join("out.raw");
    let (out, to) = (out.to_str().unwrap(), raw.to_str().unwrap());
    qemu_img(&["convert", "-f", "qcow2", "-O", "raw", out, to]);
    assert!(fs::read(raw).unwrap() == noise_with(b'a'));
}

#[tokio::test]
async fn a_snapshot_is_exported_while_a_guest_writes() {
    let place = place().await;
    let (path, wanted) = volume(&place.pool, Raw).await;
    let (text, tag) = (path.to_str().unwrap(), Uuid::now_v7());
    run("qemu-io", &["-f", "qcow2", "-c", "write -P 0x61 0 64k", text]);
    qemu_img(&["snapshot", "-c", &tag.to_string(), text]);
    // The disk grows after the snapshot: what it lacks then reads as zeros.
    place.pool.grow_volume(wanted.volume, Qcow2, Bytes::mib(6)).await.unwrap();
    let mut guest = Writer::on(&path);
    guest.does("write -P 0x62 0 64k");
    let of_snapshot = ExportWanted { snapshot: Some(tag), ..wanted.clone() };
    for letter in [0x63, 0x64] {
        let (exported, ()) = tokio::join!(place.pool.export_volume(&of_snapshot), async {
            guest.does(&format!("write -P {letter} 0 4M"));
        });
        let content = read(exported.unwrap());
        assert!(content[..SIZE] == noise_with(b'a'));
        assert!(content.len() == 6 << 20 && content[SIZE..].iter().all(|byte| *byte == 0));
    }
    drop(guest);
    assert_eq!(read(place.pool.export_volume(&wanted).await.unwrap())[0], 0x64);
    let other = ExportWanted { snapshot: Some(Uuid::now_v7()), ..wanted };
    let error = place.pool.export_volume(&other).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict, "{error}");
    assert!(names(&place.path.join("incoming")).is_empty());
}

#[tokio::test]
async fn an_export_that_is_given_up_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let slow = dir.path().join("slow");
    // Writes into its last argument and does not end.
    let script = "#!/bin/sh\nfor to; do :; done\necho half > \"$to\"\nexec sleep 600\n";
    fs::write(&slow, script).unwrap();
    fs::set_permissions(&slow, Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().join("pool");
    let pool = Arc::new(DirPool::open(&path, QemuImg::new(slow)).await.unwrap());
    let (_, wanted) = volume(&pool, Qcow2).await;
    let incoming = path.join("incoming");
    let half = async {
        while !names(&incoming).iter().any(|name| incoming.join(name).join("disk").exists()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        exported = pool.export_volume(&wanted) => panic!("{exported:?}"),
        () = half => {}
    }
    assert!(names(&incoming).is_empty());
}

#[test]
fn an_export_without_room_says_so() {
    again::on_small_disk("export::inner_small_disk", 12);
}

#[tokio::test]
#[ignore = "run by an_export_without_room_says_so, on a small disk"]
async fn inner_small_disk() {
    let Some(dir) = again::inner_place() else { return };
    let path = dir.join("pool");
    let pool = DirPool::open(&path, QemuImg::default()).await.unwrap();
    let (_, wanted) = volume(&pool, Qcow2).await;
    fs::write(path.join("ballast"), noise(6 << 20)).unwrap();
    let error: Error = pool.export_volume(&wanted).await.unwrap_err();
    assert_eq!(error.code, Code::StorageFull, "{error}");
    assert!(names(&path.join("incoming")).is_empty());
    fs::remove_file(path.join("ballast")).unwrap();
    let exported = pool.export_volume(&wanted).await.unwrap();
    assert!(exported.size.0 >= SIZE as u64);
}
