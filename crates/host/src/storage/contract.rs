//! What every pool must do, as one suite: a public function per property, and
//! [`pool_contract`](crate::pool_contract), which makes a test of each. A breach panics. Left
//! out: what only one kind of pool can show (its files, its full disk, its crash).

mod copies;

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use async_trait::async_trait;
use novacron_model::Code;
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat::{self, Qcow2, Raw};
use uuid::Uuid;

use super::{Base, ExportWanted, Pool, VolumeWanted};

pub use copies::*;

/// A place in which pools of one kind can be opened.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The pool as a new daemon would open it; the last one is closed by then.
    async fn open(&self) -> Box<dyn Pool>;
}

/// Makes a test of every property. The expression makes a fixture with an empty pool.
#[macro_export]
macro_rules! pool_contract {
    ($fixture:expr) => {
        $crate::pool_contract! {
            @each $fixture;
            a_volume_made_twice_is_made_once
            a_volume_grows_and_never_shrinks
            a_volume_outlives_the_daemon
            a_lost_volume_is_told_and_not_made_anew
            deleting_twice_equals_deleting_once
            impossible_sizes_are_refused_and_leave_nothing
            an_image_appears_whole_and_read_only
            publishing_twice_keeps_the_first
            a_volume_has_its_images_size_unless_told
            a_raw_volume_needs_its_image_no_more
            a_copy_is_independent_of_its_original
            a_volume_copied_twice_is_copied_once
            a_copy_may_be_larger_and_is_never_smaller
            a_copy_of_what_is_lost_is_refused_and_leaves_nothing
            an_export_stands_alone
            usage_is_told
        }
    };
    (@each $fixture:expr; $($property:ident)*) => {
        $(
            #[tokio::test]
            async fn $property() {
                $crate::storage::contract::$property(&$fixture).await;
            }
        )*
    };
}

pub async fn a_volume_made_twice_is_made_once(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    for format in [Qcow2, Raw] {
        let wanted = empty(format);
        let path = ensure(&*pool, &wanted).await;
        overwrite(&path, b"precious");
        let larger = VolumeWanted { size: Bytes::mib(9), ..wanted };
        assert_eq!(ensure(&*pool, &larger).await, path);
        assert!(read(&path).starts_with(b"precious"));
    }
}

pub async fn a_volume_grows_and_never_shrinks(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    for format in [Qcow2, Raw] {
        let wanted = empty(format);
        assert!(pool.grow_volume(wanted.uid, format, Bytes::mib(8)).await.is_err(), "it never was");
        let path = ensure(&*pool, &wanted).await;
        if format == Raw {
            overwrite(&path, b"precious");
        }
        // Of more than one L1 entry, so that the tables of a qcow2 disk grow too.
        for size in [Bytes::mib(8), Bytes::gib(64), Bytes::gib(64)] {
            assert_eq!(pool.grow_volume(wanted.uid, format, size).await, Ok(size));
        }
        assert_eq!(pool.grow_volume(wanted.uid, format, Bytes::mib(1)).await, Ok(Bytes::gib(64)));
        if format == Raw {
            let mut head = [0; 8];
            let mut file = fs::File::open(&path).expect("a readable file");
            std::io::Read::read_exact(&mut file, &mut head).expect("its beginning");
            assert_eq!(&head, b"precious");
        }
        let refused = pool.grow_volume(wanted.uid, format, Bytes(1 << 60)).await;
        let error = refused.expect_err("an impossible size");
        assert_eq!((error.code, error.field.as_deref()), (Code::Invalid, Some("spec.size")));
    }
}

pub async fn a_volume_outlives_the_daemon(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    let wanted = empty(Qcow2);
    let path = ensure(&*pool, &wanted).await;
    drop(pool);
    let pool = fixture.open().await;
    assert_eq!(pool.volume(wanted.uid, Qcow2).await, Ok(path));
}

pub async fn a_lost_volume_is_told_and_not_made_anew(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    let error = pool.volume(Uuid::now_v7(), Qcow2).await.expect_err("it never was");
    assert_eq!(error.code, Code::Unavailable);
    let wanted = empty(Raw);
    ensure(&*pool, &wanted).await;
    assert!(pool.volume(wanted.uid, Qcow2).await.is_err(), "it has another format");
}

pub async fn deleting_twice_equals_deleting_once(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    let (kept, gone) = (empty(Qcow2), empty(Qcow2));
    ensure(&*pool, &kept).await;
    ensure(&*pool, &gone).await;
    let (kept_image, gone_image) = (image(&*pool).await.0, image(&*pool).await.0);
    for _ in 0..2 {
        assert_eq!(pool.delete_volume(gone.uid).await, Ok(()));
        assert_eq!(pool.delete_image(gone_image).await, Ok(()));
    }
    assert!(pool.volume(gone.uid, Qcow2).await.is_err());
    assert_eq!(pool.image(gone_image).await, Ok(None));
    assert!(pool.volume(kept.uid, Qcow2).await.is_ok());
    assert!(pool.image(kept_image).await.is_ok_and(|found| found.is_some()));
    // the name is free again
    ensure(&*pool, &gone).await;
}

pub async fn impossible_sizes_are_refused_and_leave_nothing(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    let (_, base) = image(&*pool).await;
    let cases = [
        (Qcow2, Bytes(0), None),
        (Raw, Bytes(0), None),
        (Qcow2, Bytes(512), Some(base.clone())),
        (Raw, Bytes(512), Some(base)),
        (Qcow2, Bytes(u64::MAX), None),
        (Raw, Bytes(1 << 60), None),
    ];
    for (format, size, base) in cases {
        let wanted = VolumeWanted { uid: Uuid::now_v7(), format, size, base };
        let error = pool.ensure_volume(&wanted).await.expect_err("an impossible size");
        assert_eq!((error.code, error.field.as_deref()), (Code::Invalid, Some("spec.size")));
        assert!(pool.volume(wanted.uid, format).await.is_err());
    }
}

