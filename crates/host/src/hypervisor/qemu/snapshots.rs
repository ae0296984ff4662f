//! Power `snapshots`: internal snapshots of qcow2 files, by QEMU while the guest lives and by
//! `qemu-img` while it does not. Disks only, no memory. A snapshot is named by its tag.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use async_trait::async_trait;
use novacron_model::volume::DiskFormat;
use novacron_model::{Bytes, Error, Result};
use rustix::process::getpid;
use serde_json::{Value, json};
use tokio::process::Command;
use uuid::Uuid;

use super::super::{Drive, Handle, Snapshots, snapshot_missing, snapshot_of_raw};
use super::QemuHypervisor;
use super::guest::Guest;
use crate::storage::qemu_img::die_with;
use crate::storage::{fault, layers, qcow2};

#[async_trait]
impl Snapshots for QemuHypervisor {
    async fn take(&self, handle: Option<&Handle>, drives: &[Drive], tag: Uuid) -> Result<()> {
        check_formats(drives)?;
        match handle {
            Some(handle) => self.guest(handle)?.take_snapshot(drives, tag).await,
            None => self.take_stopped(drives, tag).await,
        }
    }

    async fn delete(&self, handle: Option<&Handle>, drives: &[Drive], tag: Uuid) -> Result<()> {
        let holding = drives.iter().filter(|drive| drive.format == DiskFormat::Qcow2);
        for drive in holding {
            match handle {
                Some(handle) => self.guest(handle)?.delete_snapshot(drive, tag).await?,
                None if self.has_snapshot(drive, tag).await? => {
                    self.snapshot_command("-d", drive, tag).await?;
                }
                None => {}
            }
        }
        Ok(())
    }

    async fn restore(&self, drives: &[Drive], tag: Uuid) -> Result<()> {
        check_formats(drives)?;
        // All or none: nothing is changed while one disk lacks the snapshot.
        for drive in drives {
            if !self.has_snapshot(drive, tag).await? {
                return Err(snapshot_missing(drive, tag));
            }
        }
        for (restored, drive) in drives.iter().enumerate() {
            let done = self.snapshot_command("-a", drive, tag).await;
            done.map_err(|error| half_restored(error, &drives[..restored], &drives[restored..]))?;
        }
        Ok(())
    }

    async fn size(&self, drives: &[Drive], tag: Uuid) -> Result<Bytes> {
        let drives = drives.to_vec();
        let held = move || {
            let held = |drive| held(drive, tag).map(|held| held.0);
            Ok(Bytes(drives.iter().map(held).sum::<Result<_>>()?))
        };
        let done = tokio::task::spawn_blocking(held).await;
        done.unwrap_or_else(|error| Err(Error::internal(error.to_string())))
    }
}

/// Says which disks show the snapshot and which do not: together they are no moment of the VM.
fn half_restored(error: Error, restored: &[Drive], others: &[Drive]) -> Error {
    if restored.is_empty() {
        return error;
    }
    let names = |drives: &[Drive]| {
        let names = drives.iter().map(|drive| format!("\"{}\"", drive.serial));
        names.collect::<Vec<_>>().join(", ")
    };
    let message = format!(
        "{}; of the VM's disks {} went back to the snapshot and {} did not",
        error.message,
        names(restored),
        names(others)
    );
    let hint = error.hint.map(|hint| format!("{hint}; then ")).unwrap_or_default();
    Error::new(error.code, message)
        .hint(format!("{hint}restore the snapshot again before the VM runs"))
}

fn held(drive: &Drive, tag: Uuid) -> Result<Bytes> {
    let held = File::open(&drive.path).and_then(|file| qcow2::held(&file, &tag.to_string()));
    let held = held.map_err(|error| {
        Error::unavailable(format!("disk \"{}\" cannot be read: {error}", drive.serial))
    })?;
    held.ok_or_else(|| snapshot_missing(drive, tag))
}

fn check_formats(drives: &[Drive]) -> Result<()> {
    match drives.iter().find(|drive| drive.format != DiskFormat::Qcow2) {
        None => Ok(()),
        Some(drive) => Err(snapshot_of_raw(drive)),
    }
}

impl Guest {
    /// All disks in one transaction, so that they show one moment.
    async fn take_snapshot(&self, drives: &[Drive], tag: Uuid) -> Result<()> {
        let nodes = self.block_nodes().await?;
        let mut actions = Vec::new();
        let mut done = 0;
        for drive in drives {
            let node = self.node_of(&nodes, drive)?;
            if holds(node, tag) {
                done += 1;
            }
            actions.push(json!({
                "type": "blockdev-snapshot-internal-sync",
                "data": {"device": node["node-name"], "name": tag.to_string()},
            }));
        }
        if done == drives.len() {
            return Ok(());
        }
        // Part of an earlier, broken try shows another moment.
        for drive in drives {
            self.delete_snapshot(drive, tag).await?;
        }
        let taken = self.call("transaction", json!({"actions": actions})).await;
        taken.map(drop).map_err(|error| match drives.first() {
            Some(drive) if fault::tells_full(&error.message) => fault::full(&drive.path),
            _ => error,
        })
    }

