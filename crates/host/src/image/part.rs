//! Uploads that come in parts: what has come is kept when the connection breaks or the daemon
//! dies, and the client goes on from there.
//!
//! ```text
//!  STAGING/source.part    what has come
//!  STAGING/upload.json    how long it will be, how much of it is surely on the disk
//! ```
//!
//! After a crash of the daemon the file's length is the truth, for the kernel has all of it.
//! After a crash of the machine only what was synced is, and the rest is cut off.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes as Chunk;
use futures::StreamExt;
use futures::stream::BoxStream;
use novacron_model::image::Uploaded;
use novacron_model::task::step as steps;
use novacron_model::units::Bytes;
use novacron_model::{Error, Result};
use serde::{Deserialize, Serialize};

use super::receive::{PART, accept, record};
use super::sink::{AtEnd, Sink, Written};
use super::{Progress, boot, report};
use crate::storage::dir::UPLOAD;
use crate::storage::fault;

/// How long a part of an upload is kept for a client that does not come back.
pub const KEPT: Duration = Duration::from_hours(24);

/// One request's share of an upload.
pub struct Part {
    /// Where it begins in the image.
    pub offset: u64,
    /// Bytes of the whole image.
    pub total: u64,
    pub content: BoxStream<'static, Result<Chunk>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    total: u64,
    durable: u64,
    /// Boot of the machine in which it was written.
    boot: String,
}

/// How far an upload has come.
pub fn uploaded(staging: &Path) -> Result<Uploaded> {
    let offset = match State::read(staging)? {
        Some(state) => state.length(staging)?,
        None => 0,
    };
    Ok(Uploaded { offset: Bytes(offset), complete: false })
}

/// Whether nobody has sent anything for so long that nobody will.
pub fn is_stale(staging: &Path) -> bool {
    let modified = |name| fs::metadata(staging.join(name)).and_then(|meta| meta.modified()).ok();
    let newest = modified(UPLOAD).max(modified(PART));
    newest.is_none_or(|time| time.elapsed().is_ok_and(|age| age > KEPT))
}

/// Whether a part begins where the former one ended. Touches nothing.
pub fn check(staging: &Path, part: &Part) -> Result<()> {
    there(staging, part).map(drop)
}

/// What is there of the upload that a part goes on with, and how much of it is durable.
fn there(staging: &Path, part: &Part) -> Result<(u64, u64)> {
    if part.offset > part.total {
        let message = format!("byte {} is behind the end at {}", part.offset, part.total);
        return Err(Error::invalid("Upload-Offset", message));
    }
    if part.offset == 0 {
        return Ok((0, 0));
    }
    let found = State::read(staging)?.ok_or_else(|| elsewhere(0, part.offset))?;
    let length = found.length(staging)?;
    if length != part.offset {
        return Err(elsewhere(length, part.offset));
    }
    if found.total != part.total {
        let message = format!("the upload began with {} bytes in all", found.total);
        return Err(
            Error::invalid("Upload-Length", message).hint("send the same file, or begin at 0")
        );
    }
    Ok((length, found.durable))
}

/// Opens the file in which the upload goes on. `kept`: what this process knows of it. `at_end`
/// hears what there is when the sink ends before the upload does.
pub fn open(
    staging: &Path,
    part: &Part,
    kept: Option<Written>,
    limit: Bytes,
    at_end: impl FnOnce(Written) + Send + 'static,
) -> Result<Sink> {
    let (length, durable) = there(staging, part)?;
    let state = State { total: part.total, durable, boot: boot::id() };
    let path = staging.join(PART);
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(fault::at(&path, "make"))?;
    file.set_len(length).map_err(fault::at(&path, "write"))?;
    record(staging, UPLOAD, &state)?;
    let folder = staging.to_owned();
    let keep: AtEnd = Box::new(move |written| {
        let Some(written) = written else {
            // Nobody can tell what is there: the upload begins again.
            let path = folder.join(UPLOAD);
            return fs::remove_file(&path).map_err(fault::at(&path, "remove"));
        };
        record(&folder, UPLOAD, &State { durable: written.size, ..state })?;
        at_end(written);
        Ok(())
    });
    Ok(Sink::go_on(&path, file, (length, kept), limit, Some(keep)))
}

/// What ended a part early.
pub enum Cut {
    /// The client or its connection: what has come stays.
    Broken(Error),
    /// Another try would end alike.
    Final(Error),
}

/// Takes a part's bytes.
pub async fn take(part: &mut Part, sink: &mut Sink, progress: Progress<'_>) -> Result<(), Cut> {
    let total = part.total;
    sink.expect(Some(total.saturating_sub(sink.size))).map_err(Cut::Final)?;
    report(progress, steps::RECEIVE, sink.size, total);
    while let Some(chunk) = part.content.next().await {
        let chunk = chunk.map_err(Cut::Broken)?;
        if sink.size.saturating_add(chunk.len() as u64) > total {
            let message = format!("more came than the {total} bytes that were announced");
            return Err(Cut::Final(Error::invalid("Upload-Length", message)));
        }
        sink.write(chunk).await.map_err(Cut::Final)?;
        report(progress, steps::RECEIVE, sink.size, total);
    }
    Ok(())
}

/// All is here.
pub async fn finish(staging: &Path, sink: Sink, sha256: Option<&str>) -> Result<Uploaded> {
    let arrival = sink.finish().await?;
    accept(staging, &arrival, sha256)?;
    Ok(Uploaded { offset: arrival.size, complete: true })
}

impl State {
    fn read(staging: &Path) -> Result<Option<Self>> {
        let path = staging.join(UPLOAD);
        if !path.exists() || !staging.join(PART).exists() {
            return Ok(None);
        }
        let text = fs::read(&path).map_err(fault::at(&path, "read"))?;
        // One that cannot be read is none: the upload begins again.
        Ok(serde_json::from_slice(&text).ok())
    }

    /// Bytes that can be relied on.
    fn length(&self, staging: &Path) -> Result<u64> {
        let path = staging.join(PART);
        let length = fs::metadata(&path).map_err(fault::at(&path, "read"))?.len();
        let here = boot::is_now(&self.boot);
        Ok(if here { length } else { length.min(self.durable) })
    }
}

fn elsewhere(here: u64, asked: u64) -> Error {
    Error::conflict(format!("{here} bytes of the image have arrived, not {asked}"))
        .at("Upload-Offset")
        .hint("ask for the offset and go on from there")
}