pub async fn an_image_appears_whole_and_read_only(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    let id = Uuid::now_v7();
    let work = stage(&*pool, id, b"half");
    assert_eq!(pool.image(id).await, Ok(None));
    assert_eq!(pool.publish_image(id, &work).await, Ok(()));
    assert!(!pool.staging(id).exists());
    drop(pool);
    let pool = fixture.open().await;
    let dir = pool.image(id).await.expect("a readable pool").expect("the image");
    let disk = dir.join("disk");
    assert!(read(&disk).starts_with(b"half"));
    let mode = fs::metadata(&disk).expect("a file").permissions();
    assert!(mode.readonly(), "{mode:?}");
}

pub async fn publishing_twice_keeps_the_first(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    let id = Uuid::now_v7();
    for content in [b"first", b"other"] {
        let work = stage(&*pool, id, content);
        assert_eq!(pool.publish_image(id, &work).await, Ok(()));
        let dir = pool.image(id).await.expect("a readable pool").expect("the image");
        assert!(read(&dir.join("disk")).starts_with(b"first"));
    }
}

pub async fn a_volume_has_its_images_size_unless_told(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    let (_, base) = image(&*pool).await;
    for (size, expected) in [(Bytes(0), IMAGE_SIZE), (Bytes(IMAGE_SIZE.0 + 1), Bytes(5 << 9))] {
        let wanted =
            VolumeWanted { uid: Uuid::now_v7(), format: Raw, size, base: Some(base.clone()) };
        let content = read(&ensure(&*pool, &wanted).await);
        assert_eq!(content.len() as u64, expected.0);
        assert!(content.starts_with(b"image"));
    }
}

pub async fn a_raw_volume_needs_its_image_no_more(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    let (id, base) = image(&*pool).await;
    let wanted =
        VolumeWanted { uid: Uuid::now_v7(), format: Raw, size: Bytes(0), base: Some(base) };
    let path = ensure(&*pool, &wanted).await;
    assert_eq!(pool.delete_image(id).await, Ok(()));
    assert!(read(&path).starts_with(b"image"));
}

pub async fn an_export_stands_alone(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    let (_, base) = image(&*pool).await;
    for format in [Qcow2, Raw] {
        let wanted =
            VolumeWanted { uid: Uuid::now_v7(), format, size: Bytes(0), base: Some(base.clone()) };
        let volume = wanted.uid;
        let backing = (format == Qcow2).then(|| base.clone());
        let export = ExportWanted { volume, format, backing, snapshot: None, into: Raw };
        assert!(pool.export_volume(&export).await.is_err(), "there is no such volume yet");
        let path = ensure(&*pool, &wanted).await;
        let mut exported = pool.export_volume(&export).await.expect("an export");
        assert_eq!(pool.delete_volume(volume).await, Ok(()));
        let mut content = Vec::new();
        exported.file.read_to_end(&mut content).expect("a readable file");
        assert_eq!(content.len() as u64, exported.size.0);
        assert_eq!(exported.size, IMAGE_SIZE);
        assert!(content.starts_with(b"image"), "{}", path.display());
    }
}

pub async fn usage_is_told(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    let usage = pool.usage().await.expect("a readable pool");
    assert!(usage.total > Bytes(0) && usage.free <= usage.total, "{usage:?}");
    let wanted = empty(Raw);
    let path = ensure(&*pool, &wanted).await;
    let before = pool.volume_usage(wanted.uid).await.expect("a volume");
    overwrite(&path, &vec![7; 64 << 10]);
    let after = pool.volume_usage(wanted.uid).await.expect("a volume");
    assert!(before.0 + (60 << 10) <= after.0, "{before} {after}");
    assert_eq!(pool.volume_usage(Uuid::now_v7()).await, Ok(Bytes(0)));
}

const IMAGE_SIZE: Bytes = Bytes(4 * 512);

fn empty(format: DiskFormat) -> VolumeWanted {
    VolumeWanted { uid: Uuid::now_v7(), format, size: Bytes::mib(1), base: None }
}

/// A published raw image of [`IMAGE_SIZE`].
async fn image(pool: &dyn Pool) -> (Uuid, Base) {
    let id = Uuid::now_v7();
    let mut content = b"image".to_vec();
    content.resize(4 * 512, 0);
    let work = stage(pool, id, &content);
    pool.publish_image(id, &work).await.expect("publishing");
    let dir = pool.image(id).await.expect("a readable pool").expect("the image");
    (id, Base { path: dir.join("disk"), format: Raw })
}

fn stage(pool: &dyn Pool, id: Uuid, content: &[u8]) -> PathBuf {
    let work = pool.staging(id).join("work");
    fs::create_dir_all(&work).expect("a staging folder");
    fs::write(work.join("disk"), content).expect("a staged file");
    work
}

async fn ensure(pool: &dyn Pool, wanted: &VolumeWanted) -> PathBuf {
    pool.ensure_volume(wanted).await.expect("a volume")
}

fn read(path: &PathBuf) -> Vec<u8> {
    fs::read(path).expect("a readable file")
}

/// The beginning of a file, which keeps its length.
fn overwrite(path: &PathBuf, content: &[u8]) {
    use std::os::unix::fs::FileExt;
    let file = fs::OpenOptions::new().write(true).open(path).expect("a writable file");
    file.write_all_at(content, 0).expect("room on the disk");
}
