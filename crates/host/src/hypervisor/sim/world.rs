//! The simulated machine: its guests, their files and serial histories, and the faults that
//! tests cause. Leaves the driver's trait to the parent and byte streams to `line` and `rfb`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use novacron_model::figures::Totals;
use novacron_model::units::{Bytes as Size, Time};
use novacron_model::volume::IoLimits;
use novacron_model::{Error, Result};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::super::{
    CdromDrive, Drive, Forward, GuestEvent, Handle, Machine, Observed, Phase, Plug,
};
use super::DRIVER;
use super::load::{self, Awake};
use crate::load::Load;

/// Serial history kept per guest, in bytes.
const HISTORY: usize = 64 << 10;

/// A machine whose guests outlive any one driver object. Clones share it.
#[derive(Clone)]
pub struct SimWorld {
    state: Arc<Mutex<State>>,
    events: broadcast::Sender<GuestEvent>,
    /// Raised when bridges come or go.
    bridged: watch::Sender<u64>,
}

struct State {
    boot: u64,
    booted: Instant,
    /// What guests of this boot have used that are gone.
    spent: Totals,
    processes: u32,
    random: u64,
    latency_max: Duration,
    refusal: Option<String>,
    guests: BTreeMap<Uuid, Guest>,
    histories: BTreeMap<Uuid, Vec<u8>>,
    files: BTreeMap<Uuid, Files>,
    last_words: BTreeMap<Uuid, String>,
    snapshots: BTreeSet<(PathBuf, Uuid)>,
    bridges: BTreeSet<String>,
    no_bridges: bool,
}

pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

pub(super) struct Guest {
    pub handle: Handle,
    pub name: String,
    pub phase: Phase,
    pub reason: Option<String>,
    pub booted: bool,
    /// Typed on the serial line since the last Enter.
    pub typed: Vec<u8>,
    /// Its file systems hold still.
    pub frozen: bool,
    pub agent_hangs: bool,
    cpus: u32,
    memory: Size,
    awake: Awake,
    /// By the paths of their files.
    pub drives: BTreeMap<PathBuf, SimDrive>,
    /// What lies in its CD-ROM drives.
    pub media: BTreeMap<String, Option<PathBuf>>,
    /// Forwards of each NIC.
    pub forwards: Vec<Vec<Forward>>,
    /// It gives no device up.
    pub clings: bool,
    /// The bridge of each NIC, and whether it has been pulled out.
    ports: Vec<(Option<String>, bool)>,
    started: Time,
    deaf: bool,
    line: broadcast::Sender<Bytes>,
    unsaved: Vec<u8>,
}

#[derive(Default)]
pub(super) struct SimDrive {
    /// As far as it has grown.
    pub size: Size,
    pub limits: IoLimits,
}

impl SimDrive {
    pub fn of(drive: &Drive) -> (PathBuf, Self) {
        (drive.path.clone(), Self { size: Size(0), limits: drive.limits })
    }
}

fn media(cdroms: &[CdromDrive]) -> BTreeMap<String, Option<PathBuf>> {
    cdroms.iter().map(|cdrom| (cdrom.name.clone(), cdrom.medium.clone())).collect()
}

impl Default for SimWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl SimWorld {
    pub fn new() -> Self {
        let (events, _) = broadcast::channel(1024);
        let state = Arc::new(Mutex::new(State::new()));
        let world = Self { state, events, bridged: watch::channel(0).0 };
        world.add_bridge("br0");
        world
    }

    /// Every operation takes up to `max`, drawn from `seed`.
    pub fn with_latency(self, seed: u64, max: Duration) -> Self {
        let mut state = self.lock();
        state.random = seed;
        state.latency_max = max;
        drop(state);
        self
    }

    /// The guest's process dies without a word.
    pub fn crash(&self, uid: Uuid) {
        let mut state = self.lock();
        if state.bury(uid) {
            state.last_words.insert(uid, "killed by the simulated world".to_owned());
            self.tell(uid, "EXITED");
        }
    }

    /// The guest's kernel panics.
    pub fn panic(&self, uid: Uuid) {
        self.strike(uid, "GUEST_PANICKED", Phase::Crashed, "the guest's kernel panicked");
    }

