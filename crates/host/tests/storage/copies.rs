//! Copies of volumes in a directory: over the same image, with clusters of their own.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use novacron_host::storage::{Base, DirPool, Original, Pool, QemuImg, VolumeWanted};
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat::{Qcow2, Raw};
use uuid::Uuid;

use crate::again;
use crate::pool::image;
use crate::tool::{Place, info, names, place, qemu_img, run};

const TAG: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

/// A qcow2 volume of 8 MiB over the image of 3 MiB: 1 MiB of sevens at 1 MiB, zeros after it.
async fn written(place: &Place, base: Option<Base>) -> VolumeWanted {
    let wanted = VolumeWanted { uid: Uuid::now_v7(), format: Qcow2, size: Bytes::mib(8), base };
    let path = place.pool.ensure_volume(&wanted).await.unwrap();
    write(&path, &["write -P 7 1M 1M", "write -z 2M 512k"]);
    wanted
}

fn write(path: &Path, commands: &[&str]) {
    let commands = commands.iter().flat_map(|command| ["-c", *command]);
    let args: Vec<&str> = ["-f", "qcow2"].into_iter().chain(commands).collect();
    run("qemu-io", &[&args[..], &[path.to_str().unwrap()]].concat());
}

async fn copy(place: &Place, of: &VolumeWanted, snapshot: Option<Uuid>) -> std::path::PathBuf {
    let original = Original { uid: of.uid, snapshot };
    let wanted = VolumeWanted { uid: Uuid::now_v7(), ..of.clone() };
    place.pool.ensure_copy(&wanted, &original, &mut |_| ()).await.unwrap()
}

/// What a guest sees.
fn content(place: &Place, path: &Path) -> Vec<u8> {
    let out = place.dir.path().join("out");
    let (path, to) = (path.to_str().unwrap(), out.to_str().unwrap());
    qemu_img(&["convert", "-U", "-f", "qcow2", "-O", "raw", path, to]);
    fs::read(out).unwrap()
}

#[tokio::test]
async fn a_copy_reads_as_its_original_and_holds_no_more_of_its_own() {
    let place = place().await;
    let (_, base) = image(&place.pool).await;
    for base in [Some(base), None] {
        let of = written(&place, base.clone()).await;
        let from = place.pool.volume(of.uid, Qcow2).await.unwrap();
        let before = fs::read(&from).unwrap();
        let to = copy(&place, &of, None).await;
        assert!(fs::read(&from).unwrap() == before, "the original's file has changed");
        let expected = content(&place, &from);
        assert!(content(&place, &to) == expected);
        assert_eq!(&expected[1 << 20..(1 << 20) + 4], [7; 4]);
        qemu_img(&["check", "-q", "-f", "qcow2", to.to_str().unwrap()]);
        let told = |path: &Path| info(path, "qcow2")["backing-filename"].clone();
        assert_eq!(told(&to), told(&from), "a relative path, so that pools can be moved");
        let blocks = |path: &Path| fs::metadata(path).unwrap().blocks();
        assert!(blocks(&to) <= blocks(&from) + 1024, "{} {}", blocks(&to), blocks(&from));
        write(&to, &["write -P 9 0 2M"]);
        place.pool.delete_volume(of.uid).await.unwrap();
        assert_eq!(&content(&place, &to)[..4], [9; 4]);
    }
}

#[tokio::test]
async fn a_snapshot_is_copied_while_a_guest_writes() {
    let place = place().await;
    let (_, base) = image(&place.pool).await;
    let of = written(&place, Some(base)).await;
    let from = place.pool.volume(of.uid, Qcow2).await.unwrap();
    let expected = content(&place, &from);
    qemu_img(&["snapshot", "-c", &TAG.to_string(), from.to_str().unwrap()]);
    write(&from, &["write -P 8 0 4M"]);
    // Whoever has it open for writing, as a guest has, holds a lock on it.
    let mut guest = std::process::Command::new("qemu-io");
    guest.args(["-f", "qcow2", from.to_str().unwrap()]).stdin(std::process::Stdio::piped());
    let mut guest = guest.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut prompt = [0; 8];
    std::io::Read::read_exact(guest.stdout.as_mut().unwrap(), &mut prompt).unwrap();
    let to = copy(&place, &of, Some(TAG)).await;
    let present = Original { uid: of.uid, snapshot: None };
    let wanted = VolumeWanted { uid: Uuid::now_v7(), ..of.clone() };
    let refused = place.pool.ensure_copy(&wanted, &present, &mut |_| ()).await;
    let lost = Original { snapshot: Some(Uuid::now_v7()), ..present };
    let unknown = place.pool.ensure_copy(&wanted, &lost, &mut |_| ()).await;
    drop(guest.stdin.take());
    guest.wait().unwrap();
    assert!(refused.unwrap_err().message.contains("lock"), "the present content is being changed");
    assert!(unknown.is_err());
    assert!(content(&place, &to) == expected);
    assert!(info(&to, "qcow2").get("snapshots").is_none());
    assert_eq!(names(&place.path.join("volumes")).len(), 2);
    assert!(names(&place.path.join("incoming")).is_empty());
}

