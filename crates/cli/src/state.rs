//! `novacron state …`: the whole state as a file. The way back needs no daemon, and so is the
//! program's own (`novacron`), which takes it before it comes here.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hyper::body::Incoming;
use novacron_model::Bytes;
use tokio::io::AsyncWriteExt;

use crate::client::Call;
use crate::client::body::next;
use crate::failure::{Failure, Result};
use crate::output;
use crate::session::Session;

#[derive(Debug, Clone, Subcommand)]
pub enum StateCommand {
    /// Write all that a running daemon knows into a file, with the key that opens its secrets
    Backup {
        /// File to write, or - for stdout
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Let a data directory begin anew from a backup; the daemon must not run
    Restore(RestoreArgs),
}

#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// A backup, made by `state backup` or by the daemon itself
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Put the state that is there aside, and keep it
    #[arg(long)]
    pub replace: bool,
    /// Settings file (TOML) of the server
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

pub async fn run(session: &Session, command: StateCommand) -> Result<()> {
    match command {
        StateCommand::Backup { file } => back_up(session, &file).await,
        StateCommand::Restore(_) => {
            Err(Failure::usage("`state restore` works on this machine's disk, without an API"))
        }
    }
}

async fn back_up(session: &Session, target: &Path) -> Result<()> {
    let mut content = session.client.stream(Call::get("/v1/system/backup")).await?;
    if target == Path::new("-") {
        while let Some(bytes) = next(&mut content).await? {
            output::bytes(&bytes)?;
        }
        return Ok(());
    }
    let mut part = target.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(part);
    let written = write(&mut content, &part).await;
    let Ok(size) = written else {
        // Half a backup is worse than none.
        let _ = tokio::fs::remove_file(&part).await;
        return written.map(drop);
    };
    tokio::fs::rename(&part, target).await?;
    output::note(format!(
        "the state is in {} ({}); it opens every secret: keep it safe",
        target.display(),
        Bytes(size)
    ));
    Ok(())
}

async fn write(content: &mut Incoming, path: &Path) -> Result<u64> {
    let unwritable = |error: std::io::Error| {
        Failure::failed(format!("{} cannot be written: {error}", path.display()))
    };
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path).map_err(unwritable)?;
    let (mut file, mut size) = (tokio::fs::File::from_std(file), 0);
    while let Some(bytes) = next(content).await? {
        file.write_all(&bytes).await.map_err(unwritable)?;
        size += bytes.len() as u64;
    }
    file.flush().await.map_err(unwritable)?;
    file.sync_all().await.map_err(unwritable)?;
    Ok(size)
}
