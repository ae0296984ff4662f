//! Power `hotplug` of simulated guests, which give up at once what they do not cling to. Between the
//! halves of a change time passes, in which a daemon can die.

use std::path::Path;

use async_trait::async_trait;
use novacron_model::vm::DiskBus;
use novacron_model::volume::IoLimits;
use novacron_model::{Code, Error, Result};

use super::super::{CdromDrive, Drive, Forward, Handle, Hotplug, no_such_device};
use super::SimHypervisor;
use super::world::SimDrive;

#[async_trait]
impl Hotplug for SimHypervisor {
    async fn attach(&self, handle: &Handle, drive: &Drive) -> Result<()> {
        self.latency().await;
        if drive.bus == DiskBus::Sata {
            return Err(Error::unsupported("SATA takes no disks while the guest runs"));
        }
        self.world.change_quietly(handle, |guest| {
            let (path, new) = SimDrive::of(drive);
            guest.drives.entry(path).or_insert(new).limits = drive.limits;
            Ok(())
        })
    }

    async fn detach(&self, handle: &Handle, path: &Path) -> Result<()> {
        self.latency().await;
        self.world.change_quietly(handle, |guest| {
            if guest.clings && guest.drives.contains_key(path) {
                return Err(Error::new(Code::Timeout, "the guest does not let go of the disk"));
            }
            guest.drives.remove(path);
            Ok(())
        })
    }

    async fn limit(&self, handle: &Handle, path: &Path, limits: IoLimits) -> Result<()> {
        self.latency().await;
        self.world.change_quietly(handle, |guest| {
            if let Some(drive) = guest.drives.get_mut(path) {
                drive.limits = limits;
            }
            Ok(())
        })
    }

    async fn change_medium(&self, handle: &Handle, cdrom: &CdromDrive) -> Result<()> {
        self.latency().await;
        self.world.change_quietly(handle, |guest| {
            let drive = guest.media.get_mut(&cdrom.name);
            let drive = drive.ok_or_else(|| no_such_device(handle.uid, &cdrom.name))?;
            if guest.clings && *drive != cdrom.medium {
                return Err(Error::new(Code::Timeout, "the guest holds the medium"));
            }
            drive.clone_from(&cdrom.medium);
            Ok(())
        })
    }

    async fn change_forwards(
        &self,
        handle: &Handle,
        nic: usize,
        ends: &[Forward],
        begins: &[Forward],
    ) -> Result<()> {
        let change = |ends: &[Forward], begins: &[Forward]| {
            self.world.change_quietly(handle, |guest| {
                let forwards = guest.forwards.get_mut(nic);
                let device = format!("nic{nic}");
                let forwards = forwards.ok_or_else(|| no_such_device(handle.uid, &device))?;
                forwards.retain(|forward| !ends.contains(forward) && !begins.contains(forward));
                forwards.extend_from_slice(begins);
                Ok(())
            })
        };
        self.latency().await;
        change(&[], begins)?;
        self.latency().await;
        change(ends, &[])
    }
}
