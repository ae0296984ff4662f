//! Uploads: the content of an image on its way from a client into a pool.
//!
//! Handed over as an open file, on this machine, it is read here. Sent whole it is taken or not. Sent in parts, what has come stays for a client that comes back;
//! it takes the place of its own former connection, which may be dead and not know it.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use novacron_model::image::{ImageSource, Uploaded};
use novacron_model::{Error, Image, Kind, Object, Result};
use novacron_store::{Key, Snapshot, object};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::image::{is_deleted, order, progress};
use crate::node::{Node, family_of};
use crate::pool::{ByteStream, Part, Source};
use crate::selection;

/// How long a connection may take to notice that another took its place.
const PLACE_WITHIN: Duration = Duration::from_secs(10);

/// Uploads that are coming in.
#[derive(Default)]
pub(crate) struct Uploads {
    coming: Mutex<HashMap<Uuid, Entry>>,
    ended: Notify,
}

#[derive(Default, Clone)]
struct Entry {
    cancel: CancellationToken,
    /// The image's actor may go on, while somebody waits for what becomes of it.
    arrived: bool,
    made: Arc<Notify>,
}

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Entry>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_coming(&self, image: Uuid) -> bool {
        self.lock().get(&image).is_some_and(|entry| !entry.arrived)
    }

    pub fn cancel(&self, image: Uuid) {
        if let Some(entry) = self.lock().get(&image) {
            entry.cancel.cancel();
        }
    }

    /// The import has ended, well or not.
    pub fn tell_made(&self, image: Uuid) {
        if let Some(entry) = self.lock().get(&image) {
            entry.made.notify_one();
        }
    }
}

/// Takes the content of an image; returns once all bytes are here and durable. The import goes on.
pub(crate) async fn whole(
    node: &Arc<Node>,
    image: &Object<Image>,
    length: Option<u64>,
    content: ByteStream,
) -> Result<()> {
    let coming = Coming::begin(node, image)?;
    let at = node.store.snapshot();
    let family = family_of(&at, image)?;
    check(&at, &family, image)?;
    let pool = node.pool(&at, image.spec.pool.as_str()).await?;
    let (order, source) = (order(image), Source::Upload { length, content });
    let receiving = pool.receive(&order, source, progress(node, image.meta.uid));
    coming.unless_ended(&family, image, receiving).await?;
    drop(coming);
    selection::wake(node, &family);
    Ok(())
}

/// Takes what a client on this machine has opened. Returns once the import has ended, well or not: not
/// before that its bytes are durable.
pub(crate) async fn file(node: &Arc<Node>, image: &Object<Image>, file: File) -> Result<()> {
    let at = node.store.snapshot();
    let family = family_of(&at, image)?;
    if finished(&at, &family, image)?.is_some() {
        // Handed over again by a client that has not heard of its end.
        return Ok(());
    }
    let mut coming = Coming::take_over(node, image).await?;
    let at = node.store.snapshot();
    check(&at, &family, image)?;
    let pool = node.pool(&at, image.spec.pool.as_str()).await?;
    // It may have come before the daemon died, and be worked on already.
    if !pool.arrived(image.meta.uid).await? {
        let (order, source) = (order(image), Source::File(file));
        let receiving = pool.receive(&order, source, progress(node, image.meta.uid));
        coming.unless_ended(&family, image, receiving).await?;
    }
    let made = coming.arrive();
    selection::wake(node, &family);
    let made = made.notified().map(Ok);
    coming.unless_ended(&family, image, made).await
}

/// Takes a part of the content. The import goes on once all is here.
pub(crate) async fn part(node: &Arc<Node>, image: &Object<Image>, part: Part) -> Result<Uploaded> {
    let at = node.store.snapshot();
    let family = family_of(&at, image)?;
    if let Some(done) = finished(&at, &family, image)?
        && (part.offset, part.total) == (done.offset.0, done.offset.0)
    {
        // Sent again by a client that has not heard of its end.
        return Ok(done);
    }
    let coming = Coming::take_over(node, image).await?;
    let at = node.store.snapshot();
    check(&at, &family, image)?;
    let pool = node.pool(&at, image.spec.pool.as_str()).await?;
    let order = order(image);
    let receiving = pool.receive_part(&order, part, progress(node, image.meta.uid));
    let uploaded = coming.unless_ended(&family, image, receiving).await?;
    drop(coming);
    if uploaded.complete {
        selection::wake(node, &family);
    }
    Ok(uploaded)
}

