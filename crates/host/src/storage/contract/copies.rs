//! What copies of volumes must be, whatever keeps them.

use novacron_model::Code;
use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat::{Qcow2, Raw};
use std::path::PathBuf;
use uuid::Uuid;

use super::super::{Original, Pool, VolumeWanted};
use super::{Fixture, empty, ensure, overwrite, read};

pub async fn a_copy_is_independent_of_its_original(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    for format in [Qcow2, Raw] {
        let (original, copy) = (empty(format), empty(format));
        let from = ensure(&*pool, &original).await;
        if format == Raw {
            overwrite(&from, b"precious");
        }
        let before = read(&from);
        let to = copied(&*pool, &copy, original.uid).await;
        assert!(read(&from) == before, "the original has changed");
        if format == Raw {
            assert!(read(&to) == before);
            overwrite(&to, b"mine");
            assert!(read(&from) == before, "they share what is written");
        }
        assert_eq!(pool.delete_volume(original.uid).await, Ok(()));
        assert_eq!(pool.volume(copy.uid, format).await, Ok(to));
    }
}

pub async fn a_volume_copied_twice_is_copied_once(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    let (original, copy) = (empty(Raw), empty(Raw));
    let from = ensure(&*pool, &original).await;
    let to = copied(&*pool, &copy, original.uid).await;
    overwrite(&to, b"mine");
    overwrite(&from, b"later");
    drop(pool);
    let pool = fixture.open().await;
    assert_eq!(copied(&*pool, &copy, original.uid).await, to);
    assert!(read(&to).starts_with(b"mine"));
}

pub async fn a_copy_may_be_larger_and_is_never_smaller(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    for format in [Qcow2, Raw] {
        let original = VolumeWanted { size: Bytes::mib(8), ..empty(format) };
        ensure(&*pool, &original).await;
        for (asked, has) in [(1, 8), (8, 8), (20, 20)] {
            let copy = VolumeWanted { size: Bytes::mib(asked), ..empty(format) };
            copied(&*pool, &copy, original.uid).await;
            let size = pool.grow_volume(copy.uid, format, Bytes(0)).await;
            assert_eq!(size, Ok(Bytes::mib(has)), "{asked} MiB of {format:?}");
        }
    }
}

pub async fn a_copy_of_what_is_lost_is_refused_and_leaves_nothing(fixture: &dyn Fixture) {
    let pool = fixture.open().await;
    for format in [Qcow2, Raw] {
        let copy = empty(format);
        let original = Original { uid: Uuid::now_v7(), snapshot: None };
        let refused = pool.ensure_copy(&copy, &original, &mut |_| ()).await;
        assert_eq!(refused.expect_err("it never was").code, Code::Unavailable);
        assert!(pool.volume(copy.uid, format).await.is_err());
        assert_eq!(pool.volume_usage(copy.uid).await, Ok(Bytes(0)));
    }
}

async fn copied(pool: &dyn Pool, copy: &VolumeWanted, of: Uuid) -> PathBuf {
    let original = Original { uid: of, snapshot: None };
    pool.ensure_copy(copy, &original, &mut |_| ()).await.expect("a copy")
}
