//! Copies of the whole state: streamed on request, one kept each day, and before an upgrade.
//!
//! What a copy looks like is `novacron_raft`'s; here stands what belongs into it and when one is
//! made. `restore` is the way back.

pub mod restore;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::StreamExt;
use novacron_api::gateway::ByteStream;
use novacron_model::{Error, Event, Level, Node};
use novacron_raft::{Copies, OpenError, RaftStore, backup, upgrade};
use novacron_store::{Store, Txn, events, object};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock;
use crate::cluster::Member;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::identity;

/// Files of the data directory without which the store is worth less. Others are not taken, nor
/// believed when a backup brings them.
const FILES: [&str; 3] = ["data.key", "tls/ca.pem", "tls/ca.key"];
/// How often it is looked whether a daily copy is due; after a failure this is the pause.
const LOOK: Duration = Duration::from_mins(10);

/// The copies that the daemon keeps by itself.
pub fn copies(config: &Config, data: &Path) -> Result<Copies> {
    Ok(Copies::new(folder(config, data)?, config.backup.keep))
}

/// Several nodes may share the directory that the settings name, so each has a folder of its own.
fn folder(config: &Config, data: &Path) -> Result<PathBuf> {
    let Some(dir) = &config.backup.dir else { return Ok(data.join("backups")) };
    let node = config.name.clone().map_or_else(identity::node_name, Ok)?;
    Ok(dir.join(node.as_str()))
}

/// Opens the store of the member that this node is; what the node shows to others is made once it
/// is known that the store is in order. One of an older format is copied before; of a damaged one it is said which copy
/// there is and how to go back to it.
pub async fn open_store(
    config: &Config,
    data: &DataDir,
    member: impl FnOnce() -> Result<Arc<Member>>,
) -> Result<(Arc<RaftStore>, Arc<Member>)> {
    let dir = data.path().join("store");
    let opened = match copy_before_upgrade(config, data, &dir).await? {
        Ok(()) => {
            let member = member()?;
            let (options, links) = member.store_options();
            let opened = RaftStore::open_member(&dir, options, links).await;
            opened.map(|store| (store, member))
        }
        Err(error) => Err(error),
    };
    let error = match opened {
        Ok(opened) => return Ok(opened),
        Err(error) => error,
    };
    let lost = error.is_loss();
    let failed = anyhow::Error::new(error);
    if !lost {
        return Err(failed);
    }
    let copies = copies(config, data.path())?;
    let newest = tokio::task::spawn_blocking(move || copies.newest()).await?;
    let Some(newest) = newest else { return Err(failed) };
    let (newest, data) = (newest.display(), data.path().display());
    Err(failed.context(format!(
        "the store cannot be opened; go back to the newest copy with `novacron state restore \
         {newest} --data-dir {data} --replace`, which keeps the damaged store aside"
    )))
}

/// The inner error is the store's.
async fn copy_before_upgrade(
    config: &Config,
    data: &DataDir,
    dir: &Path,
) -> Result<Result<(), OpenError>> {
    let format = match upgrade::needed(dir) {
        Ok(None) => return Ok(Ok(())),
        Ok(Some(format)) => format,
        Err(error) => return Ok(Err(error)),
    };
    let (dir, key) = (dir.to_owned(), data.path().join("data.key"));
    let folder = folder(config, data.path())?;
    let name = format!("store-format-{format}");
    let copying = move || upgrade::copy(&dir, &key, &folder, &name);
    let copy = tokio::task::spawn_blocking(copying).await?;
    let copy = copy.context("the store is of an older format and was not copied before its conversion; nothing was changed")?;
    info!(copy = %copy.display(), format, "copied the store before its conversion");
    Ok(Ok(()))
}

/// Makes backups of a running node.
#[derive(Clone)]
pub struct Source {
    pub store: Arc<dyn Store>,
    pub data: PathBuf,
    pub node: String,
}

impl Source {
    /// The state as it is now, as a stream.
    pub fn stream(&self) -> novacron_model::Result<ByteStream> {
        let files = self.files().map_err(|error| Error::unavailable(error.to_string()))?;
        let (source, (sender, receiver)) = (self.clone(), mpsc::channel(4));
        tokio::task::spawn_blocking(move || {
            let written = source.write(files, &mut |piece| {
                let piece = Bytes::copy_from_slice(piece);
                sender.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
            });
            if let Err(error) = written {
                // Nobody is there to be told if the reader has gone.
                let _ = sender.blocking_send(Err(Error::unavailable(error.to_string())));
            }
        });
        let pieces = futures::stream::unfold(receiver, async |mut receiver| {
            let piece = receiver.recv().await?;
            Some((piece, receiver))
        });
        Ok(pieces.boxed())
    }

    /// Keeps a copy of each day until `end`.
    pub async fn keep(self, copies: Copies, end: CancellationToken) {
        // The first failure of a row is told to everybody.
        let mut told = false;
        loop {
            let (source, copies) = (self.clone(), copies.clone());
            let kept = tokio::task::spawn_blocking(move || source.keep_one(&copies)).await;
            match kept.map_err(io::Error::other).flatten() {
                Ok(None) => {}
                Ok(Some(path)) => {
                    info!(path = %path.display(), "the state was copied");
                    told = false;
                }
                Err(error) => {
                    warn!(%error, "the daily copy of the state failed; it is tried again");
                    told = told || self.tell(&error).await;
                }
            }
            if end.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
                return;
            }
        }
    }

    /// Whether it could be told.
    async fn tell(&self, error: &io::Error) -> bool {
        let node = object::get::<Node>(&self.store.snapshot(), None, &self.node).ok().flatten();
        let event = Event {
            sequence: 0,
            time: clock::now(),
            level: Level::Warning,
            kind: "node.state_not_copied".to_owned(),
            object: node.map(|node| node.reference()),
            text: format!("the daily copy of the state failed: {error}"),
            actor: format!("node {}", self.node),
        };
        let mut txn = Txn::new();
        if let Err(error) = events::append(&mut txn, &event) {
            warn!(%error, "an event was not written");
            return true;
        }
        self.store.commit(txn).await.is_ok()
    }

    fn keep_one(&self, copies: &Copies) -> io::Result<Option<PathBuf>> {
        let now = clock::now();
        if !copies.is_due(now) {
            return Ok(None);
        }
        let files = self.files()?;
        let path = copies.add(now, |file| {
            let mut out = io::BufWriter::new(file);
            self.write(files, &mut |piece| out.write_all(piece))?;
            out.flush()
        });
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", copies.dir().display()))
        };
        path.map(Some).map_err(named)
    }

    fn write(
        &self,
        files: BTreeMap<String, Vec<u8>>,
        sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        backup::write(&self.store.snapshot(), &self.node, clock::now(), files, sink)
    }

    fn files(&self) -> io::Result<BTreeMap<String, Vec<u8>>> {
        let mut files = BTreeMap::new();
        for name in FILES {
            match fs::read(self.data.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && name != FILES[0] => {}
                read => {
                    files.insert(name.to_owned(), read?);
                }
            }
        }
        Ok(files)
    }
}

/// Makes what a directory names durable.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
