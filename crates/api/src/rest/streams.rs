//! Bodies that stream: what clients send, and what is sent to them.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::channel::mpsc;
use futures::{SinkExt, StreamExt, TryStreamExt};
use novacron_model::{Code, Error};
use tokio::time::{Instant, timeout};

use super::call::Call;
use crate::auth::watchdog;
use crate::gateway::ByteStream;

/// How long a client may pause in the middle of a file.
const IDLE_MAX: Duration = Duration::from_mins(1);

/// What a reader who holds a place takes in each minute that is spent waiting for it. Far below the
/// slowest line over which anybody fetches a disk, and enough that a place is free again some day.
const READ_LEAST: u64 = 1 << 20;
const READ_WITHIN: Duration = Duration::from_mins(1);

/// What a client sends, chunk by chunk.
pub fn inward(body: Body) -> ByteStream {
    let chunks = body.into_data_stream();
    futures::stream::unfold(Some(chunks), |chunks| async {
        let mut chunks = chunks?;
        let broken = || Error::new(Code::Invalid, "the body could not be read to its end");
        let idle = || Error::new(Code::Timeout, "the body stopped coming");
        let chunk: Result<Bytes, Error> = match timeout(IDLE_MAX, chunks.next()).await {
            Err(_) => Err(idle()),
            Ok(None) => return None,
            Ok(Some(Err(_))) => Err(broken()),
            Ok(Some(Ok(chunk))) => return Some((Ok(chunk), Some(chunks))),
        };
        Some((chunk, None))
    })
    .boxed()
}

/// A body that streams out until the caller's credential ends.
pub fn outward(call: &Call, content: ByteStream) -> Body {
    let ended = Box::pin(watchdog::ended(call.api.clone(), call.caller.clone()));
    Body::from_stream(content.take_until(ended).map_err(std::io::Error::other))
}

/// Lets go of what holds room or a turn somewhere, once its reader has stopped reading or reads so
/// slowly that it only keeps the place; the reader then sees fewer bytes than it was promised.
pub fn while_read(mut content: ByteStream) -> ByteStream {
    let (mut reader, chunks) = mpsc::channel(0);
    tokio::spawn(async move {
        let mut pace = Pace::default();
        while let Some(chunk) = content.next().await {
            let size = chunk.as_ref().map_or(0, |bytes| bytes.len() as u64);
            let asked = Instant::now();
            match timeout(pace.left(), reader.send(chunk)).await {
                Ok(Ok(())) => pace.took(size, asked.elapsed()),
                Ok(Err(_)) => return,
                Err(_) => return tracing::info!("a file is not read on: it is let go"),
            }
        }
    });
    chunks.boxed()
}

/// How a reader goes on. What the content itself takes to come is not the reader's time.
#[derive(Default)]
struct Pace {
    taken: u64,
    waited: Duration,
}

impl Pace {
    /// How long the reader may still be waited for.
    fn left(&self) -> Duration {
        READ_WITHIN.saturating_sub(self.waited)
    }

    fn took(&mut self, size: u64, waited: Duration) {
        self.taken += size;
        self.waited += waited;
        if self.taken >= READ_LEAST {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::sleep;

    use super::*;

    /// Chunks of `size` without end, and what tells whether they still exist.
    fn endless(size: u64) -> (ByteStream, std::sync::Weak<()>) {
        let held = Arc::new(());
        let weak = Arc::downgrade(&held);
        let chunk = Bytes::from(vec![0; usize::try_from(size).unwrap()]);
        let chunks = futures::stream::repeat_with(move || {
            assert!(Arc::strong_count(&held) > 0);
            Ok(chunk.clone())
        });
        (chunks.boxed(), weak)
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_let_go_when_it_is_not_read_on() {
        let (content, held) = endless(READ_LEAST);
        let mut read = while_read(content);
        for _ in 0..10 {
            sleep(READ_WITHIN / 2).await;
            read.next().await.unwrap().unwrap();
        }
        assert!(held.upgrade().is_some(), "a slow reader is served");
        sleep(READ_WITHIN * 2).await;
        assert!(held.upgrade().is_none(), "its reader sleeps");
        assert!(read.count().await <= 2, "no more than was on its way");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_let_go_when_it_is_read_to_keep_its_place() {
        let (content, held) = endless(READ_LEAST / 8);
        let mut read = while_read(content);
        for _ in 0..10 {
            sleep(READ_WITHIN / 2).await;
            read.next().await;
        }
        assert!(held.upgrade().is_none(), "a quarter of a MiB comes to each minute");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_content_takes_is_not_its_readers() {
        let (content, held) = endless(READ_LEAST / 8);
        let slow = content.then(|chunk| async {
            sleep(READ_WITHIN / 2).await;
            chunk
        });
        let mut read = while_read(slow.boxed());
        for _ in 0..10 {
            read.next().await.unwrap().unwrap();
        }
        assert!(held.upgrade().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_let_go_with_its_reader() {
        let (content, held) = endless(1);
        let mut read = while_read(content);
        read.next().await.unwrap().unwrap();
        drop(read);
        sleep(Duration::from_millis(1)).await;
        assert!(held.upgrade().is_none());
    }
}