    /// A disk of the guest cannot be written.
    pub fn fill_disk(&self, uid: Uuid) {
        self.strike(uid, "BLOCK_IO_ERROR", Phase::PausedOnIoError, "paused: a disk is full");
    }

    /// The guest powers itself off.
    pub fn power_off(&self, uid: Uuid) {
        self.strike(uid, "SHUTDOWN", Phase::ShutDown, "the guest powered itself off");
    }

    /// The guest no longer hears its power button.
    pub fn deafen(&self, uid: Uuid) {
        if let Some(guest) = self.lock().guests.get_mut(&uid) {
            guest.deaf = true;
        }
    }

    /// The guest's agent takes commands and answers none, until `hangs` is false again.
    pub fn hang_agent(&self, uid: Uuid, hangs: bool) {
        if let Some(guest) = self.lock().guests.get_mut(&uid) {
            guest.agent_hangs = hangs;
        }
    }

    /// The guest gives none of its devices up, until `clings` is false again.
    pub fn cling(&self, uid: Uuid, clings: bool) {
        if let Some(guest) = self.lock().guests.get_mut(&uid) {
            guest.clings = clings;
        }
    }

    /// The files of a live guest's drives and media, in no order.
    pub fn open_files(&self, uid: Uuid) -> Vec<PathBuf> {
        let state = self.lock();
        let Some(guest) = state.guests.get(&uid) else { return Vec::new() };
        guest.drives.keys().chain(guest.media.values().flatten()).cloned().collect()
    }

    /// Ports of the host that lead into a live guest.
    pub fn forwarded(&self, uid: Uuid) -> BTreeSet<u16> {
        let state = self.lock();
        let forwards = state.guests.get(&uid).map_or(&[][..], |guest| &guest.forwards);
        forwards.iter().flatten().map(|forward| forward.host).collect()
    }

    /// What a live guest may ask of its drive.
    pub fn limits(&self, uid: Uuid, path: &Path) -> Option<IoLimits> {
        Some(self.lock().guests.get(&uid)?.drives.get(path)?.limits)
    }

    /// Uids of the guests whose file systems hold still.
    pub fn frozen(&self) -> Vec<Uuid> {
        let state = self.lock();
        let frozen = state.guests.iter().filter(|(_, guest)| guest.frozen);
        frozen.map(|(uid, _)| *uid).collect()
    }

    pub(super) fn thaw_all(&self) {
        self.lock().guests.values_mut().for_each(|guest| guest.frozen = false);
    }

    /// Starts fail with this message until `None` is given.
    pub fn refuse_starts(&self, message: Option<&str>) {
        self.lock().refusal = message.map(str::to_owned);
    }

    pub fn add_bridge(&self, name: &str) {
        self.lock().bridges.insert(name.to_owned());
        self.bridged.send_modify(|changes| *changes += 1);
    }

    /// Whatever is in the bridge falls out of it.
    pub fn remove_bridge(&self, name: &str) {
        let mut state = self.lock();
        state.bridges.remove(name);
        let ports = state.guests.values_mut().flat_map(|guest| &mut guest.ports);
        ports
            .filter(|(bridge, _)| bridge.as_deref() == Some(name))
            .for_each(|(_, pulled)| *pulled = true);
        drop(state);
        self.bridged.send_modify(|changes| *changes += 1);
    }

    /// Drivers that are made from now on have no rights to use bridges.
    pub fn deny_bridges(&self) {
        self.lock().no_bridges = true;
    }

    /// The guest's NICs that have fallen out of their bridges.
    pub fn pulled(&self, uid: Uuid) -> Vec<usize> {
        let state = self.lock();
        let ports = state.guests.get(&uid).map_or(&[][..], |guest| &guest.ports);
        let pulled = ports.iter().enumerate().filter(|(_, (_, pulled))| *pulled);
        pulled.map(|(index, _)| index).collect()
    }

    pub(super) fn has_bridges(&self) -> bool {
        !self.lock().no_bridges
    }