    async fn delete_snapshot(&self, drive: &Drive, tag: Uuid) -> Result<()> {
        let nodes = self.block_nodes().await?;
        let node = self.node_of(&nodes, drive)?;
        if !holds(node, tag) {
            return Ok(());
        }
        let arguments = json!({"device": node["node-name"], "name": tag.to_string()});
        self.call("blockdev-snapshot-delete-internal-sync", arguments).await.map(drop)
    }

    pub(super) async fn block_nodes(&self) -> Result<Vec<Value>> {
        match self.call("query-named-block-nodes", Value::Null).await? {
            Value::Array(nodes) => Ok(nodes),
            _ => Ok(Vec::new()),
        }
    }

    fn node_of<'a>(&self, nodes: &'a [Value], drive: &Drive) -> Result<&'a Value> {
        node_over(nodes, &drive.path).ok_or_else(|| {
            Error::conflict(format!(
                "disk \"{}\" is not in use by guest {}",
                drive.serial, self.handle.uid
            ))
        })
    }
}

/// The format node of a drive, found by the file beneath it: the order of the drives at the
/// guest's start need not be known.
pub(super) fn node_over<'a>(nodes: &'a [Value], path: &Path) -> Option<&'a Value> {
    let file = nodes
        .iter()
        .find(|node| node["drv"] == "file" && node["file"].as_str().map(Path::new) == Some(path));
    let name = file.and_then(|node| node["node-name"].as_str()?.strip_suffix("-file"));
    nodes.iter().find(|node| name.is_some() && node["node-name"].as_str() == name)
}

/// Whether a block node's image has the snapshot.
fn holds(node: &Value, tag: Uuid) -> bool {
    names(&node["image"]).any(|name| name == tag.to_string())
}

fn names(image: &Value) -> impl Iterator<Item = &str> {
    let list = image["snapshots"].as_array().map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(|snapshot| snapshot["name"].as_str())
}

impl QemuHypervisor {
    async fn take_stopped(&self, drives: &[Drive], tag: Uuid) -> Result<()> {
        for (index, drive) in drives.iter().enumerate() {
            if self.has_snapshot(drive, tag).await? {
                continue;
            }
            if let Err(error) = self.snapshot_command("-c", drive, tag).await {
                for taken in &drives[..index] {
                    // The first error is the one to tell.
                    let _ = self.snapshot_command("-d", taken, tag).await;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    async fn has_snapshot(&self, drive: &Drive, tag: Uuid) -> Result<bool> {
        let words = ["info", "--output=json", "--image-opts"].map(str::to_owned);
        // `info` leaves backing files closed and refuses options for them.
        let told = self
            .qemu_img(&words, drive, layers::own_options((&drive.path, DiskFormat::Qcow2)))
            .await?;
        let image: Value = serde_json::from_slice(&told).unwrap_or_default();
        Ok(names(&image).any(|name| name == tag.to_string()))
    }

    async fn snapshot_command(&self, verb: &str, drive: &Drive, tag: Uuid) -> Result<()> {
        let words = ["snapshot", "--image-opts", verb].map(str::to_owned);
        self.qemu_img(&[&words[..], &[tag.to_string()]].concat(), drive, image_options(drive))
            .await
            .map(drop)
    }

    async fn qemu_img(&self, words: &[String], drive: &Drive, options: String) -> Result<Vec<u8>> {
        let mut command = Command::new(self.qemu_img_binary());
        command.args(words).arg(options).stdin(Stdio::null()).kill_on_drop(true);
        die_with(&mut command, getpid());
        let output = command.output().await.map_err(|error| {
            Error::unavailable(format!("qemu-img cannot be run: {error}"))
                .hint("install qemu-utils")
        })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        if fault::tells_full(&said) {
            return Err(fault::full(&drive.path));
        }
        let said = said.trim().trim_start_matches("qemu-img: ");
        Err(Error::unavailable(format!("disk \"{}\": {said}", drive.serial)))
    }
}

fn image_options(drive: &Drive) -> String {
    let image = drive.backing.as_ref().map(|(path, format)| (path.as_path(), *format));
    layers::options((&drive.path, DiskFormat::Qcow2), image)
}
