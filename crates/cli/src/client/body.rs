//! Bodies that are not held in memory: files on their way out, streams on their way in.

use std::path::Path;

use bytes::Bytes;
use futures::TryStreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::fs::File;
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use super::{Body, broken};
use crate::failure::{Failure, Result};

/// Each read of a file is a trip to another thread, so few and long ones are fast.
const READ: usize = 1 << 20;

/// A regular file with its length.
pub async fn open(path: &Path) -> Result<(File, u64)> {
    let unreadable = |error: std::io::Error| {
        Failure::usage(format!("{} cannot be read: {error}", path.display()))
    };
    let file = File::open(path).await.map_err(unreadable)?;
    let metadata = file.metadata().await.map_err(unreadable)?;
    if metadata.is_file() {
        return Ok((file, metadata.len()));
    }
    Err(Failure::usage(format!("{} is not a file", path.display())))
}

pub fn reading(reader: impl AsyncRead + Send + 'static) -> Body {
    let frames = ReaderStream::with_capacity(reader, READ).map_ok(Frame::data);
    StreamBody::new(frames).boxed_unsync()
}

/// The next bytes of a streamed answer; none at its end.
pub async fn next(content: &mut Incoming) -> Result<Option<Bytes>> {
    while let Some(frame) = content.frame().await {
        if let Ok(bytes) = frame.map_err(|error| broken(&error))?.into_data() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}
