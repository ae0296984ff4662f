//! Backups: whole, checked, and good for a store elsewhere. Stores of the format before: copied,
//! then converted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use novacron_model::Time;
use novacron_raft::{Backup, BackupError, OpenError, Options, RaftStore, backup, upgrade};
use novacron_store::Store;

use crate::ledger::Ledger;

fn options() -> Options {
    Options {
        segment_bytes: 8 << 10,
        snapshot_entries: 25,
        reserve_bytes: 64 << 10,
        ..Options::default()
    }
}

fn content(store: &RaftStore) -> String {
    let items: Vec<_> = store.snapshot().state().dump().collect();
    serde_json::to_string(&items).expect("serialises")
}

/// A store with some content, its backup, and the content.
async fn backed_up(dir: &Path) -> (PathBuf, String, Ledger) {
    let store = RaftStore::open(&dir.join("store"), options()).await.expect("opens");
    let mut ledger = Ledger::new(3);
    assert!(ledger.write(&store, 20).await.is_empty());
    let files = BTreeMap::from([("data.key".to_owned(), vec![7; 32])]);
    let mut bytes = Vec::new();
    backup::write(&store.snapshot(), "n1", Time(5_000), files, &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })
    .expect("is written");
    let before = content(&store);
    store.shutdown().await;
    let path = dir.join("copy.backup");
    fs::write(&path, bytes).expect("writes");
    (path, before, ledger)
}

#[tokio::test]
async fn a_backup_becomes_a_store_that_goes_on() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let (path, before, mut ledger) = backed_up(dir.path()).await;
    let backup = Backup::read(&path).expect("reads");
    assert_eq!(backup.head.node, "n1");
    assert_eq!(backup.head.created, Time(5_000));
    assert_eq!(backup.head.files["data.key"], [7; 32]);
    let other = dir.path().join("other");
    backup.restore(&other, &options()).expect("restores");
    for round in 0..3 {
        let store = RaftStore::open(&other, options()).await.expect("opens");
        if round == 0 {
            assert_eq!(content(&store), before);
            let beyond = store.snapshot().revision();
            assert!(beyond > backup.head.revision + 1_000_000, "old watches must not go on");
            ledger.leapt = beyond - backup.head.revision;
        }
        assert_eq!(ledger.check(&store), Ok(()));
        assert!(ledger.write(&store, 20).await.is_empty());
        store.shutdown().await;
    }
}

#[tokio::test]
async fn a_flipped_bit_or_a_missing_end_is_found() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let (path, ..) = backed_up(dir.path()).await;
    let good = fs::read(&path).expect("reads");
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, &bad).expect("writes");
        let refused = Backup::read(&path).err();
        let refused = refused.unwrap_or_else(|| panic!("byte {at}: read as if it were good"));
        assert!(refused.to_string().contains("copy.backup"), "{refused}");
        fs::write(&path, &good[..at]).expect("writes");
        assert!(Backup::read(&path).is_err(), "cut at {at}");
    }
    fs::write(&path, [&good[..], b"x"].concat()).expect("writes");
    assert!(Backup::read(&path).is_err(), "something behind the end");
    fs::write(&path, &good).expect("writes");
    Backup::read(&path).expect("reads");
}

#[tokio::test]
async fn a_backup_of_a_newer_format_is_refused_and_says_whose_it_is() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let (path, ..) = backed_up(dir.path()).await;
    let good = fs::read(&path).expect("reads");
    let magic = good.iter().position(|byte| *byte == b'\n').expect("has a magic") + 1;
    let payload = br#"{"format":9,"version":"7.1.0"}"#;
    let len = u32::try_from(payload.len()).expect("fits").to_le_bytes();
    let crc = crc32fast::hash(&[&len[..], payload].concat()).to_le_bytes();
    let newer = [&good[..magic], &crc, &len, payload].concat();
    fs::write(&path, newer).expect("writes");
    let Err(BackupError::Newer { found: 9, version, .. }) = Backup::read(&path) else {
        panic!("a newer format must be refused");
    };
    assert_eq!(version, "7.1.0");
}

#[tokio::test]
async fn an_older_store_is_copied_then_converted_and_the_copy_is_what_it_was() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let (_, before, _) = backed_up(dir.path()).await;
    let (store, key) = (dir.path().join("store"), dir.path().join("data.key"));
    fs::write(&key, [7; 32]).expect("writes");
    assert_eq!(upgrade::needed(&store).expect("reads"), None);
    age(&store);
    let old_meta = fs::read(store.join("meta")).expect("reads");
    assert_eq!(upgrade::needed(&store).expect("reads"), Some(1));

    let copies = dir.path().join("backups");
    let copy = upgrade::copy(&store, &key, &copies, "store-format-1").expect("copies");
    let again = upgrade::copy(&store, &key, &copies, "store-format-1").expect("copies");
    assert_eq!(again, copy, "the same store is copied once, however often the daemon dies");
    let opened = RaftStore::open(&store, options()).await.expect("opens");
    assert_eq!(content(&opened), before);
    opened.shutdown().await;
    assert_eq!(upgrade::needed(&store).expect("reads"), None);

    assert_eq!(fs::read(copy.join("store/meta")).expect("reads"), old_meta);
    assert_eq!(fs::read(copy.join("data.key")).expect("reads"), [7; 32]);
    let kept = RaftStore::open(&copy.join("store"), options()).await.expect("opens");
    assert_eq!(content(&kept), before);
    kept.shutdown().await;
}

#[tokio::test]
async fn a_damaged_older_store_is_not_converted() {
    let dir = tempfile::tempdir().expect("makes a directory");
    backed_up(dir.path()).await;
    let store = dir.path().join("store");
    age(&store);
    let meta = fs::read(store.join("meta")).expect("reads");
    fs::write(store.join("snapshot"), b"not a snapshot").expect("writes");
    let refused = RaftStore::open(&store, options()).await.err();
    assert!(matches!(refused, Some(OpenError::Damaged { .. })), "{refused:?}");
    assert_eq!(fs::read(store.join("meta")).expect("reads"), meta);
}

/// Makes the store one of format 1, as the version before wrote it.
fn age(store: &Path) {
    let path = store.join("meta");
    let text = fs::read_to_string(&path).expect("reads");
    let mut json: serde_json::Value =
        serde_json::from_str(text.split_once(' ').expect("has a checksum").1).expect("is JSON");
    json["format"] = 1.into();
    json.as_object_mut().expect("is an object").remove("version");
    let json = format!("{json}\n");
    fs::write(&path, format!("{:08x} {json}", crc32fast::hash(json.as_bytes()))).expect("writes");
}
