//! Driver `qemu`: one QEMU process per guest, started so that it outlives the daemon and is found
//! again by the next one.
//!
//! ```text
//!   QemuHypervisor ── registry ── Guest ── Qmp ── qmp.sock ── QEMU (own session, own cgroup)
//!        │                          ├──── Line ── serial.sock ──┤
//!        │                          ├──── Qga ─── agent.sock ───┤
//!        └── <data>/run/<uid>/      └──── pidfd ────────────────┘
//! ```
//!
//! * `run_dir`, `log`: what lies on disk; `command`, `spawn`, `cgroup`: how QEMU is started.
//! * `process`, `guest`, `qmp`, `status`, `failure`: what is known of a live one and of its end.
//! * `keep`, `tpm`: what a VM keeps over its starts, and who keeps it.
//! * `line`, `screen`, `agent` (`qga`), `snapshots`, `growth`, `freeze`, `power`, `figures`,
//!   `bridges`: the optional powers.
//!
//! A guest's identity is boot id, pid and start time, confirmed by `query-uuid` when its control
//! channel opens. Nothing here is remembered that could not be found again: a new driver on the
//! same data directory adopts every guest. Leaves images and volumes to `storage`.

mod agent;
mod bridges;
mod cgroup;
mod command;
mod failure;
mod figures;
mod freeze;
mod growth;
mod guest;
mod hotplug;
pub(crate) mod keep;
mod line;
mod log;
mod power;
mod process;
mod qga;
mod qmp;
mod run_dir;
mod screen;
mod snapshots;
mod spawn;
mod start;
mod status;
mod tpm;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use novacron_model::{Error, Result};
use serde_json::Value;
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::{
    Agent, BRIDGES_NEED, Bridges, Capabilities, Control, Figures, Freeze, Growth, GuestEvent,
    Handle, Hotplug, Hypervisor, Machine, Observed, Phase, Screen, Serial, Snapshots, Stop,
    not_running, still_runs,
};
use crate::hardware::{self, Accelerator};
use crate::network::{self, Links};
use cgroup::Cgroups;
use guest::Guest;
use keep::Keep;
use log::Log;
use process::Process;
use run_dir::{RunDir, io_failed};

pub const DRIVER: &str = "qemu";
const POWERS: [&str; 9] = [
    "control",
    "serial",
    "screen",
    "guest_agent",
    "snapshots",
    "growth",
    "hotplug",
    "freeze",
    "figures",
];
/// Where this process has the rights.
const BRIDGES: &str = "bridges";
/// More need an interrupt remapper, which machines here do not have.
const CPUS_MAX: u32 = 255;
const SERIAL_HISTORY: u64 = 1 << 20;
/// Bytes of QEMU's own output that are kept at least.
const QEMU_LOG_KEEP: u64 = 64 << 10;
/// Begins the lines that NovaCron writes into QEMU's log.
const LOG_MARK: &str = "novacron: ";
/// How often logs are looked at. In between the kernel bounds them.
const TRIM_EVERY: Duration = Duration::from_secs(2);
/// For QEMU to flush its disks and go.
const QUIT_PATIENCE: Duration = Duration::from_secs(10);
/// For the kernel to take a killed process apart, guest memory included.
const KILL_PATIENCE: Duration = Duration::from_mins(1);

/// Where QEMU is and where its guests' files go.
#[derive(Debug, Clone)]
pub struct QemuConfig {
    /// Absolute. Guests' files go to `run/<uid>/` below it.
    pub data_dir: PathBuf,
    /// A path, or a name to be found in `PATH`.
    pub binary: PathBuf,
    pub qemu_img: PathBuf,
    /// Against the evidence; for tests and for hosts that are known better.
    pub accelerator: Option<Accelerator>,
    /// Bytes of a guest's serial history that are kept at least; it takes up to five times as much.
    pub serial_history: u64,
}

impl QemuConfig {
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            binary: "qemu-system-x86_64".into(),
            qemu_img: "qemu-img".into(),
            accelerator: None,
            serial_history: SERIAL_HISTORY,
        }
    }
}

pub struct QemuHypervisor {
    shared: Arc<Shared>,
    capabilities: Capabilities,
    /// Ends the driver's tasks with it; guests go on.
    _stop: DropGuard,
}

struct Shared {
    config: QemuConfig,
    accelerator: Accelerator,
    /// `<data>/run`.
    runs: PathBuf,
    cgroups: Cgroups,
    /// Bridges of the host; none without the rights to use them.
    links: Option<Links>,
    /// See [`log`]; of the file system that holds `runs`.
    largest_file: Option<u64>,
    events: broadcast::Sender<GuestEvent>,
    stop: CancellationToken,
    guests: Mutex<BTreeMap<Uuid, Arc<Guest>>>,
    /// How processes ended that this driver saw end.
    ends: Mutex<BTreeMap<Uuid, String>>,
    /// Starting and ending one guest take turns.
    gates: Mutex<BTreeMap<Uuid, Arc<tokio::sync::Mutex<()>>>>,
}

