//! The actor of an image: brings it in, from a URL or from a client that sends it, and removes it.
//!
//! An import is whole or not at all. One from a URL that the daemon's end cut short begins again.
//! How a client's bytes get here is [`crate::upload`]'s. The checksum of what a client handed over as an
//! open file may follow after the image is ready, unless it was to be verified.

use std::sync::Arc;
use std::time::Duration;

use novacron_model::event::Level;
use novacron_model::image::{ImageContent, ImageKind, ImageSource};
use novacron_model::task::Live;
use novacron_model::{Bytes, Error, Image, Object, Result};
use novacron_store::{Key, Snapshot, object};
use tokio::time::sleep;
use uuid::Uuid;

use crate::actors::Seat;
use crate::node::Node;
use crate::pool::{ImageOrder, Pool, Progress, Source};
use crate::report;

const SECTION: &str = "content";
const RETRY_MAX: Duration = Duration::from_secs(30);

pub(crate) async fn run(node: Arc<Node>, mut seat: Seat) {
    let mut pause = Duration::from_secs(1);
    while !node.ending.is_cancelled() {
        seat.look();
        match look(&node, &seat).await {
            Ok(()) if seat.leave() => return,
            Ok(()) => pause = Duration::from_secs(1),
            Err(error) => {
                tracing::warn!(family = %seat.family(), %error, "image not done; trying again");
                tokio::select! {
                    () = node.ending.cancelled() => return,
                    () = sleep(pause) => {}
                    () = seat.woken() => {}
                }
                pause = (pause * 2).min(RETRY_MAX);
            }
        }
    }
}

/// One look; an error means that another is worth it.
async fn look(node: &Arc<Node>, seat: &Seat) -> Result<()> {
    let at = node.store.snapshot();
    let Some(image) = object::by_key::<Image>(&at, seat.family().as_str())? else { return Ok(()) };
    if image.status.location.as_ref().is_none_or(|location| location.node != node.config.node) {
        return Ok(());
    }
    if image.meta.deleting.is_some() {
        return delete(node, seat, &at, &image).await;
    }
    let content = image.status.content.as_ref();
    if let Some(content) = content.filter(|content| content.ready.is_some()) {
        if content.sha256.is_empty() {
            add_sum(node, seat, &at, &image, content).await?;
        }
        return Ok(());
    }
    if node.uploads.is_coming(image.meta.uid) {
        // Still coming in; its end wakes us.
        return Ok(());
    }
    let pool = node.pool(&at, image.spec.pool.as_str()).await?;
    let arrived = pool.arrived(image.meta.uid).await?;
    match &image.spec.source {
        _ if arrived => import(node, seat, pool.as_ref(), &image, None).await,
        ImageSource::Url(url) if content.is_none() => {
            let source = Source::Url(url.clone());
            import(node, seat, pool.as_ref(), &image, Some(source)).await
        }
        ImageSource::Catalogue(name) if content.is_none() => {
            let source = Source::Catalogue(name.clone());
            import(node, seat, pool.as_ref(), &image, Some(source)).await
        }
        ImageSource::Upload {} => pool.drop_stale(image.meta.uid).await,
        ImageSource::Url(_) | ImageSource::Catalogue(_) => Ok(()),
    }
}

async fn delete(node: &Node, seat: &Seat, at: &Snapshot, image: &Object<Image>) -> Result<()> {
    if report::is_cleaned(at, seat.family()) {
        return Ok(());
    }
    node.uploads.cancel(image.meta.uid);
    let pool = node.pool(at, image.spec.pool.as_str()).await?;
    pool.delete_image(image.meta.uid).await?;
    let txn = report::cleaned(node, at, seat.family(), image.meta.uid, SECTION)?;
    commit(node, seat.family(), txn).await?;
    node.board.clear(image.meta.uid);
    Ok(())
}