    pub(super) fn check_bridge(&self, bridge: &str) -> Result<()> {
        if self.lock().bridges.contains(bridge) {
            return Ok(());
        }
        Err(super::super::no_such_bridge(bridge))
    }

    pub(super) fn bridge_changes(&self) -> watch::Receiver<u64> {
        self.bridged.subscribe()
    }

    pub(super) fn plugs(&self, handle: &Handle) -> Result<Vec<Plug>> {
        let ports = self.change_quietly(handle, |guest| Ok(guest.ports.clone()))?;
        let plug = |(bridge, pulled): &(Option<String>, bool)| match bridge {
            Some(bridge) if *pulled => self
                .check_bridge(bridge)
                .map_or_else(|error| Plug::Cut(error.message), |()| Plug::Out),
            _ => Plug::In,
        };
        Ok(ports.iter().map(plug).collect())
    }

    pub(super) fn plug(&self, handle: &Handle) -> Result<()> {
        let ports = self.change_quietly(handle, |guest| Ok(guest.ports.clone()))?;
        for bridge in ports.iter().filter_map(|(bridge, _)| bridge.as_ref()) {
            self.check_bridge(bridge)?;
        }
        self.change_quietly(handle, |guest| {
            guest.ports.iter_mut().for_each(|(_, pulled)| *pulled = false);
            Ok(())
        })
    }

    /// The machine is booted anew: no guest is left.
    pub fn reboot(&self) {
        let mut state = self.lock();
        state.boot += 1;
        (state.booted, state.spent) = (Instant::now(), Totals::default());
        for uid in std::mem::take(&mut state.guests).into_keys() {
            self.tell(uid, "EXITED");
        }
    }

    pub fn boot_id(&self) -> String {
        self.lock().boot_id()
    }

    /// Uids of the live guests.
    pub fn guests(&self) -> Vec<Uuid> {
        self.lock().guests.keys().copied().collect()
    }

    fn strike(&self, uid: Uuid, event: &str, phase: Phase, reason: &str) {
        if let Some(guest) = self.lock().guests.get_mut(&uid) {
            guest.phase = phase;
            guest.awake.set(phase == Phase::Running);
            guest.reason = Some(reason.to_owned());
            self.tell(uid, event);
        }
    }

    pub(super) fn next_latency(&self) -> Duration {
        let mut state = self.lock();
        if state.latency_max.is_zero() {
            return Duration::ZERO;
        }
        // SplitMix64 (Steele, Lea, Flood 2014).
        state.random = state.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let share = u32::try_from((mixed ^ (mixed >> 31)) % 1001).unwrap_or(0);
        state.latency_max * share / 1000
    }

    pub(super) fn start(&self, machine: &Machine) -> Result<Handle> {
        let mut state = self.lock();
        if let Some(guest) = state.guests.get(&machine.uid) {
            return super::super::same_epoch(&guest.handle, machine).map(|()| guest.handle.clone());
        }
        if let Some(message) = &state.refusal {
            return Err(Error::unavailable(message.clone()));
        }
        let bridges = machine.nics.iter().filter_map(|nic| nic.bridge.as_ref());
        for bridge in bridges {
            if !state.bridges.contains(bridge) {
                return Err(super::super::no_such_bridge(bridge));
            }
        }
        state.processes += 1;
        let handle = Handle {
            driver: DRIVER.to_owned(),
            uid: machine.uid,
            epoch: machine.epoch,
            pid: 1000 + state.processes,
            start_ticks: u64::from(state.processes),
            boot_id: state.boot_id(),
        };
        let mut guest = Guest {
            handle: handle.clone(),
            name: machine.name.clone(),
            phase: if machine.paused { Phase::Paused } else { Phase::Running },
            reason: None,
            booted: false,
            typed: Vec::new(),
            frozen: false,
            agent_hangs: false,
            cpus: machine.cpus,
            memory: machine.memory,
            awake: Awake::default(),
            drives: machine.drives.iter().map(SimDrive::of).collect(),
            media: media(&machine.cdroms),
            forwards: machine.nics.iter().map(|nic| nic.forwards.clone()).collect(),
            clings: false,
            ports: machine.nics.iter().map(|nic| (nic.bridge.clone(), false)).collect(),
            started: Time(jiff::Timestamp::now().as_millisecond()),
            deaf: false,
            line: broadcast::channel(256).0,
            unsaved: Vec::new(),
        };
        guest.awake.set(!machine.paused);
        if !machine.paused {
            guest.boot_once();
        }
        state.last_words.remove(&machine.uid);
        state.guests.insert(machine.uid, guest);
        state.save_history(machine.uid);
        Ok(handle)
    }

