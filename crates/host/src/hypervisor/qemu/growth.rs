//! Power `growth`: QEMU enlarges a disk, and the guest's driver is told.

use std::path::Path;

use async_trait::async_trait;
use novacron_model::units::Bytes;
use novacron_model::{Error, Result};
use serde_json::{Value, json};

use super::super::{Growth, Handle};
use super::guest::Guest;
use super::{QemuHypervisor, snapshots};
use crate::storage::fault;

#[async_trait]
impl Growth for QemuHypervisor {
    async fn grow(&self, handle: &Handle, path: &Path, size: Bytes) -> Result<Option<Bytes>> {
        let guest = self.guest(handle)?;
        let Some((node, now)) = guest.disk_at(path).await? else { return Ok(None) };
        if now >= size {
            return Ok(Some(now));
        }
        let resized = guest.call("block_resize", json!({"node-name": node, "size": size.0})).await;
        resized.map_err(|error| {
            if fault::tells_full(&error.message) { fault::full(path) } else { error }
        })?;
        Ok(guest.disk_at(path).await?.map(|(_, now)| now))
    }
}

impl Guest {
    /// The block node over a file, and its size.
    async fn disk_at(&self, path: &Path) -> Result<Option<(String, Bytes)>> {
        let nodes = self.block_nodes().await?;
        let Some(node) = snapshots::node_over(&nodes, path) else { return Ok(None) };
        let size = node["image"]["virtual-size"].as_u64().map(Bytes);
        let name = node["node-name"].as_str().map(str::to_owned);
        name.zip(size).map(Some).ok_or_else(|| {
            Error::internal(format!("QEMU does not tell the size of {}: {}", path.display(), {
                Value::clone(node)
            }))
        })
    }
}