#[tokio::test]
async fn a_copy_that_is_given_up_leaves_nothing() {
    let place = place().await;
    let of = written(&place, None).await;
    let original = Original { uid: of.uid, snapshot: None };
    let wanted = VolumeWanted { uid: Uuid::now_v7(), ..of };
    let mut polls = 0;
    // Let go after each number of steps, until it is done before.
    loop {
        let mut deaf = |_| ();
        let making = place.pool.ensure_copy(&wanted, &original, &mut deaf);
        tokio::pin!(making);
        let mut left = polls;
        let done = std::future::poll_fn(|context| match making.as_mut().poll(context) {
            std::task::Poll::Ready(made) => std::task::Poll::Ready(Some(made)),
            std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
            std::task::Poll::Pending => {
                left -= 1;
                std::task::Poll::Pending
            }
        });
        if let Some(made) = done.await {
            made.unwrap();
            break;
        }
        polls += 1;
        assert!(polls < 1000, "it never ends");
    }
    assert!(polls > 2, "{polls}");
}

#[test]
fn where_blocks_can_be_shared_a_copy_takes_none() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("only root may mount a file system with shared blocks");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    fs::File::create(&disk).unwrap().set_len(512 << 20).unwrap();
    run("mkfs.xfs", &["-q", "-m", "reflink=1", disk.to_str().unwrap()]);
    again::on_file_system("copies::inner_shared_blocks", &disk);
}

#[tokio::test]
#[ignore = "run by where_blocks_can_be_shared_a_copy_takes_none, on xfs"]
async fn inner_shared_blocks() {
    let Some(mount) = again::inner_place() else { return };
    // A program that does not exist: nothing but the file system may copy.
    let path = mount.join("pool");
    let pool = DirPool::open(&path, QemuImg::new("/none")).await.unwrap();
    for format in [Qcow2, Raw] {
        let of = VolumeWanted { uid: Uuid::now_v7(), format, size: Bytes::mib(64), base: None };
        let from = pool.ensure_volume(&of).await.unwrap();
        let pattern = ["-f", format.as_str(), "-c", "write -P 7 0 32M", from.to_str().unwrap()];
        run("qemu-io", &pattern);
        run("sync", &[]);
        let before = pool.usage().await.unwrap().free;
        let original = Original { uid: of.uid, snapshot: None };
        let wanted = VolumeWanted { uid: Uuid::now_v7(), ..of.clone() };
        let to = pool.ensure_copy(&wanted, &original, &mut |_| ()).await.unwrap();
        run("sync", &[]);
        let after = pool.usage().await.unwrap().free;
        assert!(before.0 - after.0 < 4 << 20, "{before} {after}");
        let read = ["-f", format.as_str(), "-c", "read -P 7 0 32M"];
        pool.delete_volume(of.uid).await.unwrap();
        run("qemu-io", &[&read[..], &[to.to_str().unwrap()]].concat());
    }
    // One with snapshots of its own is copied cluster by cluster: the copy is to have none.
    let pool = DirPool::open(mount.join("other"), QemuImg::default()).await.unwrap();
    let of = VolumeWanted { uid: Uuid::now_v7(), format: Qcow2, size: Bytes::mib(8), base: None };
    let from = pool.ensure_volume(&of).await.unwrap();
    qemu_img(&["snapshot", "-c", &TAG.to_string(), from.to_str().unwrap()]);
    let wanted = VolumeWanted { uid: Uuid::now_v7(), ..of.clone() };
    let original = Original { uid: of.uid, snapshot: None };
    let to = pool.ensure_copy(&wanted, &original, &mut |_| ()).await.unwrap();
    assert!(info(&to, "qcow2").get("snapshots").is_none());
}
