//! Saving what the server streams. A file has its name only once it is whole; what is given up
//! leaves nothing.

use std::path::{Path, PathBuf};

use hyper::body::{Body, Incoming};
use tokio::io::AsyncWriteExt;

use crate::client::Call;
use crate::client::body::next;
use crate::failure::{Failure, Result};
use crate::output;
use crate::session::Session;
use crate::signals::Signals;
use crate::task::Progress;

/// Saves what stands at a path of the API; `-` is stdout. With a title its progress is shown.
pub async fn save(
    session: &Session,
    path: String,
    target: &Path,
    title: Option<String>,
) -> Result<()> {
    let mut signals = Signals::watch()?;
    tokio::select! {
        saved = fetch(session, path, target, title) => saved,
        number = signals.next() => Err(Failure::signalled(number)),
    }
}

async fn fetch(
    session: &Session,
    path: String,
    target: &Path,
    title: Option<String>,
) -> Result<()> {
    let mut progress = title.map(Progress::new);
    if let Some(progress) = &mut progress {
        progress.at("preparing", 0, 0);
    }
    let mut content = session.client.stream(Call::get(path)).await?;
    if target == Path::new("-") {
        while let Some(bytes) = next(&mut content).await? {
            output::bytes(&bytes)?;
        }
        return Ok(());
    }
    let part = Part(part(target));
    write(&mut content, &part.0, progress).await?;
    Ok(tokio::fs::rename(&part.0, target).await?)
}

async fn write(content: &mut Incoming, path: &Path, mut progress: Option<Progress>) -> Result<()> {
    let unwritable = |error: std::io::Error| {
        Failure::failed(format!("{} cannot be written: {error}", path.display()))
    };
    let total = content.size_hint().exact().unwrap_or(0);
    let mut file = tokio::fs::File::create(path).await.map_err(unwritable)?;
    let mut done = 0;
    while let Some(bytes) = next(content).await? {
        file.write_all(&bytes).await.map_err(unwritable)?;
        done += bytes.len() as u64;
        if let Some(progress) = &mut progress {
            progress.at("downloading", done, total);
        }
    }
    file.flush().await.map_err(unwritable)?;
    file.sync_all().await.map_err(unwritable)
}

/// A file that goes unless it was given its name.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn part(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    target.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_lies_beside_its_place_and_goes_with_its_owner() {
        assert!(part(Path::new("/x/y")).to_str().unwrap().starts_with("/x/y."));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("half");
        let kept = Part(path.clone());
        std::fs::write(&path, "half").unwrap();
        drop(kept);
        assert!(!path.exists());
    }
}
