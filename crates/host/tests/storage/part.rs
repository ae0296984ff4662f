//! Uploads in parts: cut at any byte they go on, and nothing of them stays that nobody wants.

use std::fs::{self, File, FileTimes};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes as Chunk;
use futures::StreamExt;
use novacron_host::image::{Importer, KEPT, Limits, Part};
use novacron_host::storage::{DirPool, Pool, QemuImg};
use novacron_model::image::Uploaded;
use novacron_model::units::Bytes;
use novacron_model::{Code, Error, Result};
use uuid::Uuid;

use crate::image::{assert_untouched, content, importer, quiet, sha256};
use crate::tool::{Place, names, noise, place};

/// Bytes from `offset` to `end`, and then a broken connection.
fn part(whole: &[u8], offset: usize, end: usize, broken: bool) -> Part {
    let chunks = whole[offset..end].chunks(50_000).map(|part| Ok(part.to_vec().into()));
    let cut = broken.then(|| Err(Error::unavailable("the client has gone")));
    let chunks: Vec<Result<Chunk>> = chunks.chain(cut).collect();
    Part {
        offset: offset as u64,
        total: whole.len() as u64,
        content: futures::stream::iter(chunks).boxed(),
    }
}

fn whole() -> Vec<u8> {
    let mut disk = noise(1 << 20);
    // holes at odd places, and one at the end
    disk[100_000..400_000].fill(0);
    disk[900_000..].fill(0);
    disk
}

fn here(offset: usize) -> Uploaded {
    Uploaded { offset: Bytes(offset as u64), complete: false }
}

/// The daemon has been killed and started again.
async fn restarted(place: Place) -> Place {
    let Place { pool, path, dir } = place;
    drop(pool);
    let pool = Arc::new(DirPool::open(&path, QemuImg::default()).await.unwrap());
    Place { pool, path, dir }
}

#[tokio::test]
async fn an_upload_goes_on_wherever_it_was_cut() {
    let mut place = place().await;
    let (whole, image) = (whole(), Uuid::now_v7());
    let sum = sha256(&whole);
    let cuts = [0, 1, 65_535, 65_536, 250_000, 400_001, 950_000, whole.len() - 1];
    let mut import = importer(&place);
    for (n, pair) in cuts.windows(2).enumerate() {
        let part = part(&whole, pair[0], pair[1], n % 2 == 0);
        let received = import.receive_part(image, part, Some(&sum), &quiet).await;
        match received {
            Ok(uploaded) => assert_eq!(uploaded, here(pair[1])),
            Err(error) => assert_eq!(error.code, Code::Unavailable, "{error}"),
        }
        if n % 3 == 0 {
            place = restarted(place).await;
            import = importer(&place);
        }
        assert_eq!(import.uploaded(image).unwrap(), here(pair[1]), "cut {n}");
        assert_eq!(import.finish(image, &quiet).await.unwrap_err().code, Code::Conflict);
    }
    let last = part(&whole, cuts[7], whole.len(), false);
    let done = import.receive_part(image, last, Some(&sum), &quiet).await.unwrap();
    assert!(done.complete && import.uploaded(image).unwrap().complete);
    // once more, by a client that has not heard of it
    let again = part(&whole, whole.len(), whole.len(), false);
    assert!(import.receive_part(image, again, Some(&sum), &quiet).await.unwrap().complete);
    let files = import.finish(image, &quiet).await.unwrap();
    assert!(content(&place, &files) == whole);
    assert!(names(&place.path.join("incoming")).is_empty());
}

#[tokio::test]
async fn a_dropped_part_stays_and_the_next_waits_for_it() {
    let place = place().await;
    let (whole, image, import) = (whole(), Uuid::now_v7(), importer(&place));
    let mut first = part(&whole, 0, 500_000, false);
    first.content = first.content.chain(futures::stream::pending()).boxed();
    let all_came = tokio::sync::Notify::new();
    let progress = |live: novacron_model::task::Live| {
        if live.done == 500_000 {
            all_came.notify_one();
        }
    };
    tokio::select! {
        result = import.receive_part(image, first, None, &progress) => panic!("{result:?}"),
        () = all_came.notified() => (),
    }
    let rest = part(&whole, 500_000, whole.len(), false);
    assert!(import.receive_part(image, rest, None, &quiet).await.unwrap().complete);
    let files = import.finish(image, &quiet).await.unwrap();
    assert!(content(&place, &files) == whole);
}

#[tokio::test]
async fn a_part_that_does_not_fit_is_refused() {
    let place = place().await;
    let (whole, image, import) = (whole(), Uuid::now_v7(), importer(&place));
    let receive = async |part: Part| import.receive_part(image, part, None, &quiet).await;
    let early = receive(part(&whole, 5, 10, false)).await.unwrap_err();
    assert_eq!((early.code, early.field.as_deref()), (Code::Conflict, Some("Upload-Offset")));
    assert_untouched(&place);
    receive(part(&whole, 0, 1000, false)).await.unwrap();
    for offset in [999, 1001] {
        let wrong = Part { offset, ..part(&whole, 1000, 2000, false) };
        let error = receive(wrong).await.unwrap_err();
        assert!(error.message.contains("1000 bytes of the image have arrived"), "{error}");
        assert!(error.hint.is_some());
    }
    let longer = Part { total: 1 << 21, ..part(&whole, 1000, 2000, false) };
    assert_eq!(receive(longer).await.unwrap_err().field.as_deref(), Some("Upload-Length"));
    let behind = Part { offset: 1 << 30, ..part(&whole, 1000, 2000, false) };
    assert_eq!(receive(behind).await.unwrap_err().field.as_deref(), Some("Upload-Offset"));
    assert_eq!(import.uploaded(image).unwrap(), here(1000));
    // from the beginning it may begin anew, with another file
    let other = vec![9; 4096];
    assert!(receive(part(&other, 0, 4096, false)).await.unwrap().complete);
    let files = import.finish(image, &quiet).await.unwrap();
    assert!(content(&place, &files) == other);
}

