//! Power `hotplug`: disks come and go through slots of their own, media through the drive's tray,
//! forwards through the user network's own rules.
//!
//! QEMU asks the guest to let go of a disk and tells nothing when it does not: whoever asks looks
//! for a while, and may ask again.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use novacron_model::vm::DiskBus;
use novacron_model::volume::IoLimits;
use novacron_model::{Code, Error, Result};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::super::{CdromDrive, Drive, Forward, Handle, Hotplug, no_such_device};
use super::guest::Guest;
use super::{QemuHypervisor, command, snapshots};

/// How long a guest may take to let go of a disk, or of the medium in a drive.
const LET_GO: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[async_trait]
impl Hotplug for QemuHypervisor {
    async fn attach(&self, handle: &Handle, drive: &Drive) -> Result<()> {
        self.guest(handle)?.attach(drive).await
    }

    async fn detach(&self, handle: &Handle, path: &Path) -> Result<()> {
        self.guest(handle)?.detach(path).await
    }

    async fn limit(&self, handle: &Handle, path: &Path, limits: IoLimits) -> Result<()> {
        self.guest(handle)?.limit(path, limits).await
    }

    async fn change_medium(&self, handle: &Handle, cdrom: &CdromDrive) -> Result<()> {
        self.guest(handle)?.change_medium(cdrom).await
    }

    async fn change_forwards(
        &self,
        handle: &Handle,
        nic: usize,
        ends: &[Forward],
        begins: &[Forward],
    ) -> Result<()> {
        self.guest(handle)?.change_forwards(nic, ends, begins).await
    }
}

impl Guest {
    /// Holds the drives of a guest that was just started to their limits.
    pub(super) async fn limit_all(&self, drives: &[Drive]) -> Result<()> {
        for drive in drives.iter().filter(|drive| drive.limits != IoLimits::default()) {
            self.limit(&drive.path, drive.limits).await?;
        }
        Ok(())
    }

    async fn attach(&self, drive: &Drive) -> Result<()> {
        if drive.bus == DiskBus::Sata {
            let message = format!("disk \"{}\" is on SATA, which takes no disks now", drive.serial);
            return Err(Error::unsupported(message));
        }
        if self.device_over(&drive.path).await?.is_none() {
            let node = self.open(drive).await?;
            if let Err(error) = self.plug_in(&node, drive).await {
                // The first error is the one to tell; what is left is found by its path.
                let _ = self.call("blockdev-del", json!({"node-name": node})).await;
                return Err(error);
            }
        }
        self.limit(&drive.path, drive.limits).await
    }

    /// Opens the file of a drive, and returns its block node.
    async fn open(&self, drive: &Drive) -> Result<String> {
        if let Some(node) = self.node_at(&drive.path).await? {
            return Ok(node);
        }
        let node = format!("plug-{}", drive.serial);
        self.call("blockdev-add", command::disk_block(&node, drive)?).await?;
        Ok(node)
    }

    /// Puts a disk into the first slot that is free.
    async fn plug_in(&self, node: &str, drive: &Drive) -> Result<()> {
        let mut device = command::disk_device(node, drive);
        device["driver"] = json!("virtio-blk-pci");
        for port in 0..command::SPARE_PORTS {
            device["bus"] = json!(command::spare_port(port));
            match self.call("device_add", device.clone()).await {
                Err(error) if error.message.contains("occupied") => {}
                done => return done.map(drop),
            }
        }
        let message = format!("all {} slots for further disks are taken", command::SPARE_PORTS);
        Err(Error::conflict(message).hint("detach another disk, or restart the VM"))
    }