/// Imports and reports; without a source, what has arrived already.
async fn import(
    node: &Arc<Node>,
    seat: &Seat,
    pool: &dyn Pool,
    image: &Object<Image>,
    source: Option<Source>,
) -> Result<()> {
    let uid = image.meta.uid;
    let imported = tokio::select! {
        imported = bring_in(node, pool, image, source) => Some(imported),
        () = deleted(node, seat, uid) => None,
        () = node.ending.cancelled() => None,
    };
    node.board.pause(uid);
    let Some(imported) = imported else { return Ok(()) };
    let content = imported.unwrap_or_else(|error| failed(&error));
    let at = node.store.snapshot();
    let mut txn = report::section(&at, seat.family(), SECTION, &content)?;
    let name = image.name();
    let (level, kind, text) = match &content.error {
        None => (Level::Info, "image.imported", format!("image \"{name}\" is ready")),
        Some(error) => {
            (Level::Error, "image.failed", format!("image \"{name}\" was not imported: {error}"))
        }
    };
    report::add_event(&mut txn, node, image, level, kind, text)?;
    report::add_log(&mut txn, node, &at, seat.family(), uid)?;
    commit(node, seat.family(), txn).await?;
    node.board.clear(uid);
    node.uploads.tell_made(uid);
    Ok(())
}

/// Works out the checksum of an image that is ready without one.
async fn add_sum(
    node: &Arc<Node>,
    seat: &Seat,
    at: &Snapshot,
    image: &Object<Image>,
    content: &ImageContent,
) -> Result<()> {
    let uid = image.meta.uid;
    let pool = node.pool(at, image.spec.pool.as_str()).await?;
    let sha256 = tokio::select! {
        sha256 = pool.sum(uid) => sha256?,
        () = deleted(node, seat, uid) => return Ok(()),
        () = node.ending.cancelled() => return Ok(()),
    };
    let content = ImageContent { sha256, ..content.clone() };
    let txn = report::section(&node.store.snapshot(), seat.family(), SECTION, &content)?;
    commit(node, seat.family(), txn).await
}

async fn bring_in(
    node: &Arc<Node>,
    pool: &dyn Pool,
    image: &Object<Image>,
    source: Option<Source>,
) -> Result<ImageContent> {
    let uid = image.meta.uid;
    if let Some(source) = source {
        pool.receive(&order(image), source, progress(node, uid)).await?;
    }
    let content = pool.finish(uid, progress(node, uid)).await?;
    Ok(ImageContent { ready: Some(node.now()), ..content })
}

pub(crate) fn order(image: &Object<Image>) -> ImageOrder {
    ImageOrder { uid: image.meta.uid, sha256: image.spec.sha256.clone() }
}

pub(crate) fn progress(node: &Node, uid: Uuid) -> Progress {
    let board = node.board.clone();
    Arc::new(move |live: Live| board.set(uid, live))
}

/// Returns once the image is to go.
async fn deleted(node: &Node, seat: &Seat, uid: Uuid) {
    while !is_deleted(node, seat.family(), uid) {
        seat.woken().await;
    }
}

pub(crate) fn is_deleted(node: &Node, family: &Key, uid: Uuid) -> bool {
    let image = object::by_key::<Image>(&node.store.snapshot(), family.as_str());
    let image = image.ok().flatten();
    image.is_none_or(|image| image.meta.deleting.is_some() || image.meta.uid != uid)
}

fn failed(error: &Error) -> ImageContent {
    ImageContent {
        kind: ImageKind::Disk,
        format: None,
        ready: None,
        sha256: String::new(),
        size: Bytes(0),
        virtual_size: Bytes(0),
        stored: None,
        machine: None,
        error: Some(error.clone()),
    }
}

async fn commit(node: &Node, family: &Key, txn: novacron_store::Txn) -> Result<()> {
    node.commit(txn).await.map_err(|error| {
        report::warn(family, &error);
        Error::unavailable(error.to_string())
    })
}