impl QemuHypervisor {
    /// Looks for QEMU and for the accelerator. Starts nothing but a task that trims logs.
    pub async fn new(config: QemuConfig) -> Result<Self> {
        if config.data_dir.to_str().is_none_or(|_| !config.data_dir.is_absolute()) {
            return Err(Error::invalid(
                "data_dir",
                format!("{} is not absolute, or not UTF-8", config.data_dir.display()),
            ));
        }
        let version = start::version(&config.binary).await?;
        let (evident, evidence) = hardware::accelerator();
        let (accelerator, reason) = match config.accelerator {
            Some(wanted) if wanted != evident => (wanted, "set in the configuration".to_owned()),
            _ => (evident, evidence),
        };
        let runs = config.data_dir.join("run");
        std::fs::create_dir_all(&runs).map_err(|error| io_failed("create", &runs, &error))?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            accelerator,
            cgroups: Cgroups::probe(),
            links: open_links()?,
            largest_file: log::largest_file(&runs),
            runs,
            config,
            events: broadcast::channel(1024).0,
            stop: stop.clone(),
            guests: Mutex::default(),
            ends: Mutex::default(),
            gates: Mutex::default(),
        });
        tokio::spawn(stop.clone().run_until_cancelled_owned(trim_logs(Arc::clone(&shared))));
        let bridges = shared.links.is_some().then_some(BRIDGES);
        let capabilities = Capabilities {
            driver: DRIVER,
            version,
            accelerator: accelerator.as_str().to_owned(),
            reason,
            max_cpus: CPUS_MAX,
            powers: POWERS.into_iter().chain(bridges).collect(),
        };
        Ok(Self { shared, capabilities, _stop: stop.drop_guard() })
    }

    /// What users of this node should know, in sentences.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.shared.cgroups.is_empty() {
            remarks.push(
                "guests share the daemon's cgroup, for want of rights to make others: a service \
                 manager that kills the whole group ends them with the daemon"
                    .to_owned(),
            );
        }
        if self.shared.links.is_none() {
            remarks.push(format!("{BRIDGES_NEED}: guests have networks of kind user only"));
        }
        if self.shared.largest_file.is_none() {
            remarks.push(
                "the data directory's file system has no largest file size: while no daemon \
                 runs, a guest's serial log is not bounded"
                    .to_owned(),
            );
        }
        remarks
    }

    fn run_dir(&self, uid: Uuid) -> RunDir {
        RunDir::new(&self.shared.runs, uid)
    }

    fn qemu_img_binary(&self) -> &Path {
        &self.shared.config.qemu_img
    }

    /// The live guest of a handle.
    fn guest(&self, handle: &Handle) -> Result<Arc<Guest>> {
        self.shared.live(handle)?.ok_or_else(|| not_running(handle.uid))
    }
}

#[async_trait]
impl Hypervisor for QemuHypervisor {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn ensure(&self, machine: &Machine) -> Result<Handle> {
        let gate = self.shared.gate(machine.uid);
        let _turn = gate.lock().await;
        if let Some(guest) = self.shared.find(machine.uid)? {
            super::same_epoch(&guest.handle, machine)?;
            guest.limit_all(&machine.drives).await?;
            return Ok(guest.handle.clone());
        }
        self.shared.start(machine).await
    }

    async fn observe(&self, handle: &Handle) -> Result<Observed> {
        if let Some(guest) = self.shared.live(handle)? {
            match guest.observe().await {
                // It ended while it was asked.
                Err(_) if guest.gone.is_cancelled() => {}
                observed => return observed,
            }
        }
        let reason = self.shared.end_of(handle.uid, handle.boot_id == hardware::boot_id());
        Ok(Observed { phase: Phase::Absent, started: None, reason, agent: None })
    }

    async fn find(&self, uid: Uuid) -> Result<Option<Handle>> {
        Ok(self.shared.find(uid)?.map(|guest| guest.handle.clone()))
    }

    async fn stop(&self, handle: &Handle, how: Stop) -> Result<()> {
        let guest = self.guest(handle)?;
        match how {
            Stop::PowerButton => guest.call("system_powerdown", Value::Null).await.map(drop),
            Stop::Agent => guest.agent_shutdown().await,
        }
    }

    async fn destroy(&self, handle: &Handle) -> Result<()> {
        let gate = self.shared.gate(handle.uid);
        let _turn = gate.lock().await;
        let Some(guest) = self.shared.live(handle)? else { return Ok(()) };
        guest.end().await?;
        guest.run.clear()
    }