    async fn detach(&self, path: &Path) -> Result<()> {
        let asked = Instant::now();
        if let Some(device) = self.device_over(path).await? {
            self.ask_to_let_go(&device).await?;
            while self.device_over(path).await?.is_some() {
                if asked.elapsed() > LET_GO {
                    let message = "the guest does not let go of the disk";
                    let hint = "unmount it in the guest, or stop the VM";
                    return Err(Error::new(Code::Timeout, message).hint(hint));
                }
                sleep(LOOK_AGAIN).await;
            }
        }
        while let Some(node) = self.node_at(path).await? {
            match self.call("blockdev-del", json!({"node-name": node})).await {
                // What is left of the device goes a moment after it is no longer shown.
                Err(error) if error.message.contains("in use") && asked.elapsed() <= LET_GO => {
                    sleep(LOOK_AGAIN).await;
                }
                done => drop(done?),
            }
        }
        Ok(())
    }

    async fn ask_to_let_go(&self, device: &str) -> Result<()> {
        // A virtio disk's file belongs to a part of its device.
        let id = device.strip_suffix("/virtio-backend").unwrap_or(device);
        match self.call("device_del", json!({"id": id})).await {
            Ok(_) => Ok(()),
            Err(error) if error.message.contains("in the process of unplug") => Ok(()),
            Err(error) if error.message.contains("not support hotplug") => {
                Err(Error::unsupported("the disk sits where it cannot be taken out now"))
            }
            Err(error) => Err(error),
        }
    }

    async fn limit(&self, path: &Path, limits: IoLimits) -> Result<()> {
        let Some(device) = self.device_over(path).await? else { return Ok(()) };
        let limits = json!({
            "id": device,
            "bps": limits.bandwidth.map_or(0, |bytes| bytes.0),
            "bps_rd": 0,
            "bps_wr": 0,
            "iops": limits.iops.unwrap_or(0),
            "iops_rd": 0,
            "iops_wr": 0,
        });
        self.call("block_set_io_throttle", limits).await.map(drop)
    }

    async fn change_medium(&self, cdrom: &CdromDrive) -> Result<()> {
        let id = command::cdrom_id(&cdrom.name);
        let drive = self.drive_of(&id).await?;
        let wanted = cdrom.medium.as_deref();
        let lies = drive["inserted"]["file"].as_str().map(Path::new);
        if lies == wanted && drive["tray_open"] != true {
            return Ok(());
        }
        // Opened before the old one is given up: a file that cannot be read changes nothing.
        let old = drive["inserted"]["node-name"].as_str();
        let new = match wanted {
            Some(medium) => Some(self.open_medium(&cdrom.name, old, medium).await?),
            None => None,
        };
        self.call("blockdev-open-tray", json!({"id": id})).await?;
        let asked = Instant::now();
        while self.drive_of(&id).await?["tray_open"] != true {
            if asked.elapsed() > LET_GO {
                if let Some(new) = &new {
                    self.close_medium(new).await?;
                }
                let message = format!("the guest holds the medium in drive \"{}\"", cdrom.name);
                return Err(Error::new(Code::Timeout, message).hint("eject it in the guest"));
            }
            sleep(LOOK_AGAIN).await;
        }
        self.call("blockdev-remove-medium", json!({"id": id})).await?;
        if let Some(new) = &new {
            let inserts = json!({"id": id, "node-name": new});
            self.call("blockdev-insert-medium", inserts).await?;
        }
        // With the old medium what a try left that was broken off.
        for node in
            command::medium_nodes(&cdrom.name).into_iter().filter(|n| Some(n) != new.as_ref())
        {
            self.close_medium(&node).await?;
        }
        self.call("blockdev-close-tray", json!({"id": id})).await.map(drop)
    }

    /// Opens a medium beside the one that lies in the drive, and returns its block node.
    async fn open_medium(&self, drive: &str, lies: Option<&str>, medium: &Path) -> Result<String> {
        let [one, other] = command::medium_nodes(drive);
        let node = if lies == Some(one.as_str()) { other } else { one };
        // Of a try that was broken off.
        self.close_medium(&node).await?;
        self.call("blockdev-add", command::medium_block(&node, medium)?).await?;
        Ok(node)
    }

    /// Does nothing where there is no such node.
    async fn close_medium(&self, node: &str) -> Result<()> {
        if self.block_nodes().await?.iter().any(|open| open["node-name"] == node) {
            self.call("blockdev-del", json!({"node-name": node})).await?;
        }
        Ok(())
    }

