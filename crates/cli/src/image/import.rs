//! `image import`: a file is sent with progress, a URL is fetched by the node.
//!
//! Whether the bytes are an image, and the right one (`--sha256`), only the node checks, once.

use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use clap::Args;
use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Duration, Instant};

use super::NOUN;
use crate::args::{LabelArgs, WaitArgs, draft, put};
use crate::client::{Answer, Call, body};
use crate::failure::{Failure, Result};
use crate::output;
use crate::session::Session;
use crate::signals::Signals;
use crate::task::{self, Progress};

/// How long a new image may be without a node.
const NODE_WAIT_MAX: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// File (qcow2, raw, VMDK, VHDX, ISO, or a bundle) or http(s) URL
    #[arg(value_name = "PATH|URL")]
    source: String,
    /// Name of the image; from the source unless said
    #[arg(long, value_name = "IMAGE")]
    name: Option<String>,
    /// SHA-256 that the source must have (hex)
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    /// What is in it, such as "Debian 12"
    #[arg(long, value_name = "TEXT")]
    os: Option<String>,
    /// Pool that it lies on
    #[arg(long)]
    pool: Option<String>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

pub async fn import(session: &Session, args: &ImportArgs) -> Result<()> {
    let name = args.name.clone().map_or_else(|| name_from(&args.source), Ok)?;
    let mut spec = json!({});
    put(&mut spec, "sha256", args.sha256.as_ref().map(|hex| hex.trim().to_ascii_lowercase()));
    put(&mut spec, "os", args.os.as_deref());
    put(&mut spec, "pool", args.pool.as_deref());
    let answer = if is_url(&args.source) {
        spec["source"] = json!({"url": args.source});
        session.create(&NOUN, &draft(&name, &args.labels, &spec)).await?
    } else {
        spec["source"] = json!({"upload": {}});
        send(session, &name, Path::new(&args.source), &draft(&name, &args.labels, &spec)).await?
    };
    let sentence = format!("{} is ready", NOUN.called(&name));
    task::conclude(session, answer, &args.wait, &sentence, Some((&NOUN, &name))).await
}

fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// The file is opened before anything is made; an upload that fails leaves no image behind.
async fn send(session: &Session, name: &str, path: &Path, draft: &Value) -> Result<Answer> {
    let opened = body::open(path).await?;
    let mut signals = Signals::watch()?;
    session.create(&NOUN, draft).await?;
    let sent = tokio::select! {
        sent = upload(session, name, path, opened) => sent,
        number = signals.next() => Err(Failure::signalled(number)),
    };
    if sent.is_err() {
        give_up(session, name).await;
    }
    sent
}

/// Waits for the image's node, which is chosen after the image was made, and tries again while
/// that node does not take it.
async fn upload(
    session: &Session,
    name: &str,
    path: &Path,
    mut opened: (File, u64),
) -> Result<Answer> {
    let patience = Instant::now() + NODE_WAIT_MAX;
    while !has_node(session, name).await? && Instant::now() < patience {
        tokio::time::sleep(RETRY).await;
    }
    loop {
        let (file, length) = opened;
        let progress = Progress::new(NOUN.called(name));
        let reader = Counted { inner: file, done: 0, total: length, progress };
        let call = Call::new(Method::PUT, NOUN.path(&session.project, name) + "/content")
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, length.to_string())
            .body(body::reading(reader));
        match session.client.call(call).await {
            Err(failure) if failure.is_unreachable() && Instant::now() < patience => {}
            sent => return sent,
        }
        tokio::time::sleep(RETRY).await;
        opened = body::open(path).await?;
    }
}

async fn has_node(session: &Session, name: &str) -> Result<bool> {
    let image = session.read(&NOUN, name).await?;
    Ok(image.pointer("/status/location/node").is_some())
}

async fn give_up(session: &Session, name: &str) {
    let path = NOUN.path(&session.project, name) + "?force=true";
    if session.client.call(Call::delete(path)).await.is_err() {
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

/// `https://x/debian-12.qcow2?y` and `./Debian_12.qcow2` are both `debian-12`.
fn name_from(source: &str) -> Result<String> {
    let plain =
        if is_url(source) { source.split(['?', '#']).next().unwrap_or(source) } else { source };
    let file = plain.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let stem = [".gz", ".xz", ".zst", ".tar", ".qcow2", ".raw", ".img", ".iso", ".vmdk", ".vhdx"]
        .iter()
        .fold(file.to_ascii_lowercase(), |stem, end| {
            stem.strip_suffix(end).map(str::to_owned).unwrap_or(stem)
        });
    let label: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let label: String = label.trim_matches('-').chars().take(63).collect();
    if label.is_empty() {
        return Err(Failure::usage(format!("\"{source}\" gives no name")).hint("say --name NAME"));
    }
    Ok(label.trim_end_matches('-').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_after_its_source() {
        let name = |source: &str| name_from(source).unwrap();
        assert_eq!(name("https://example.org/a/debian-12.qcow2?x=1"), "debian-12");
        assert_eq!(name("./My Disk_2.img"), "my-disk-2");
        assert_eq!(name("micro.tar.gz"), "micro");
        assert_eq!(name("micro.tar"), "micro");
        assert_eq!(name("Win11.ISO"), "win11");
        assert_eq!(name_from("/").unwrap_err().exit, 2);
    }
}
