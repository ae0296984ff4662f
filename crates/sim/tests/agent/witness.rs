//! A driver that lets the simulated one do the work and watches what is asked of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use novacron_host::hypervisor::sim::{SimHypervisor, SimWorld};
use novacron_host::hypervisor::{
    Agent, Bridges, CdromDrive, Control, Drive, Figures, Forward, Freeze, Growth, GuestEvent,
    Hotplug, Screen, Serial, Snapshots,
};
use novacron_host::{Capabilities, Handle, Hypervisor, Machine, Observed, Stop};
use novacron_model::Result;
use novacron_model::volume::IoLimits;
use novacron_sim::SimPools;
use tokio::time::sleep;
use uuid::Uuid;

/// How long an operation takes: long enough to be killed in.
const TAKES: Duration = Duration::from_millis(3);

pub struct Witness {
    driver: SimHypervisor,
    world: SimWorld,
    pools: SimPools,
    seen: Mutex<Seen>,
    /// A planted fault: guests that were started are never found again.
    pub blind: bool,
}

#[derive(Debug, Default)]
struct Seen {
    violations: Vec<String>,
    starts: BTreeMap<Uuid, u32>,
    resets: BTreeMap<Uuid, u32>,
    presses: BTreeMap<Uuid, u32>,
    epochs: BTreeMap<Uuid, u64>,
}

impl Witness {
    pub fn new(world: SimWorld, pools: SimPools) -> Self {
        let driver = SimHypervisor::new(world.clone());
        Self { driver, world, pools, seen: Mutex::default(), blind: false }
    }

    /// The machine has no rights to use bridges.
    pub fn deny_bridges(&mut self) {
        self.world.deny_bridges();
        self.driver = SimHypervisor::new(self.world.clone());
    }

    /// What must never be asked of a driver and was.
    pub fn violations(&self) -> Vec<String> {
        self.seen().violations.clone()
    }

    /// Processes that were started.
    pub fn starts(&self, uid: Uuid) -> u32 {
        self.seen().starts.get(&uid).copied().unwrap_or(0)
    }

    pub fn resets(&self, uid: Uuid) -> u32 {
        self.seen().resets.get(&uid).copied().unwrap_or(0)
    }

    pub fn presses(&self, uid: Uuid) -> u32 {
        self.seen().presses.get(&uid).copied().unwrap_or(0)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn is_read(&self, drive: &Path) -> bool {
        let uid = drive.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        uid.is_some_and(|uid| self.pools.is_read(uid))
    }

    fn note_start(&self, machine: &Machine) {
        let mut seen = self.seen();
        if self.world.guests().contains(&machine.uid) {
            seen.violations.push(format!("{} was started while it runs", machine.name));
        }
        if machine.drives.iter().any(|drive| self.is_read(&drive.path)) {
            seen.violations.push(format!("{} was started while a disk is copied", machine.name));
        }
        let epoch = seen.epochs.entry(machine.uid).or_default();
        if machine.epoch < *epoch {
            seen.violations.push(format!("{} was started in an old epoch", machine.name));
        } else {
            *epoch = machine.epoch;
        }
        *seen.starts.entry(machine.uid).or_default() += 1;
    }
}

#[async_trait]
impl Hypervisor for Witness {
    fn capabilities(&self) -> &Capabilities {
        self.driver.capabilities()
    }

    async fn ensure(&self, machine: &Machine) -> Result<Handle> {
        sleep(TAKES).await;
        self.note_start(machine);
        let handle = self.driver.ensure(machine).await;
        sleep(TAKES).await;
        handle
    }

    async fn observe(&self, handle: &Handle) -> Result<Observed> {
        // What is seen may be old when it is decided upon.
        sleep(2 * TAKES).await;
        // The world's clock is not the stage's.
        Ok(Observed { started: None, ..self.driver.observe(handle).await? })
    }

    async fn find(&self, uid: Uuid) -> Result<Option<Handle>> {
        if self.blind { Ok(None) } else { self.driver.find(uid).await }
    }

    async fn stop(&self, handle: &Handle, how: Stop) -> Result<()> {
        sleep(TAKES).await;
        *self.seen().presses.entry(handle.uid).or_default() += 1;
        self.driver.stop(handle, how).await?;
        sleep(TAKES).await;
        Ok(())
    }

    async fn destroy(&self, handle: &Handle) -> Result<()> {
        sleep(TAKES).await;
        self.driver.destroy(handle).await?;
        sleep(TAKES).await;
        Ok(())
    }

    async fn forget(&self, uid: Uuid) -> Result<()> {
        self.driver.forget(uid).await
    }

    async fn log(&self, uid: Uuid, limit: u64) -> Result<Vec<u8>> {
        self.driver.log(uid, limit).await
    }

    fn events(&self) -> BoxStream<'static, GuestEvent> {
        self.driver.events()
    }

    fn control(&self) -> Option<&dyn Control> {
        Some(self)
    }

    fn serial(&self) -> Option<&dyn Serial> {
        self.driver.serial()
    }

    fn screen(&self) -> Option<&dyn Screen> {
        self.driver.screen()
    }

    fn guest_agent(&self) -> Option<&dyn Agent> {
        self.driver.guest_agent()
    }

    fn figures(&self) -> Option<&dyn Figures> {
        self.driver.figures()
    }

    fn snapshots(&self) -> Option<&dyn Snapshots> {
        self.driver.snapshots()
    }

    fn growth(&self) -> Option<&dyn Growth> {
        self.driver.growth()
    }

    fn hotplug(&self) -> Option<&dyn Hotplug> {
        Some(self)
    }

    fn freeze(&self) -> Option<&dyn Freeze> {
        Hypervisor::freeze(&self.driver)
    }

    fn bridges(&self) -> Option<&dyn Bridges> {
        self.driver.bridges()
    }
}

#[async_trait]
impl Hotplug for Witness {
    async fn attach(&self, handle: &Handle, drive: &Drive) -> Result<()> {
        sleep(TAKES).await;
        self.driver.attach(handle, drive).await?;
        sleep(TAKES).await;
        Ok(())
    }

    async fn detach(&self, handle: &Handle, path: &Path) -> Result<()> {
        sleep(TAKES).await;
        self.driver.detach(handle, path).await?;
        sleep(TAKES).await;
        Ok(())
    }

    async fn limit(&self, handle: &Handle, path: &Path, limits: IoLimits) -> Result<()> {
        sleep(TAKES).await;
        self.driver.limit(handle, path, limits).await
    }

    async fn change_medium(&self, handle: &Handle, cdrom: &CdromDrive) -> Result<()> {
        sleep(TAKES).await;
        self.driver.change_medium(handle, cdrom).await
    }

    async fn change_forwards(
        &self,
        handle: &Handle,
        nic: usize,
        ends: &[Forward],
        begins: &[Forward],
    ) -> Result<()> {
        sleep(TAKES).await;
        self.driver.change_forwards(handle, nic, ends, begins).await
    }
}

#[async_trait]
impl Control for Witness {
    async fn pause(&self, handle: &Handle) -> Result<()> {
        sleep(TAKES).await;
        Control::pause(&self.driver, handle).await
    }

    async fn resume(&self, handle: &Handle) -> Result<()> {
        sleep(TAKES).await;
        Control::resume(&self.driver, handle).await
    }

    async fn reset(&self, handle: &Handle) -> Result<()> {
        sleep(TAKES).await;
        *self.seen().resets.entry(handle.uid).or_default() += 1;
        Control::reset(&self.driver, handle).await
    }
}