    pub(super) fn observe(&self, handle: &Handle) -> Observed {
        let state = self.lock();
        let Some(guest) = state.guests.get(&handle.uid).filter(|guest| guest.handle == *handle)
        else {
            let reason = state.last_words.get(&handle.uid).cloned();
            return Observed { phase: Phase::Absent, started: None, reason, agent: None };
        };
        let talks = guest.booted && guest.phase == Phase::Running;
        Observed {
            phase: guest.phase,
            started: Some(guest.started),
            reason: guest.reason.clone(),
            agent: talks.then(|| super::agent::info(&guest.name, guest.address())),
        }
    }

    pub(super) fn guest_totals(&self, handle: &Handle) -> Option<Totals> {
        let state = self.lock();
        let guest = state.guests.get(&handle.uid).filter(|guest| guest.handle == *handle);
        guest.map(Guest::totals)
    }

    pub(super) fn find(&self, uid: Uuid) -> Option<Handle> {
        self.lock().guests.get(&uid).map(|guest| guest.handle.clone())
    }

    pub(super) fn press_power_button(&self, handle: &Handle) -> Result<()> {
        self.change(handle, "SHUTDOWN", |guest| {
            // A halted or deaf guest does not hear the button; that is no error.
            if guest.phase != Phase::Running || guest.deaf {
                return Ok(false);
            }
            guest.print(b"\r\n[    9.9] reboot: Power down\r\n");
            guest.phase = Phase::ShutDown;
            guest.reason = Some("the guest powered itself off".to_owned());
            Ok(true)
        })
    }

    pub(super) fn destroy(&self, handle: &Handle) {
        let mut state = self.lock();
        if state.guests.get(&handle.uid).is_some_and(|guest| guest.handle == *handle) {
            state.bury(handle.uid);
            self.tell(handle.uid, "EXITED");
        }
    }

    pub(super) fn forget(&self, uid: Uuid) -> Result<()> {
        let mut state = self.lock();
        if state.guests.contains_key(&uid) {
            return Err(super::super::still_runs(uid));
        }
        state.histories.remove(&uid);
        state.files.remove(&uid);
        state.last_words.remove(&uid);
        Ok(())
    }

    pub(super) fn events(&self) -> broadcast::Receiver<GuestEvent> {
        self.events.subscribe()
    }

    /// Changes a live guest; tells of `event` when `change` says that something changed.
    pub(super) fn change(
        &self,
        handle: &Handle,
        event: &str,
        change: impl FnOnce(&mut Guest) -> Result<bool>,
    ) -> Result<()> {
        if self.change_quietly(handle, change)? {
            self.tell(handle.uid, event);
        }
        Ok(())
    }

    pub(super) fn change_quietly<T>(
        &self,
        handle: &Handle,
        change: impl FnOnce(&mut Guest) -> Result<T>,
    ) -> Result<T> {
        let mut state = self.lock();
        let guest = state.guests.get_mut(&handle.uid).filter(|guest| guest.handle == *handle);
        let guest = guest.ok_or_else(|| super::super::not_running(handle.uid))?;
        let done = change(guest)?;
        guest.awake.set(guest.phase == Phase::Running);
        state.save_history(handle.uid);
        Ok(done)
    }

    pub(super) fn tail(&self, uid: Uuid, limit: u64) -> Vec<u8> {
        let state = self.lock();
        newest(state.histories.get(&uid).map_or(&[][..], Vec::as_slice), limit)
    }