    async fn inherit(&self, from: Uuid, to: Uuid) -> Result<()> {
        let gate = self.shared.gate(to);
        let _turn = gate.lock().await;
        let keep = |uid| Keep::new(&self.shared.config.data_dir, uid);
        keep(to).inherit(&keep(from))
    }

    async fn forget(&self, uid: Uuid) -> Result<()> {
        let gate = self.shared.gate(uid);
        let _turn = gate.lock().await;
        if self.shared.find(uid)?.is_some() {
            return Err(still_runs(uid));
        }
        self.run_dir(uid).remove()?;
        let keep = Keep::new(&self.shared.config.data_dir, uid);
        if keep.tpm_path().exists() {
            tpm::end(&keep.tpm_path()).await?;
        }
        keep.remove()?;
        lock(&self.shared.ends).remove(&uid);
        lock(&self.shared.gates).remove(&uid);
        Ok(())
    }

    async fn log(&self, uid: Uuid, limit: u64) -> Result<Vec<u8>> {
        let run = self.run_dir(uid);
        let tail = qemu_log(&run, self.shared.largest_file).tail(limit);
        tail.map_err(|error| io_failed("read QEMU's log in", run.path(), &error))
    }

    fn events(&self) -> BoxStream<'static, GuestEvent> {
        super::event_stream(self.shared.events.subscribe())
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
        self.shared.links.as_ref().map(|_| self as &dyn Bridges)
    }
}

impl Shared {
    fn serial_log(&self, run: &RunDir) -> Log {
        Log::new(run.path(), "serial", self.config.serial_history, self.largest_file)
    }

    fn gate(&self, uid: Uuid) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.gates).entry(uid).or_default())
    }

    /// The guest of exactly this handle, adopted if this driver did not know it yet.
    fn live(self: &Arc<Self>, handle: &Handle) -> Result<Option<Arc<Guest>>> {
        let mut guests = lock(&self.guests);
        if let Some(guest) = guests.get(&handle.uid) {
            return Ok((guest.handle == *handle).then(|| Arc::clone(guest)));
        }
        if handle.driver != DRIVER || handle.boot_id != hardware::boot_id() {
            return Ok(None);
        }
        let process = self.process(handle.uid, handle.pid)?;
        let same = process.filter(|process| process.start_ticks == handle.start_ticks);
        Ok(same.map(|process| self.take_over(&mut guests, handle.clone(), process)))
    }

    /// The live guest of a VM, whoever started it.
    fn find(self: &Arc<Self>, uid: Uuid) -> Result<Option<Arc<Guest>>> {
        let mut guests = lock(&self.guests);
        if let Some(guest) = guests.get(&uid) {
            return Ok(Some(Arc::clone(guest)));
        }
        let run = RunDir::new(&self.runs, uid);
        let (Some(pid), Some(epoch)) = (run.read_pid()?, run.read_epoch()?) else {
            return Ok(None);
        };
        // The number may have been given to another process since.
        let process = self.process(uid, pid)?.filter(|it| it.mentions(&uid.to_string()));
        Ok(process.map(|process| {
            let handle = handle_of(uid, epoch, &process);
            self.take_over(&mut guests, handle, process)
        }))
    }

    /// Adopts a guest that another daemon has started, and may not have brought to its cgroup.
    fn take_over(
        self: &Arc<Self>,
        guests: &mut BTreeMap<Uuid, Arc<Guest>>,
        handle: Handle,
        process: Process,
    ) -> Arc<Guest> {
        let guest = self.adopt(guests, handle, process);
        guest.thaw_if_marked(self.stop.clone());
        self.admit(Arc::clone(&guest));
        guest
    }

    /// Moves the guest into its own cgroup, which nothing waits for.
    fn admit(&self, guest: Arc<Guest>) {
        let cgroups = self.cgroups.clone();
        let (uid, pid) = (guest.handle.uid, guest.process.pid);
        let tpm = Keep::new(&self.config.data_dir, uid).tpm_path();
        tokio::task::spawn_blocking(move || {
            let lives = || !guest.gone.is_cancelled();
            cgroups.admit(uid, pid, lives);
            if tpm.exists() {
                for pid in tpm::processes(&tpm) {
                    cgroups.admit(uid, pid, lives);
                }
            }
        });
    }

    fn process(&self, uid: Uuid, pid: u32) -> Result<Option<Process>> {
        let run = RunDir::new(&self.runs, uid);
        let failed = |error| io_failed("look at the process of", run.path(), &error);
        Process::open(pid).map_err(failed)
    }

    fn adopt(
        self: &Arc<Self>,
        guests: &mut BTreeMap<Uuid, Arc<Guest>>,
        handle: Handle,
        process: Process,
    ) -> Arc<Guest> {
        let uid = handle.uid;
        let run = RunDir::new(&self.runs, uid);
        let guest = Arc::new(Guest {
            serial_log: self.serial_log(&run),
            handle,
            run,
            process,
            line: line::Line::default(),
            qga: tokio::sync::Mutex::default(),
            gone: CancellationToken::new(),
            events: self.events.clone(),
            link: tokio::sync::watch::channel(None).0,
            agent: Mutex::default(),
            counting: Arc::default(),
        });
        guests.insert(uid, Arc::clone(&guest));
        guest.keep_linked(self.stop.clone());
        let bury = bury(Arc::clone(self), Arc::clone(&guest));
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(bury));
        guest
    }

    /// Why a VM's process is gone, where that can be told.
    fn end_of(&self, uid: Uuid, same_boot: bool) -> Option<String> {
        if let Some(end) = lock(&self.ends).get(&uid) {
            return Some(end.clone());
        }
        if !same_boot {
            return Some("the node was booted anew".to_owned());
        }
        // An orderly end clears the directory.
        let run = RunDir::new(&self.runs, uid);
        run.read_epoch().ok()??;
        Some(failure::of_run(None, &qemu_output(&run, self.largest_file, QEMU_LOG_KEEP)))
    }
}

