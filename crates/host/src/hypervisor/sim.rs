//! Driver `sim`: guests that live in this process, with every power, for tests and `--sim`.
//!
//! Guests belong to a [`SimWorld`], not to the driver: a second [`SimHypervisor`] on the same
//! world adopts them, as a restarted daemon adopts QEMU's processes. Faults are caused through
//! the world ([`SimWorld::crash`], [`SimWorld::fill_disk`], …). No bytes reach a disk.

mod agent;
mod font;
mod freeze;
mod hotplug;
mod line;
mod load;
mod rfb;
mod shell;
mod world;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use novacron_model::figures::Totals;
use novacron_model::{Bytes, Error, Result, volume::DiskFormat};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::{
    Agent, Bridges, Capabilities, Control, Drive, Duplex, Figures, Freeze, Growth, GuestEvent,
    Handle, Hotplug, Hypervisor, Machine, NicPort, Observed, Phase, Plug, Screen, Serial,
    Snapshots, Stop,
};
pub use world::SimWorld;

/// What a snapshot of one drive holds.
const SNAPSHOT_SIZE: Bytes = Bytes(1 << 20);
pub const DRIVER: &str = "sim";
const POWERS: [&str; 10] = [
    "control",
    "serial",
    "screen",
    "guest_agent",
    "snapshots",
    "growth",
    "hotplug",
    "freeze",
    "figures",
    "bridges",
];

pub struct SimHypervisor {
    world: SimWorld,
    capabilities: Capabilities,
    stop: CancellationToken,
    /// Ends what the driver does by itself with it; guests go on as they are.
    _stopped: DropGuard,
}

impl SimHypervisor {
    pub fn new(world: SimWorld) -> Self {
        let mut powers = POWERS.to_vec();
        powers.retain(|power| *power != "bridges" || world.has_bridges());
        let capabilities = Capabilities {
            driver: DRIVER,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            accelerator: DRIVER.to_owned(),
            reason: "guests are simulated inside the daemon; nothing runs".to_owned(),
            max_cpus: 255,
            powers,
        };
        // What a daemon froze that has died since.
        world.thaw_all();
        let stop = CancellationToken::new();
        Self { world, capabilities, stop: stop.clone(), _stopped: stop.drop_guard() }
    }

    async fn latency(&self) {
        let delay = self.world.next_latency();
        if delay > Duration::ZERO {
            tokio::time::sleep(delay).await;
        }
    }
}

#[async_trait]
impl Hypervisor for SimHypervisor {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn ensure(&self, machine: &Machine) -> Result<Handle> {
        self.latency().await;
        self.world.start(machine)
    }

    async fn observe(&self, handle: &Handle) -> Result<Observed> {
        Ok(self.world.observe(handle))
    }

    async fn find(&self, uid: Uuid) -> Result<Option<Handle>> {
        Ok(self.world.find(uid))
    }

    async fn stop(&self, handle: &Handle, _how: Stop) -> Result<()> {
        self.latency().await;
        self.world.press_power_button(handle)
    }

    async fn destroy(&self, handle: &Handle) -> Result<()> {
        self.latency().await;
        self.world.destroy(handle);
        Ok(())
    }

    async fn forget(&self, uid: Uuid) -> Result<()> {
        self.world.forget(uid)
    }

    async fn log(&self, uid: Uuid, limit: u64) -> Result<Vec<u8>> {
        Ok(self.world.log(uid, limit))
    }

    fn events(&self) -> BoxStream<'static, GuestEvent> {
        super::event_stream(self.world.events())
    }

    fn control(&self) -> Option<&dyn Control> {
        Some(self)
    }

    fn serial(&self) -> Option<&dyn Serial> {
        Some(self)
    }

    fn screen(&self) -> Option<&dyn Screen> {
        Some(self)
    }

    fn guest_agent(&self) -> Option<&dyn Agent> {
        Some(self)
    }

    fn snapshots(&self) -> Option<&dyn Snapshots> {
        Some(self)
    }

    fn growth(&self) -> Option<&dyn Growth> {
        Some(self)
    }

    fn hotplug(&self) -> Option<&dyn Hotplug> {
        Some(self)
    }

    fn freeze(&self) -> Option<&dyn Freeze> {
        Some(self)
    }

    fn figures(&self) -> Option<&dyn Figures> {
        Some(self)
    }

    fn bridges(&self) -> Option<&dyn Bridges> {
        self.capabilities.powers.contains(&"bridges").then_some(self as &dyn Bridges)
    }
}

#[async_trait]
impl Figures for SimHypervisor {
    async fn totals(&self, handle: &Handle) -> Result<Option<Totals>> {
        Ok(self.world.guest_totals(handle))
    }
}

#[async_trait]
impl Bridges for SimHypervisor {
    async fn check(&self, bridge: &str) -> Result<()> {
        self.world.check_bridge(bridge)
    }