#[tokio::test]
async fn what_cannot_become_the_image_leaves_nothing() {
    let place = place().await;
    let (whole, image, import) = (whole(), Uuid::now_v7(), importer(&place));
    let wrong = "0".repeat(64);
    import
        .receive_part(image, part(&whole, 0, 1000, true), Some(&wrong), &quiet)
        .await
        .unwrap_err();
    let rest = part(&whole, 1000, whole.len(), false);
    let error = import.receive_part(image, rest, Some(&wrong), &quiet).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("spec.sha256"));
    assert_untouched(&place);
    assert_eq!(import.uploaded(image).unwrap(), here(0));

    let more = Part { total: 999, ..part(&whole, 0, 1000, false) };
    let error = import.receive_part(image, more, None, &quiet).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("Upload-Length"));
    assert_untouched(&place);
    let error = import.receive_part(image, part(&[], 0, 0, false), None, &quiet).await.unwrap_err();
    assert!(error.message.contains("empty"), "{error}");
    assert_untouched(&place);
    let limits = Limits { size: Bytes(1000), ..Limits::default() };
    let small = Importer::new(place.pool.clone(), QemuImg::default(), limits);
    let error = small.receive_part(image, part(&whole, 0, 9, false), None, &quiet).await;
    assert_eq!(error.unwrap_err().code, Code::TooLarge);
    assert_untouched(&place);

    import.receive_part(image, part(&whole, 0, 1000, true), None, &quiet).await.unwrap_err();
    place.pool.delete_image(image).await.unwrap();
    assert_untouched(&place);
    let rest = part(&whole, 1000, whole.len(), false);
    assert_eq!(
        import.receive_part(image, rest, None, &quiet).await.unwrap_err().code,
        Code::Conflict
    );
    assert_untouched(&place);
}

#[tokio::test]
async fn an_abandoned_upload_goes_after_a_day() {
    let place = place().await;
    let (whole, image, import) = (whole(), Uuid::now_v7(), importer(&place));
    let begin = async || {
        let first = part(&whole, 0, 1000, true);
        import.receive_part(image, first, None, &quiet).await.unwrap_err();
    };
    let staging = place.pool.staging(image);
    let age = || {
        let then = SystemTime::now() - KEPT - std::time::Duration::from_mins(1);
        for name in names(&staging) {
            let file = File::options().write(true).open(staging.join(name)).unwrap();
            file.set_times(FileTimes::new().set_modified(then)).unwrap();
        }
    };
    begin().await;
    import.drop_stale(image).unwrap();
    assert_eq!(import.uploaded(image).unwrap(), here(1000));
    age();
    import.drop_stale(image).unwrap();
    assert_untouched(&place);
    import.drop_stale(image).unwrap();

    begin().await;
    age();
    drop(import);
    let place = restarted(place).await;
    assert_untouched(&place);
}

#[tokio::test]
async fn after_the_machine_went_down_only_what_was_synced_counts() {
    let place = place().await;
    let (whole, image) = (whole(), Uuid::now_v7());
    let first = part(&whole, 0, 300_000, false);
    importer(&place).receive_part(image, first, None, &quiet).await.unwrap();
    // what came later is in the file's length, and perhaps nowhere else
    let staging = place.pool.staging(image);
    let file = File::options().append(true).open(staging.join("source.part")).unwrap();
    file.set_len(500_000).unwrap();
    assert_eq!(importer(&place).uploaded(image).unwrap(), here(500_000));
    let state = fs::read_to_string(staging.join("upload.json")).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(state.contains(boot.trim()), "{state}");
    fs::write(staging.join("upload.json"), state.replace(boot.trim(), "another")).unwrap();
    let place = restarted(place).await;
    assert_eq!(importer(&place).uploaded(image).unwrap(), here(300_000));
    let rest = part(&whole, 300_000, whole.len(), false);
    assert!(importer(&place).receive_part(image, rest, None, &quiet).await.unwrap().complete);
    let files = importer(&place).finish(image, &quiet).await.unwrap();
    assert!(content(&place, &files) == whole);
}

#[tokio::test]
async fn who_asks_again_after_the_end_hears_that_all_is_there() {
    let place = place().await;
    let (whole, image) = (whole(), Uuid::now_v7());
    let import = importer(&place);
    let all = || part(&whole, 0, whole.len(), false);
    import.receive_part(image, all(), None, &quiet).await.unwrap();
    let complete = Uploaded { offset: Bytes(whole.len() as u64), complete: true };
    // Its answer was lost, and the image is made meanwhile, or has been.
    let (made, again) =
        tokio::join!(import.finish(image, &quiet), import.receive_part(image, all(), None, &quiet));
    assert_eq!((again.unwrap(), made.unwrap().size), (complete, complete.offset));
    assert_eq!(import.receive_part(image, all(), None, &quiet).await.unwrap(), complete);
    let staging = place.pool.staging(image);
    assert!(!staging.exists(), "nothing is begun anew for an image that is there");
}
