//! Programs and places that several tests need.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use novacron_host::storage::{DirPool, QemuImg};
use tempfile::TempDir;

/// A pool in a folder of its own, which goes with it.
pub struct Place {
    pub pool: Arc<DirPool>,
    pub path: PathBuf,
    pub dir: TempDir,
}

pub async fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pool");
    let pool = Arc::new(DirPool::open(&path, QemuImg::default()).await.unwrap());
    Place { pool, path, dir }
}

/// Runs a program that must succeed, and returns what it prints.
pub fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {words}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn qemu_img(args: &[&str]) -> String {
    run("qemu-img", args)
}

/// `qemu-img info` of a disk of this format.
pub fn info(path: &Path, format: &str) -> serde_json::Value {
    let path = path.to_str().unwrap();
    serde_json::from_str(&qemu_img(&["info", "-f", format, "--output=json", path])).unwrap()
}

/// Names below a folder, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Bytes that do not repeat.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}