pub(crate) async fn uploaded(node: &Arc<Node>, image: &Object<Image>) -> Result<Uploaded> {
    let at = node.store.snapshot();
    let family = family_of(&at, image)?;
    if let Some(done) = finished(&at, &family, image)? {
        return Ok(done);
    }
    check(&at, &family, image)?;
    let pool = node.pool(&at, image.spec.pool.as_str()).await?;
    pool.uploaded(image.meta.uid).await
}

/// One upload of an image at a time; over when this is dropped.
struct Coming {
    node: Arc<Node>,
    uid: Uuid,
    cancel: CancellationToken,
}

impl Coming {
    fn begin(node: &Arc<Node>, image: &Object<Image>) -> Result<Self> {
        let uid = image.meta.uid;
        match node.uploads.lock().entry(uid) {
            Place::Occupied(_) => {
                let name = image.name();
                Err(Error::conflict(format!("image \"{name}\" is being sent already")))
            }
            Place::Vacant(place) => {
                let cancel = place.insert(Entry::default()).cancel.clone();
                Ok(Self { node: node.clone(), uid, cancel })
            }
        }
    }

    /// Ends whoever sends it now.
    async fn take_over(node: &Arc<Node>, image: &Object<Image>) -> Result<Self> {
        loop {
            // Before the look, so that no end is missed.
            let ended = node.uploads.ended.notified();
            match Self::begin(node, image) {
                Ok(coming) => return Ok(coming),
                Err(error) => {
                    node.uploads.cancel(image.meta.uid);
                    timeout(PLACE_WITHIN, ended).await.map_err(|_| error)?;
                }
            }
        }
    }

    /// Lets the image's actor go on; what is returned hears of the import's end.
    fn arrive(&mut self) -> Arc<Notify> {
        let mut uploads = self.node.uploads.lock();
        let entry = uploads.entry(self.uid).or_default();
        entry.arrived = true;
        entry.made.clone()
    }

    async fn unless_ended<T>(
        &self,
        family: &Key,
        image: &Object<Image>,
        receiving: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let name = image.name();
        tokio::select! {
            received = receiving => received,
            () = self.cancel.cancelled() => {
                let gone = is_deleted(&self.node, family, self.uid);
                let what = if gone { "was deleted" } else { "is sent over another connection" };
                Err(Error::conflict(format!("image \"{name}\" {what}")))
            }
            () = self.node.ending.cancelled() => {
                Err(Error::unavailable("the server is ending").hint("send it again"))
            }
        }
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.node.uploads.lock().remove(&self.uid);
        self.node.board.pause(self.uid);
        self.node.uploads.ended.notify_waiters();
    }
}

/// Of an image that is ready: all its bytes are here.
fn finished(at: &Snapshot, family: &Key, image: &Object<Image>) -> Result<Option<Uploaded>> {
    let now = object::by_key::<Image>(at, family.as_str())?;
    let now = now.filter(|now| now.meta.uid == image.meta.uid && now.meta.deleting.is_none());
    let content = now.and_then(|now| now.status.content);
    let ready = content.filter(|content| content.ready.is_some());
    Ok(ready.map(|content| Uploaded { offset: content.size, complete: true }))
}

/// Whether the image, as it is now, takes content.
fn check(at: &Snapshot, family: &Key, image: &Object<Image>) -> Result<()> {
    let name = image.name();
    let now = object::by_key::<Image>(at, family.as_str())?;
    let now = now.filter(|now| now.meta.uid == image.meta.uid && now.meta.deleting.is_none());
    let now = now.ok_or_else(|| Error::not_found(Image::KIND, name))?;
    if now.spec.source != (ImageSource::Upload {}) {
        return Err(Error::conflict(format!("image \"{name}\" is fetched by its node")));
    }
    if now.status.content.as_ref().is_some_and(|content| content.ready.is_some()) {
        return Err(Error::conflict(format!("image \"{name}\" has its content already"))
            .hint("an image never changes; create another one"));
    }
    Ok(())
}
