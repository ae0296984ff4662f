//! From a source to a durable file with a known SHA-256.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes as Chunk;
use futures::StreamExt;
use futures::stream::BoxStream;
use novacron_model::task::step as steps;
use novacron_model::units::Bytes;
use novacron_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::{Progress, SOURCE, Source, fetch, report};
use crate::storage::dir::ARRIVED;
use crate::storage::fault;

/// What has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Lower-case hex.
    pub sha256: String,
    pub size: Bytes,
}

pub async fn receive(
    staging: &Path,
    source: Source,
    sha256: Option<&str>,
    limit: Bytes,
    progress: Progress<'_>,
) -> Result<Arrival> {
    let mut sink = Sink::create(staging.join("source.part"), limit).await?;
    match source {
        Source::Url(url) => fetch::fetch(&url, &mut sink, progress).await?,
        Source::Upload { length, content } => take(length, content, &mut sink, progress).await?,
    }
    let path = sink.path.clone();
    let arrival = sink.finish().await?;
    if arrival.size == Bytes(0) {
        return Err(Error::invalid("spec.source", "the image is empty"));
    }
    if let Some(wanted) = sha256.filter(|wanted| *wanted != arrival.sha256) {
        let message = format!("the image's SHA-256 is {}, not {wanted}", arrival.sha256);
        return Err(Error::invalid("spec.sha256", message)
            .hint("the file is damaged or another one; compare with what its publisher says"));
    }
    let to = staging.join(SOURCE);
    fs::rename(&path, &to).map_err(fault::at(&to, "make"))?;
    record(staging, &arrival)?;
    Ok(arrival)
}

/// What a staging folder holds.
pub fn arrived(staging: &Path) -> Result<Option<Arrival>> {
    let path = staging.join(ARRIVED);
    // Alone it is what a crash has left of a folder that was being removed.
    if !path.exists() || !staging.join(SOURCE).exists() {
        return Ok(None);
    }
    let text = fs::read(&path).map_err(fault::at(&path, "read"))?;
    let damaged = |error| Error::internal(format!("{} is damaged: {error}", path.display()));
    serde_json::from_slice(&text).map(Some).map_err(damaged)
}

/// The last step: from here on a crash keeps what has arrived.
fn record(staging: &Path, arrival: &Arrival) -> Result<()> {
    let (part, path) = (staging.join("arrival.part"), staging.join(ARRIVED));
    let text = serde_json::to_vec(arrival).map_err(|error| Error::internal(error.to_string()))?;
    let sync = |path: &Path| fs::File::open(path).and_then(|file| file.sync_all());
    let written = fs::write(&part, text)
        .and_then(|()| sync(&part))
        .and_then(|()| fs::rename(&part, &path))
        .and_then(|()| sync(staging))
        .and_then(|()| sync(staging.parent().unwrap_or(staging)));
    written.map_err(fault::at(&path, "write"))
}

async fn take(
    length: Option<u64>,
    mut content: BoxStream<'static, Result<Chunk>>,
    sink: &mut Sink,
    progress: Progress<'_>,
) -> Result<()> {
    sink.expect(length)?;
    while let Some(chunk) = content.next().await {
        sink.write(&chunk?).await?;
        report(progress, steps::RECEIVE, sink.size, length.unwrap_or(0));
    }
    match length {
        Some(length) if length != sink.size => {
            let message = format!("the upload ended after {} of {length} bytes", sink.size);
            Err(Error::invalid("spec.source", message).hint("send it again"))
        }
        _ => Ok(()),
    }
}

/// A file that hashes what is written into it.
pub struct Sink {
    path: PathBuf,
    file: File,
    hash: Sha256,
    pub size: u64,
    limit: Bytes,
}

impl Sink {
    async fn create(path: PathBuf, limit: Bytes) -> Result<Self> {
        let file = File::create(&path).await.map_err(fault::at(&path, "make"))?;
        Ok(Self { path, file, hash: Sha256::new(), size: 0, limit })
    }

    /// Refuses early what cannot fit.
    pub fn expect(&self, length: Option<u64>) -> Result<()> {
        let Some(length) = length else { return Ok(()) };
        self.check_limit(length)?;
        let stat = rustix::fs::statvfs(self.path.parent().unwrap_or(&self.path));
        match stat {
            Ok(stat) if stat.f_bavail.saturating_mul(stat.f_frsize) < length => {
                Err(fault::full(&self.path))
            }
            _ => Ok(()),
        }
    }

    pub async fn write(&mut self, chunk: &[u8]) -> Result<()> {
        self.size = self.size.saturating_add(chunk.len() as u64);
        self.check_limit(self.size)?;
        self.hash.update(chunk);
        self.file.write_all(chunk).await.map_err(fault::at(&self.path, "write"))
    }

    /// Forgets what was written.
    pub async fn restart(&mut self) -> Result<()> {
        self.hash = Sha256::new();
        self.size = 0;
        let done = async {
            self.file.flush().await?;
            self.file.set_len(0).await?;
            self.file.rewind().await
        };
        done.await.map(drop).map_err(fault::at(&self.path, "write"))
    }

    async fn finish(mut self) -> Result<Arrival> {
        let done = async {
            self.file.flush().await?;
            self.file.sync_all().await
        };
        done.await.map_err(fault::at(&self.path, "write"))?;
        Ok(Arrival { sha256: hex(&self.hash.finalize()), size: Bytes(self.size) })
    }

    fn check_limit(&self, size: u64) -> Result<()> {
        if size <= self.limit.0 {
            return Ok(());
        }
        let message = format!("the image is larger than {}", self.limit);
        Err(Error::new(Code::TooLarge, message).at("spec.source"))
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
