//! A snapshot on its way in, part by part, into a file beside the store's own.

use std::io;
use std::sync::Arc;

use openraft::Snapshot;

use crate::disk::{Disk, DiskFile};
use crate::message::{PartAnswer, SnapshotPart};
use crate::snapshot::{self, StoredSnapshot};
use crate::types::Raft;

/// The transfer that is under way; a new one takes its place.
#[derive(Default)]
pub struct Incoming(tokio::sync::Mutex<Option<Transfer>>);

struct Transfer {
    id: String,
    file: Arc<dyn DiskFile>,
    /// Bytes that have come.
    len: u64,
}

impl Incoming {
    /// Takes a part; the last one is installed before it is answered.
    pub async fn take(
        &self,
        raft: &Raft,
        disk: &Arc<dyn Disk>,
        part: SnapshotPart,
        body: Vec<u8>,
    ) -> PartAnswer {
        let mut transfer = self.0.lock().await;
        let (vote, last) = (part.vote, part.last);
        let written = {
            let (disk, current) = (disk.clone(), transfer.take());
            tokio::task::spawn_blocking(move || write(&*disk, current, &part, &body)).await
        };
        match written.map_err(io::Error::other).flatten() {
            Err(error) => PartAnswer::Failed(error.to_string()),
            Ok(None) => PartAnswer::Again,
            Ok(Some(grown)) if !last => {
                *transfer = Some(grown);
                PartAnswer::Go
            }
            Ok(Some(_)) => install(raft, disk, vote).await,
        }
    }
}

/// Writes a part behind what has come; `None`: it does not belong there.
fn write(
    disk: &dyn Disk,
    current: Option<Transfer>,
    part: &SnapshotPart,
    body: &[u8],
) -> io::Result<Option<Transfer>> {
    let mut transfer = if part.offset == 0 {
        let file = disk.create(snapshot::RECEIVED)?;
        Transfer { id: part.transfer.clone(), file, len: 0 }
    } else {
        let follows =
            |transfer: &Transfer| transfer.id == part.transfer && transfer.len == part.offset;
        match current.filter(follows) {
            Some(transfer) => transfer,
            None => return Ok(None),
        }
    };
    transfer.file.write_at(body, part.offset)?;
    transfer.len += body.len() as u64;
    if part.last {
        transfer.file.sync()?;
    }
    Ok(Some(transfer))
}

/// Gives the file to openraft, which judges by its vote whether the sender may still do this.
async fn install(raft: &Raft, disk: &Arc<dyn Disk>, vote: crate::types::Vote) -> PartAnswer {
    let received = StoredSnapshot::received(disk.clone());
    let read = {
        let disk = disk.clone();
        tokio::task::spawn_blocking(move || snapshot::read(&*disk, snapshot::RECEIVED)).await
    };
    let meta = match read {
        Ok(Ok(Some(loaded))) => loaded.meta,
        Ok(Ok(None)) => return PartAnswer::Again,
        Ok(Err(error)) => return PartAnswer::Failed(error.to_string()),
        Err(error) => return PartAnswer::Failed(error.to_string()),
    };
    let snapshot = Snapshot { meta, snapshot: Box::new(received) };
    match raft.install_full_snapshot(vote, snapshot).await {
        Ok(response) => PartAnswer::Installed(response),
        Err(error) => PartAnswer::Failed(error.to_string()),
    }
}
