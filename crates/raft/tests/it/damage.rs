//! Damaged files: refused with the file's name and what to do, never a silent reset.

use std::fs;
use std::path::{Path, PathBuf};

use novacron_raft::{OpenError, Options, RaftStore};

use crate::ledger::Ledger;

fn options() -> Options {
    Options {
        segment_bytes: 8 << 10,
        snapshot_entries: 25,
        reserve_bytes: 64 << 10,
        ..Options::default()
    }
}

/// A store with a snapshot and several segments, shut down.
async fn filled() -> (tempfile::TempDir, Ledger) {
    let dir = tempfile::tempdir().expect("makes a directory");
    let store = RaftStore::open(dir.path(), options()).await.expect("opens");
    let mut ledger = Ledger::new(3);
    assert!(ledger.write(&store, 30).await.is_empty());
    store.shutdown().await;
    (dir, ledger)
}

/// The files that hold what was committed.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("reads")
        .map(|entry| entry.expect("reads").path())
        .filter(|path| {
            let name = path.file_name().expect("has a name").to_string_lossy().into_owned();
            name == "meta" || name == "snapshot" || (name.starts_with("log-0"))
        })
        .collect();
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    files
}

async fn refusal(dir: &Path) -> Option<String> {
    RaftStore::open(dir, options()).await.err().map(|error| error.to_string())
}

fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_refused_by_name() {
    let (dir, ledger) = filled().await;
    for path in files(dir.path()) {
        let good = fs::read(&path).expect("reads");
        for at in 0..used(&good) {
            // Padding between frames carries nothing.
            if good[at] == 0 {
                continue;
            }
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).expect("writes");
            let refused = refusal(dir.path()).await;
            let refused = refused.unwrap_or_else(|| panic!("{} byte {at}: opened", path.display()));
            let named = refused.contains(&path.display().to_string());
            assert!(named && refused.contains("restore a copy"), "byte {at}: {refused}");
            assert_eq!(fs::read(&path).expect("reads"), bad, "a refused store is not touched");
        }
        fs::write(&path, &good).expect("writes");
    }
    let store = RaftStore::open(dir.path(), options()).await.expect("opens");
    assert_eq!(ledger.check(&store), Ok(()));
    store.shutdown().await;
}

#[tokio::test]
async fn a_file_cut_anywhere_is_refused_by_name() {
    let (dir, ledger) = filled().await;
    for path in files(dir.path()) {
        let good = fs::read(&path).expect("reads");
        let beyond = (used(&good)..good.len()).step_by(97);
        for len in (0..used(&good)).chain(beyond) {
            fs::write(&path, &good[..len]).expect("writes");
            let refused = refusal(dir.path()).await;
            let refused = refused.unwrap_or_else(|| panic!("{} cut at {len}", path.display()));
            let named = refused.contains(&path.display().to_string());
            assert!(named && refused.contains("restore a copy"), "cut at {len}: {refused}");
        }
        fs::write(&path, &good).expect("writes");
    }
    let store = RaftStore::open(dir.path(), options()).await.expect("opens");
    assert_eq!(ledger.check(&store), Ok(()));
    store.shutdown().await;
}

#[tokio::test]
async fn a_missing_file_is_refused_by_name() {
    let (dir, ledger) = filled().await;
    for path in files(dir.path()) {
        let away = path.with_extension("away");
        fs::rename(&path, &away).expect("renames");
        let refused = refusal(dir.path()).await;
        let refused = refused.unwrap_or_else(|| panic!("opened without {}", path.display()));
        assert!(refused.contains(&path.display().to_string()), "{refused}");
        fs::rename(&away, &path).expect("renames");
    }
    let store = RaftStore::open(dir.path(), options()).await.expect("opens");
    assert_eq!(ledger.check(&store), Ok(()));
    store.shutdown().await;
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let (dir, _) = filled().await;
    let path = dir.path().join("meta");
    let json = fs::read_to_string(&path).expect("reads");
    let json =
        json.split_once(' ').expect("has a checksum").1.replace("\"format\":2", "\"format\":9");
    let crc = crc32fast::hash(json.as_bytes());
    fs::write(&path, format!("{crc:08x} {json}")).expect("writes");
    let refused = RaftStore::open(dir.path(), options()).await.err();
    let Some(OpenError::Format { found: 9, known: 2, .. }) = refused else {
        panic!("{refused:?}");
    };
}
