//! `kill -9` at any moment: what has its final name is whole, the rest is swept.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use novacron_host::image::{ImageFiles, Importer, Limits};
use novacron_host::storage::{Base, DirPool, Original, Pool, QemuImg, VolumeWanted};
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat::{Qcow2, Raw};
use uuid::Uuid;

use crate::again;
use crate::image::{qcow2, quiet, upload};
use crate::tool::{names, noise, qemu_img};

#[tokio::test]
async fn what_has_its_name_after_a_kill_is_whole() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("pool");
    let (mut images, mut volumes) = (0, 0);
    for round in 0..12 {
        work_until_killed(place.path(), Duration::from_millis(23 * round));
        let pool = DirPool::open(&path, QemuImg::default()).await.unwrap();
        (images, volumes) = check(&pool, &path).await;
    }
    assert!(images > 0 && volumes > 0, "{images} images and {volumes} volumes");
}

/// Kills the inner test some time after its first volume.
fn work_until_killed(place: &Path, after: Duration) {
    let mut child =
        again::command("crash::inner_busy_pool", place).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("busy")), "the inner test has ended");
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Counts images and volumes, all of which must be whole.
async fn check(pool: &DirPool, path: &Path) -> (usize, usize) {
    let images = names(&path.join("images"));
    for name in &images {
        let files = ImageFiles::open(pool, name.parse().unwrap()).await.unwrap().unwrap();
        let disk = files.disk.unwrap();
        match disk.format {
            Qcow2 => drop(qemu_img(&["check", "-q", "-f", "qcow2", disk.path.to_str().unwrap()])),
            Raw => assert!(fs::read(&disk.path).unwrap() == noise(1 << 20), "{name}"),
        }
    }
    let volumes = names(&path.join("volumes"));
    for name in &volumes {
        let file = path.join("volumes").join(name);
        if name.ends_with("qcow2") {
            qemu_img(&["check", "-q", "-f", "qcow2", file.to_str().unwrap()]);
        } else {
            assert_eq!(fs::metadata(&file).unwrap().len(), 1 << 20, "{name}");
        }
    }
    for name in names(&path.join("incoming")) {
        let files = names(&path.join("incoming").join(&name));
        assert_eq!(files, ["arrival.json", "source"], "{name} was not swept");
        let image = name.parse().unwrap();
        let again = Importer::new(Arc::new(pool.clone()), QemuImg::default(), Limits::default());
        again.finish(image, &quiet).await.unwrap();
    }
    (images.len(), volumes.len())
}

#[tokio::test]
#[ignore = "run by what_has_its_name_after_a_kill_is_whole, and killed"]
async fn inner_busy_pool() {
    let Some(place) = again::inner_place() else { return };
    let pool = Arc::new(DirPool::open(place.join("pool"), QemuImg::default()).await.unwrap());
    let importer = Importer::new(pool.clone(), QemuImg::default(), Limits::default());
    let (kept, _) = qcow2(&place, &[]);
    let mut base: Option<Base> = None;
    for round in 0_u32.. {
        for format in [Qcow2, Raw] {
            let wanted = VolumeWanted {
                uid: Uuid::now_v7(),
                format,
                size: Bytes::mib(1),
                base: base.clone(),
            };
            pool.ensure_volume(&wanted).await.unwrap();
            let original = Original { uid: wanted.uid, snapshot: None };
            let copy = VolumeWanted { uid: Uuid::now_v7(), ..wanted };
            pool.ensure_copy(&copy, &original, &mut |_| ()).await.unwrap();
        }
        println!("busy");
        let content = if round % 2 == 0 { kept.clone() } else { noise(1 << 20) };
        let files = importer.import(Uuid::now_v7(), upload(content), None, &quiet).await.unwrap();
        base = files.disk;
    }
}

#[test]
fn a_tool_ends_with_the_daemon_that_started_it() {
    let place = tempfile::tempdir().unwrap();
    let tool = place.path().join("tool");
    let mut child = again::command("crash::inner_long_tool", place.path()).spawn().unwrap();
    poll("the tool", || runs(&tool).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    poll("the tool's end", || (!runs(&tool)).then_some(()));
}

/// Whether a process runs this script. One that has ended has no command line any more.
fn runs(script: &Path) -> bool {
    let script = script.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.into_iter().any(|process| {
        let line = fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        line.split('\0').any(|word| word == script)
    })
}

fn poll<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if let Some(found) = probe() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("waited in vain for {what}");
}

#[tokio::test]
#[ignore = "run by a_tool_ends_with_the_daemon_that_started_it, and killed"]
async fn inner_long_tool() {
    let Some(place) = again::inner_place() else { return };
    let script = place.join("tool");
    fs::write(&script, "#!/bin/sh\nwhile :; do sleep 1; done\n").unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    QemuImg::new(script).version().await.unwrap();
}
