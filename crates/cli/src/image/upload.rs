//! Sending an image's content. A daemon on this machine is handed the open file and reads it itself;
//! others, and older ones, get the bytes. When the connection breaks or the daemon restarts, the node says how
//! much has arrived, and the rest follows.

use std::io::SeekFrom;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH};
use http::{HeaderName, Method};
use serde_json::Value;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, ReadBuf};
use tokio::time::{Duration, Instant};

use super::NOUN;
use crate::client::{Answer, Call, body};
use crate::failure::{Failure, Result};
use crate::output;
use crate::session::Session;
use crate::signals::Signals;
use crate::task::{self, Progress};

const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const FROM: HeaderName = HeaderName::from_static("upload-from");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// How long a new image may be without a node.
const NODE_WAIT_MAX: Duration = Duration::from_secs(30);
/// A node is chosen within milliseconds, unless there is none.
const FIRST_LOOK: Duration = Duration::from_millis(2);
/// How long an upload is tried again without a new byte arriving.
const PATIENCE: Duration = Duration::from_mins(2);
const RETRY: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// The file is opened before anything is made; an upload that fails leaves no image behind.
pub async fn send(session: &Session, name: &str, path: &Path, draft: &Value) -> Result<Answer> {
    let (_, length) = body::open(path).await?;
    let mut signals = Signals::watch()?;
    let made = session.create(&NOUN, draft).await?;
    let task = made.task.as_deref();
    let upload = Upload { session, name, path, length, task };
    let sent = tokio::select! {
        sent = upload.run() => sent,
        number = signals.next() => Err(Failure::signalled(number)),
    };
    if sent.is_err() {
        give_up(session, name, &made).await;
    }
    sent
}

struct Upload<'a> {
    session: &'a Session,
    name: &'a str,
    path: &'a Path,
    length: u64,
    /// The import.
    task: Option<&'a str>,
}

impl Upload<'_> {
    /// Waits for the image's node, which is chosen after the image was made, and goes on after
    /// every break until all is there.
    async fn run(&self) -> Result<Answer> {
        let placed_by = Instant::now() + NODE_WAIT_MAX;
        let mut pause = FIRST_LOOK;
        while !self.has_node().await? && Instant::now() < placed_by {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY);
        }
        let mut by_hand = self.session.client.is_local();
        let (mut offset, mut furthest) = (0, 0);
        pause = RETRY;
        // Runs from the first break after which no new byte has arrived.
        let mut patience = None;
        loop {
            let handed = by_hand && offset == 0;
            let sent = if handed { self.hand_over().await } else { self.send_from(offset).await };
            let broken = match sent {
                Ok(answer) if answer.task.is_some() => return Ok(answer),
                // An older daemon took it for a part without a byte.
                Ok(_) if handed => {
                    by_hand = false;
                    continue;
                }
                Err(failure) if failure.field.as_deref() == Some("Upload-From") => {
                    by_hand = false;
                    continue;
                }
                Ok(_) => Failure::failed("not all of the file has arrived"),
                Err(failure) if can_go_on(&failure) => failure,
                Err(failure) => return Err(failure),
            };
            loop {
                if Instant::now() > *patience.get_or_insert_with(|| Instant::now() + PATIENCE) {
                    return Err(broken);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
                match self.arrived().await {
                    Ok(here) => {
                        offset = here;
                        break;
                    }
                    Err(failure) if can_go_on(&failure) => {}
                    Err(failure) => return Err(failure),
                }
            }
            if offset > furthest {
                (furthest, pause) = (offset, RETRY);
                patience = None;
            }
        }
    }

    /// The answer comes when the image is made, so the progress is the task's.
    async fn hand_over(&self) -> Result<Answer> {
        let file = self.open().await?.into_std().await;
        let call = Call::new(Method::PUT, self.path_of_content())
            .header(CONTENT_LENGTH, "0")
            .header(FROM, "descriptor")
            .header(OFFSET, "0")
            .header(LENGTH, self.length.to_string());
        tokio::select! {
            answer = self.session.client.hand_over(call, file.into()) => answer,
            never = task::show(self.session, self.task.unwrap_or_default()) => match never {},
        }
    }

    async fn open(&self) -> Result<File> {
        let (file, length) = body::open(self.path).await?;
        if length == self.length {
            return Ok(file);
        }
        let message = format!("{} has changed while it was sent", self.path.display());
        Err(Failure::failed(message).hint("import it again"))
    }

    async fn send_from(&self, offset: u64) -> Result<Answer> {
        let (mut file, length) = (self.open().await?, self.length);
        file.seek(SeekFrom::Start(offset)).await?;
        let progress = Progress::new(NOUN.called(self.name));
        let inner = file.take(length.saturating_sub(offset));
        let reader = Counted { inner, done: offset, total: length, progress };
        let call = Call::new(Method::PUT, self.path_of_content())
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, length.saturating_sub(offset).to_string())
            .header(OFFSET, offset.to_string())
            .header(LENGTH, length.to_string())
            .body(body::reading(reader));
        self.session.client.call(call).await
    }

    /// Where to go on.
    async fn arrived(&self) -> Result<u64> {
        let uploaded = self.session.client.get(&self.path_of_content()).await?;
        Ok(uploaded.pointer("/offset").and_then(Value::as_u64).unwrap_or(0))
    }

    fn path_of_content(&self) -> String {
        NOUN.path(&self.session.project, self.name) + "/content"
    }

    async fn has_node(&self) -> Result<bool> {
        let image = self.session.read(&NOUN, self.name).await?;
        Ok(image.pointer("/status/location/node").is_some())
    }
}

/// The node cannot be reached now, or has another idea of where to go on.
fn can_go_on(failure: &Failure) -> bool {
    failure.is_unreachable() || failure.field.as_deref() == Some("Upload-Offset")
}

/// Deletes the image that was made, and no other one that took its name meanwhile.
async fn give_up(session: &Session, name: &str, made: &Answer) {
    let mut call = Call::delete(NOUN.path(&session.project, name) + "?force=true");
    if let Some(etag) = &made.etag {
        call = call.header(IF_MATCH, etag.clone());
    }
    if session.client.call(call).await.is_err() {
        output::note(format!(
            "{} stays; `novacron image delete {name}` removes it",
            NOUN.called(name)
        ));
    }
}

/// A reader that tells how far it is.
struct Counted<R> {
    inner: R,
    done: u64,
    total: u64,
    progress: Progress,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        let count = buffer.filled().len() - before;
        if count > 0 {
            self.done += u64::try_from(count).unwrap_or(0);
            let (done, total) = (self.done, self.total);
            self.progress.at("uploading", done, total);
        }
        polled
    }
}
