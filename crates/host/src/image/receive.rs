//! From a source to a file, durable and with a known SHA-256 unless a client's descriptor is the source.

use std::fs;
use std::io::Read;
use std::path::Path;

use bytes::Bytes as Chunk;
use futures::StreamExt;
use futures::stream::BoxStream;
use novacron_model::task::step as steps;
use novacron_model::units::Bytes;
use novacron_model::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512};

use super::fetch::Trouble;
use super::sink::Sink;
use super::sum::hex;
use super::{Progress, SOURCE, Source, Sum, boot, fetch, handed, report};
use crate::catalogue::cannot_reach;
use crate::storage::dir::ARRIVED;
use crate::storage::fault;

/// The image on its way here.
pub const PART: &str = "source.part";

/// What has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Lower-case hex; empty where nobody has asked for it yet.
    pub sha256: String,
    pub size: Bytes,
    /// The run of the machine in whose memory it is; none once it is durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
}

impl Arrival {
    pub fn is_durable(&self) -> bool {
        self.boot.is_none()
    }
}

pub async fn receive(
    staging: &Path,
    source: Source,
    sha256: Option<&str>,
    limit: Bytes,
    progress: Progress<'_>,
) -> Result<Arrival> {
    let sink = || Sink::create(&staging.join(PART), limit);
    let arrival = match source {
        Source::Url(url) => {
            let mut sink = sink()?;
            fetch::fetch(&url, &mut sink, progress).await.map_err(Trouble::into_error)?;
            sink.finish().await?
        }
        Source::Published(published) => {
            let mut sink = sink()?;
            let fetched = fetch::fetch(&published.url, &mut sink, progress).await;
            fetched.map_err(|trouble| unreached(&published.name, trouble))?;
            let arrival = sink.finish().await?;
            check_published(&staging.join(PART), &arrival, published.sum).await?;
            arrival
        }
        Source::Upload { length, content } => {
            let mut sink = sink()?;
            take(length, content, &mut sink, progress).await?;
            sink.finish().await?
        }
        Source::File(file) => handed::receive(staging, file, sha256, limit, progress).await?,
    };
    accept(staging, &arrival, sha256)?;
    Ok(arrival)
}

fn unreached(name: &str, trouble: Trouble) -> Error {
    match trouble {
        Trouble::Broken(error) => {
            tracing::warn!(%error, "a source of the catalogue cannot be reached");
            cannot_reach(name)
        }
        Trouble::Final(error) => error,
    }
}

/// Compares what has come with what its publisher says.
async fn check_published(path: &Path, arrival: &Arrival, sum: Sum) -> Result<()> {
    let (found, wanted, kind) = match sum {
        Sum::Sha256(wanted) => (arrival.sha256.clone(), wanted, "SHA-256"),
        Sum::Sha512(wanted) => {
            let path = path.to_owned();
            let hashed = tokio::task::spawn_blocking(move || sha512(&path)).await;
            let lost = |error| Error::internal(format!("hashing was lost: {error}"));
            (hashed.map_err(lost)??, wanted, "SHA-512")
        }
    };
    if found == wanted {
        return Ok(());
    }
    let message = format!("the image's {kind} is {found}, its publisher says {wanted}");
    Err(Error::invalid("spec.source.catalogue", message)
        .hint("the publisher may be renewing it; try again in an hour"))
}

fn sha512(path: &Path) -> Result<String> {
    let mut file = fs::File::open(path).map_err(fault::at(path, "read"))?;
    let (mut hash, mut buffer) = (Sha512::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).map_err(fault::at(path, "read"))? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// The commit point of an arrival: what lies in [`PART`] is the image.
pub fn accept(staging: &Path, arrival: &Arrival, sha256: Option<&str>) -> Result<()> {
    if arrival.size == Bytes(0) {
        return Err(Error::invalid("spec.source", "the image is empty"));
    }
    if let Some(wanted) = sha256.filter(|wanted| *wanted != arrival.sha256) {
        let message = format!("the image's SHA-256 is {}, not {wanted}", arrival.sha256);
        return Err(Error::invalid("spec.sha256", message)
            .hint("the file is damaged or another one; compare with what its publisher says"));
    }
    let to = staging.join(SOURCE);
    fs::rename(staging.join(PART), &to).map_err(fault::at(&to, "make"))?;
    record(staging, ARRIVED, arrival)
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
    let arrival: Arrival = serde_json::from_slice(&text).map_err(damaged)?;
    let here = arrival.boot.as_deref().is_none_or(boot::is_now);
    Ok(here.then_some(arrival))
}

/// Writes a file of this name, whole and durable.
pub fn record(staging: &Path, name: &str, value: &impl Serialize) -> Result<()> {
    let (part, path) = (staging.join(format!("{name}.part")), staging.join(name));
    let text = serde_json::to_vec(value).map_err(|error| Error::internal(error.to_string()))?;
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
        sink.write(chunk?).await?;
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