    async fn change_forwards(
        &self,
        nic: usize,
        ends: &[Forward],
        begins: &[Forward],
    ) -> Result<()> {
        // What works goes on until it is known that the rest can be had. A port that another
        // forward of this guest holds can only be had after it.
        let held = |begin: &&Forward| {
            ends.iter().any(|end| (end.host, end.protocol) == (begin.host, begin.protocol))
        };
        let (taken_over, free): (Vec<&Forward>, Vec<_>) = begins.iter().partition(held);
        self.begin_forwards(nic, &free).await?;
        let Err(error) = self.take_over(nic, ends, &taken_over).await else { return Ok(()) };
        // As far as it can be had, all is as before; the first error is the one to tell.
        for forward in free {
            let _ = self.end_forward(nic, forward).await;
        }
        for forward in ends {
            let _ = self.begin_forward(nic, forward).await;
        }
        Err(error)
    }

    async fn take_over(&self, nic: usize, ends: &[Forward], begins: &[&Forward]) -> Result<()> {
        for forward in ends {
            self.end_forward(nic, forward).await?;
        }
        self.begin_forwards(nic, begins).await
    }

    /// All or none.
    async fn begin_forwards(&self, nic: usize, forwards: &[&Forward]) -> Result<()> {
        for (index, forward) in forwards.iter().enumerate() {
            // A try that was broken off may have begun it.
            self.end_forward(nic, forward).await?;
            let Err(error) = self.begin_forward(nic, forward).await else { continue };
            for begun in &forwards[..index] {
                self.end_forward(nic, begun).await?;
            }
            return Err(error);
        }
        Ok(())
    }

    async fn begin_forward(&self, nic: usize, forward: &Forward) -> Result<()> {
        let rule = command::forward_rule(forward)?;
        let said = self.say(format!("hostfwd_add net{nic} {rule}")).await?;
        if said.is_empty() {
            return Ok(());
        }
        let message =
            format!("port {} on {} cannot be used: {said}", forward.host, forward.address);
        Err(Error::conflict(message).hint("end what uses it, or forward another port"))
    }

    /// Does nothing where there is no such forward.
    async fn end_forward(&self, nic: usize, forward: &Forward) -> Result<()> {
        let rule = command::forward_rule(forward)?;
        let from = rule.split_once('-').map_or(&*rule, |(from, _)| from);
        self.say(format!("hostfwd_remove net{nic} {from}")).await.map(drop)
    }

    /// Says a line to the human monitor, which alone knows of forwards.
    async fn say(&self, line: String) -> Result<String> {
        let answer = self.call("human-monitor-command", json!({"command-line": line})).await?;
        Ok(answer.as_str().unwrap_or_default().trim().to_owned())
    }

    /// The device that has a file open, by its QOM path or id.
    async fn device_over(&self, path: &Path) -> Result<Option<String>> {
        let Some(node) = self.node_at(path).await? else { return Ok(None) };
        let blocks = self.call("query-block", Value::Null).await?;
        let blocks = blocks.as_array().map_or(&[][..], Vec::as_slice);
        let block = blocks.iter().find(|block| block["inserted"]["node-name"] == *node);
        Ok(block.and_then(|block| block["qdev"].as_str()).map(str::to_owned))
    }

    /// The block node over a file.
    async fn node_at(&self, path: &Path) -> Result<Option<String>> {
        let nodes = self.block_nodes().await?;
        let node = snapshots::node_over(&nodes, path);
        Ok(node.and_then(|node| node["node-name"].as_str()).map(str::to_owned))
    }

    /// What QEMU tells of a drive with removable media.
    async fn drive_of(&self, id: &str) -> Result<Value> {
        let blocks = self.call("query-block", Value::Null).await?;
        let blocks = blocks.as_array().map_or(&[][..], Vec::as_slice);
        let drive = blocks.iter().find(|block| block["qdev"] == id);
        drive.cloned().ok_or_else(|| no_such_device(self.handle.uid, id))
    }
}