/// Waits for a guest's end, then takes it out of the registry and tells.
async fn bury(shared: Arc<Shared>, guest: Arc<Guest>) {
    let uid = guest.handle.uid;
    let ended = guest.process.ended().await;
    let output = qemu_output(&guest.run, shared.largest_file, 4096);
    lock(&shared.ends).insert(uid, failure::of_run(ended.as_deref(), &output));
    let mut guests = lock(&shared.guests);
    if guests.get(&uid).is_some_and(|known| Arc::ptr_eq(known, &guest)) {
        guests.remove(&uid);
    }
    drop(guests);
    shared.cgroups.remove(uid);
    guest.gone.cancel();
    guest.tell("EXITED");
}

impl Guest {
    /// Asks QEMU to quit, then kills it; returns once it is gone.
    async fn end(&self) -> Result<()> {
        let quit = async {
            let qmp = self.qmp_within(QUIT_PATIENCE).await;
            if let Ok(qmp) = qmp {
                // The channel may close before the answer.
                let _ = qmp.call("quit", Value::Null).await;
                self.gone.cancelled().await;
            }
        };
        let _ = tokio::time::timeout(QUIT_PATIENCE, quit).await;
        if self.gone.is_cancelled() {
            return Ok(());
        }
        let killed = self.process.kill();
        killed.map_err(|error| {
            Error::internal(format!("process {} cannot be killed: {error}", self.handle.pid))
        })?;
        let gone = tokio::time::timeout(KILL_PATIENCE, self.gone.cancelled()).await;
        gone.map_err(|_| {
            Error::new(
                novacron_model::Code::Timeout,
                format!("process {} of guest {} does not end", self.handle.pid, self.handle.uid),
            )
            .hint("see whether the storage under its disks hangs")
        })
    }
}

/// The host's links, where bridges can be used.
fn open_links() -> Result<Option<Links>> {
    if network::rights::lacking().is_some() {
        return Ok(None);
    }
    let opened = Links::new();
    let failed = |error| Error::unavailable(format!("the kernel's links cannot be asked: {error}"));
    opened.map(Some).map_err(failed)
}

fn handle_of(uid: Uuid, epoch: u64, process: &Process) -> Handle {
    Handle {
        driver: DRIVER.to_owned(),
        uid,
        epoch,
        pid: process.pid,
        start_ticks: process.start_ticks,
        boot_id: hardware::boot_id(),
    }
}

async fn trim_logs(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(TRIM_EVERY).await;
        let guests: Vec<Arc<Guest>> = lock(&shared.guests).values().cloned().collect();
        let limit = shared.largest_file;
        let trim = move || {
            for guest in guests {
                for log in [&guest.serial_log, &qemu_log(&guest.run, limit)] {
                    if let Err(error) = log.trim() {
                        tracing::warn!(uid = %guest.handle.uid, %error, "a log cannot be trimmed");
                    }
                }
            }
        };
        // It can only fail by a panic, which has been told.
        let _ = tokio::task::spawn_blocking(trim).await;
    }
}

fn qemu_log(run: &RunDir, largest_file: Option<u64>) -> Log {
    Log::new(run.path(), "qemu", QEMU_LOG_KEEP, largest_file)
}

/// The newest words of QEMU, since its last start.
fn qemu_output(run: &RunDir, largest_file: Option<u64>, limit: u64) -> String {
    let tail = qemu_log(run, largest_file).tail(limit).unwrap_or_default();
    let text = String::from_utf8_lossy(&tail);
    text.rsplit_once(LOG_MARK)
        .map_or(&*text, |(_, since)| since.split_once('\n').map_or("", |(_, output)| output))
        .to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