    pub(super) fn log(&self, uid: Uuid, limit: u64) -> Vec<u8> {
        let state = self.lock();
        let started = state
            .guests
            .get(&uid)
            .map(|guest| format!("sim: guest started under epoch {}\n", guest.handle.epoch));
        let ended = state.last_words.get(&uid).map(|words| format!("sim: {words}\n"));
        let log: String = started.into_iter().chain(ended).collect();
        newest(log.as_bytes(), limit)
    }

    pub(super) fn with_files<T>(&self, uid: Uuid, act: impl FnOnce(&mut Files) -> T) -> T {
        act(self.lock().files.entry(uid).or_default())
    }

    pub(super) fn with_snapshots<T>(
        &self,
        act: impl FnOnce(&mut BTreeSet<(PathBuf, Uuid)>) -> T,
    ) -> T {
        act(&mut self.lock().snapshots)
    }

    fn tell(&self, uid: Uuid, name: &str) {
        // Nobody may be listening; events are hints.
        let _ = self.events.send(GuestEvent { uid, name: name.to_owned() });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn newest(bytes: &[u8], limit: u64) -> Vec<u8> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(bytes.len());
    bytes[bytes.len() - limit..].to_vec()
}

/// The machine as a whole: its guests and a little of its own.
impl Load for SimWorld {
    fn totals(&self) -> Totals {
        let state = self.lock();
        let own = load::sum(load::of_host(state.booted.elapsed()), state.spent);
        state.guests.values().map(Guest::totals).fold(own, load::sum)
    }
}

impl State {
    fn new() -> Self {
        Self {
            boot: 0,
            booted: Instant::now(),
            spent: Totals::default(),
            processes: 0,
            random: 0,
            latency_max: Duration::ZERO,
            refusal: None,
            guests: BTreeMap::new(),
            histories: BTreeMap::new(),
            files: BTreeMap::new(),
            last_words: BTreeMap::new(),
            snapshots: BTreeSet::new(),
            bridges: BTreeSet::new(),
            no_bridges: false,
        }
    }

    /// Takes a guest away; whether there was one.
    fn bury(&mut self, uid: Uuid) -> bool {
        let Some(guest) = self.guests.remove(&uid) else { return false };
        self.spent = load::sum(self.spent, Totals { memory: None, ..guest.totals() });
        true
    }

    fn boot_id(&self) -> String {
        format!("sim-boot-{}", self.boot)
    }

    fn save_history(&mut self, uid: Uuid) {
        let Some(guest) = self.guests.get_mut(&uid) else { return };
        if guest.unsaved.is_empty() {
            return;
        }
        let history = self.histories.entry(uid).or_default();
        history.append(&mut guest.unsaved);
        if history.len() > HISTORY {
            history.drain(..history.len() - HISTORY);
        }
    }
}

impl Guest {
    fn totals(&self) -> Totals {
        load::of_guest(self.handle.uid, self.cpus, self.memory, self.awake.time())
    }

    /// Boots unless it has: the banner ends with the line that says so and a prompt.
    pub fn boot_once(&mut self) {
        if self.booted {
            return;
        }
        self.booted = true;
        let banner = format!(
            "NovaCron simulated firmware\r\nBooting {name}\r\n\
             [    0.1] Linux version 6.1.0-sim\r\n\
             sim guest is up: {name}\r\n{prompt}",
            name = self.name,
            prompt = super::shell::PROMPT,
        );
        self.print(banner.as_bytes());
    }

    /// On a bridge one of RFC 5737's, as if by DHCP.
    pub fn address(&self) -> String {
        if self.ports.iter().any(|(bridge, _)| bridge.is_some()) {
            return format!("192.0.2.{}", 2 + self.handle.pid % 250);
        }
        "10.0.2.15".to_owned()
    }

    pub fn print(&mut self, output: &[u8]) {
        self.unsaved.extend_from_slice(output);
        let _ = self.line.send(Bytes::copy_from_slice(output));
    }

    pub fn listen(&self) -> broadcast::Receiver<Bytes> {
        self.line.subscribe()
    }

    pub fn halted(&self, what: &str) -> Error {
        let reason = self.reason.as_deref().unwrap_or("it has halted");
        Error::conflict(format!("guest {} {what}: {reason}", self.handle.uid))
            .hint("start the VM again")
    }
}
