//! One piece of work on an image at a time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use novacron_model::{Error, Result};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// How long an upload waits until a broken one before it has written what it had.
const SOON: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub struct Busies {
    images: Mutex<BTreeSet<Uuid>>,
    freed: Notify,
}

/// The right to work on an image, until it is dropped.
#[derive(Debug)]
pub struct Busy {
    image: Uuid,
    all: Arc<Busies>,
}

impl Busies {
    pub fn occupy(self: &Arc<Self>, image: Uuid) -> Result<Busy> {
        if !self.images.lock().unwrap_or_else(PoisonError::into_inner).insert(image) {
            return Err(Error::conflict("the image is being imported already"));
        }
        Ok(Busy { image, all: Arc::clone(self) })
    }

    /// Waits a while for whoever works on it.
    pub async fn occupy_soon(self: &Arc<Self>, image: Uuid) -> Result<Busy> {
        let deadline = Instant::now() + SOON;
        loop {
            // Before the look, so that no end is missed.
            let freed = self.freed.notified();
            if let Ok(busy) = self.occupy(image) {
                return Ok(busy);
            }
            timeout_at(deadline, freed).await.map_err(|_| {
                Error::unavailable("the image's former bytes are still being written")
                    .hint("ask in a moment how much has arrived")
            })?;
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.all.images.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.image);
        self.all.freed.notify_waiters();
    }
}