    async fn plugs(&self, handle: &Handle, _nics: &[NicPort]) -> Result<Vec<Plug>> {
        self.world.plugs(handle)
    }

    async fn plug(&self, handle: &Handle, _nics: &[NicPort]) -> Result<()> {
        self.latency().await;
        self.world.plug(handle)
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        let changes = self.world.bridge_changes();
        futures::stream::unfold(changes, |mut changes| async move {
            changes.changed().await.ok()?;
            Some(((), changes))
        })
        .boxed()
    }
}

#[async_trait]
impl Control for SimHypervisor {
    async fn pause(&self, handle: &Handle) -> Result<()> {
        self.latency().await;
        self.world.change(handle, "STOP", |guest| match guest.phase {
            Phase::Running => {
                guest.phase = Phase::Paused;
                Ok(true)
            }
            Phase::Paused => Ok(false),
            _ => Err(guest.halted("cannot be paused")),
        })
    }

    async fn resume(&self, handle: &Handle) -> Result<()> {
        self.latency().await;
        self.world.change(handle, "RESUME", |guest| match guest.phase {
            Phase::Paused | Phase::PausedOnIoError => {
                guest.phase = Phase::Running;
                guest.reason = None;
                guest.boot_once();
                Ok(true)
            }
            Phase::Running => Ok(false),
            _ => Err(guest.halted("cannot be resumed")),
        })
    }

    async fn reset(&self, handle: &Handle) -> Result<()> {
        self.latency().await;
        self.world.change(handle, "RESET", |guest| {
            if matches!(guest.phase, Phase::ShutDown | Phase::Crashed) {
                guest.phase = Phase::Running;
            }
            (guest.booted, guest.frozen) = (false, false);
            guest.reason = None;
            if guest.phase == Phase::Running {
                guest.boot_once();
            }
            Ok(true)
        })
    }
}

#[async_trait]
impl Serial for SimHypervisor {
    async fn open(&self, handle: &Handle) -> Result<Box<dyn Duplex>> {
        line::open(&self.world, handle)
    }

    async fn tail(&self, uid: Uuid, limit: u64) -> Result<Vec<u8>> {
        Ok(self.world.tail(uid, limit))
    }
}

#[async_trait]
impl Screen for SimHypervisor {
    async fn open(&self, handle: &Handle) -> Result<Box<dyn Duplex>> {
        let name = self.world.change_quietly(handle, |guest| Ok(guest.name.clone()))?;
        Ok(rfb::serve(&name, &handle.uid.to_string()))
    }
}

#[async_trait]
impl Snapshots for SimHypervisor {
    async fn take(&self, _handle: Option<&Handle>, drives: &[Drive], tag: Uuid) -> Result<()> {
        check_formats(drives)?;
        self.latency().await;
        self.world.with_snapshots(|taken| {
            taken.extend(drives.iter().map(|drive| (drive.path.clone(), tag)));
        });
        Ok(())
    }

    async fn delete(&self, _handle: Option<&Handle>, drives: &[Drive], tag: Uuid) -> Result<()> {
        self.latency().await;
        self.world.with_snapshots(|taken| {
            for drive in drives {
                taken.remove(&(drive.path.clone(), tag));
            }
        });
        Ok(())
    }

    async fn restore(&self, drives: &[Drive], tag: Uuid) -> Result<()> {
        check_formats(drives)?;
        self.latency().await;
        let missing = self.world.with_snapshots(|taken| {
            drives.iter().find(|drive| !taken.contains(&(drive.path.clone(), tag))).cloned()
        });
        match missing {
            None => Ok(()),
            Some(drive) => Err(super::snapshot_missing(&drive, tag)),
        }
    }

    async fn size(&self, drives: &[Drive], tag: Uuid) -> Result<Bytes> {
        let held = |drive: &Drive| {
            let taken =
                self.world.with_snapshots(|taken| taken.contains(&(drive.path.clone(), tag)));
            if taken { Ok(SNAPSHOT_SIZE.0) } else { Err(super::snapshot_missing(drive, tag)) }
        };
        Ok(Bytes(drives.iter().map(held).sum::<Result<_>>()?))
    }
}

#[async_trait]
impl Growth for SimHypervisor {
    async fn grow(&self, handle: &Handle, path: &Path, size: Bytes) -> Result<Option<Bytes>> {
        self.latency().await;
        self.world.change_quietly(handle, |guest| {
            let Some(drive) = guest.drives.get_mut(path) else { return Ok(None) };
            drive.size = size.max(drive.size);
            Ok(Some(drive.size))
        })
    }
}

fn check_formats(drives: &[Drive]) -> Result<(), Error> {
    match drives.iter().find(|drive| drive.format != DiskFormat::Qcow2) {
        None => Ok(()),
        Some(drive) => Err(super::snapshot_of_raw(drive)),
    }
}
