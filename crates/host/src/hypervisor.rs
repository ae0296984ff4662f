//! The contract of a hypervisor driver.
//!
//! A missing power is an absent object, never a method that fails. Every `ensure` is idempotent:
//! performed twice it equals once. Guests outlive the process that started them; a [`Handle`]
//! can be stored and finds the guest again.

#[cfg(feature = "contract")]
pub mod contract;
pub mod freeze;
pub mod qemu;
pub mod sim;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use novacron_model::figures::Totals;
use novacron_model::units::{Bytes, Time};
use novacron_model::vm::{DiskBus, Firmware, GuestAgent, NicModel, Preset, Protocol};
use novacron_model::volume::{DiskFormat, IoLimits};
use novacron_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::broadcast::{self, error::RecvError};
use uuid::Uuid;

pub use freeze::{Freeze, Frozen, while_frozen};

/// What a driver on this machine offers; for the scheduler and for honest errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// `qemu` or `sim`.
    pub driver: &'static str,
    pub version: String,
    /// `kvm`, `tcg` or `sim`.
    pub accelerator: String,
    /// The evidence for the accelerator, as a sentence.
    pub reason: String,
    pub max_cpus: u32,
    /// Names of the optional powers; each agrees with the accessor of the same name.
    pub powers: Vec<&'static str>,
}

/// A guest as it is to be run. Paths are absolute; nothing is left to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    pub uid: Uuid,
    /// For the process's title and the guest's DMI data only.
    pub name: String,
    pub epoch: u64,
    pub cpus: u32,
    pub memory: Bytes,
    pub boot: Boot,
    pub drives: Vec<Drive>,
    pub cdroms: Vec<CdromDrive>,
    /// Read-only `cidata` disk.
    pub cidata: Option<PathBuf>,
    pub nics: Vec<NicPort>,
    pub preset: Preset,
    /// Keeps its settings for the life of the VM.
    pub firmware: Firmware,
    /// Keeps its secrets for the life of the VM.
    pub tpm: bool,
    /// Start with the guest's CPUs halted.
    pub paused: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boot {
    /// The firmware boots the drives in their order.
    Firmware,
    Kernel {
        kernel: PathBuf,
        initrd: Option<PathBuf>,
        /// Kernel command line.
        cmdline: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// Serial number in the guest, at most 20 bytes; unique in the machine.
    pub serial: String,
    pub bus: DiskBus,
    /// Place in the boot order, from 1; unique in the machine, also among CD-ROM drives.
    pub boot_index: u32,
    pub path: PathBuf,
    /// Always given to the hypervisor; nothing is probed.
    pub format: DiskFormat,
    /// The read-only image under a qcow2 overlay, with its format.
    pub backing: Option<(PathBuf, DiskFormat)>,
    /// Held to from the start by a driver with power `hotplug`; by others not at all.
    pub limits: IoLimits,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CdromDrive {
    /// Unique in the machine.
    pub name: String,
    /// A raw, read-only file; none in an empty drive.
    pub medium: Option<PathBuf>,
    pub boot_index: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicPort {
    /// Six bytes, locally administered, derived from the VM's uid and the NIC's index.
    pub mac: [u8; 6],
    pub model: NicModel,
    /// The bridge of the host that it is plugged into; none on a network of kind `user`.
    pub bridge: Option<String>,
    /// On a network of kind `user` only.
    pub forwards: Vec<Forward>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    pub address: IpAddr,
    pub host: u16,
    pub guest: u16,
    pub protocol: Protocol,
}

/// Finds a started guest again, also after a restart of the daemon. Stored with the VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    pub driver: String,
    pub uid: Uuid,
    pub epoch: u64,
    pub pid: u32,
    /// Clock ticks after boot at which the process started (field 22 of `/proc/PID/stat`).
    pub start_ticks: u64,
    /// The boot in which it was started.
    pub boot_id: String,
}

/// What a driver sees of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    pub phase: Phase,
    /// When the guest's process was started.
    pub started: Option<Time>,
    /// One sentence, where there is something to say (`paused: the pool's disk is full`).
    pub reason: Option<String>,
    pub agent: Option<GuestAgent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No process.
    Absent,
    Running,
    /// Halted by a user.
    Paused,
    /// Halted by the hypervisor because a disk could not be written (mostly: full).
    PausedOnIoError,
    /// The guest has powered itself off; the process waits to be destroyed.
    ShutDown,
    /// The guest panicked or the hypervisor cannot go on.
    Crashed,
}

/// How to end a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Press the power button; returns at once.
    PowerButton,
    /// Ask the guest agent, where there is one; returns at once.
    Agent,
}

/// Something happened to a guest: a hint to observe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestEvent {
    pub uid: Uuid,
    /// QMP's name of the event, or `EXITED`, `AGENT`.
    pub name: String,
}

#[async_trait]
pub trait Hypervisor: Send + Sync + 'static {
    fn capabilities(&self) -> &Capabilities;

    /// Makes the machine's process exist, and returns once it answers. Adopts a live process of
    /// the same uid and epoch, whatever its run state; a process of an older epoch is an error.
    async fn ensure(&self, machine: &Machine) -> Result<Handle>;

    /// What is true now. Never starts anything.
    async fn observe(&self, handle: &Handle) -> Result<Observed>;

    /// The handle of a live process of this uid, however it was started: for adoption when the
    /// daemon died between starting a guest and storing its handle.
    async fn find(&self, uid: Uuid) -> Result<Option<Handle>>;

    async fn stop(&self, handle: &Handle, how: Stop) -> Result<()>;

    /// Ends the process now and returns once it is gone. Nothing is left but disks and logs.
    async fn destroy(&self, handle: &Handle) -> Result<()>;

    /// Gives VM `to`, a clone that was never started, what the driver keeps beside disks for VM `from`
    /// and what may be the same in both: UEFI variables. Leaves alone what `to` has already.
    async fn inherit(&self, _from: Uuid, _to: Uuid) -> Result<()> {
        Ok(())
    }

    /// Removes what the driver keeps for a VM (run directory, logs). The process must be gone.
    async fn forget(&self, uid: Uuid) -> Result<()>;

    /// What the hypervisor itself said of a guest lately, also of one that has ended: at most
    /// `limit` bytes, newest.
    async fn log(&self, uid: Uuid, limit: u64) -> Result<Vec<u8>>;

    fn events(&self) -> BoxStream<'static, GuestEvent>;

    /// Pause, resume, reset.
    fn control(&self) -> Option<&dyn Control> {
        None
    }

    fn serial(&self) -> Option<&dyn Serial> {
        None
    }

    fn screen(&self) -> Option<&dyn Screen> {
        None
    }

    fn guest_agent(&self) -> Option<&dyn Agent> {
        None
    }

    fn snapshots(&self) -> Option<&dyn Snapshots> {
        None
    }

    /// Without it the disks of a live guest keep their sizes.
    fn growth(&self) -> Option<&dyn Growth> {
        None
    }

    /// Without it a live guest keeps the devices that it was started with.
    fn hotplug(&self) -> Option<&dyn Hotplug> {
        None
    }

    fn freeze(&self) -> Option<&dyn Freeze> {
        None
    }

    fn figures(&self) -> Option<&dyn Figures> {
        None
    }

    /// Without it no machine may have a NIC on a bridge.
    fn bridges(&self) -> Option<&dyn Bridges> {
        None
    }
}

/// Power `control`.
#[async_trait]
pub trait Control: Send + Sync {
    async fn pause(&self, handle: &Handle) -> Result<()>;
    /// Also ends a pause on an IO error.
    async fn resume(&self, handle: &Handle) -> Result<()>;
    async fn reset(&self, handle: &Handle) -> Result<()>;
}

/// A byte stream into a guest.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Power `serial`.
#[async_trait]
pub trait Serial: Send + Sync {
    /// The live line. Several may be open at once; all see the output, any may type.
    async fn open(&self, handle: &Handle) -> Result<Box<dyn Duplex>>;

    /// What was printed lately, also by a guest that has ended: at most `limit` bytes, newest.
    async fn tail(&self, uid: Uuid, limit: u64) -> Result<Vec<u8>>;
}

/// Power `screen`.
#[async_trait]
pub trait Screen: Send + Sync {
    /// An RFB (VNC) connection without authentication.
    async fn open(&self, handle: &Handle) -> Result<Box<dyn Duplex>>;
}

/// Power `guest_agent`.
#[async_trait]
pub trait Agent: Send + Sync {
    async fn info(&self, handle: &Handle) -> Result<GuestAgent>;
    async fn exec(&self, handle: &Handle, exec: &Exec) -> Result<ExecOutput>;
    /// Writes a file in the guest, whole; returns the number of bytes.
    async fn push(
        &self,
        handle: &Handle,
        path: &Path,
        from: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<u64>;
    async fn pull(
        &self,
        handle: &Handle,
        path: &Path,
        to: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<u64>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// Program and arguments; no shell.
    pub argv: Vec<String>,
    /// `NAME=value`, beside what the agent has.
    pub env: Vec<String>,
    pub stdin: Vec<u8>,
    pub timeout: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// 128 + signal when it was killed.
    pub exit_code: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// The agent kept only part of the output.
    pub truncated: bool,
}

/// Power `snapshots`: of all drives of a machine at one moment, inside the drives' own files.
#[async_trait]
pub trait Snapshots: Send + Sync {
    /// `handle`: the live guest, or none when it is stopped. Idempotent by `tag`.
    async fn take(&self, handle: Option<&Handle>, drives: &[Drive], tag: Uuid) -> Result<()>;
    async fn delete(&self, handle: Option<&Handle>, drives: &[Drive], tag: Uuid) -> Result<()>;
    /// The guest must be stopped.
    async fn restore(&self, drives: &[Drive], tag: Uuid) -> Result<()>;
    /// What the drives held of their own, beside their images, when it was taken.
    async fn size(&self, drives: &[Drive], tag: Uuid) -> Result<Bytes>;
}

/// Power `growth`: disks that grow under a live guest.
#[async_trait]
pub trait Growth: Send + Sync {
    /// Makes the guest's drive with the file at `path` at least `size` large, and returns its size
    /// then; `None` if the guest has no such drive. Idempotent.
    async fn grow(&self, handle: &Handle, path: &Path, size: Bytes) -> Result<Option<Bytes>>;
}

/// Power `hotplug`: a live guest is given devices and gives them up. Everything is idempotent, and
/// drives are known by the paths of their files. A change that is refused leaves the guest as it
/// was; `Unsupported` says that it will not be different before the next start.
#[async_trait]
pub trait Hotplug: Send + Sync {
    /// Gives the guest a further drive, held to its limits.
    async fn attach(&self, handle: &Handle, drive: &Drive) -> Result<()>;

    /// Returns once nothing has the file open any more. A guest that does not let go in time goes
    /// on with its drive, and may let go of it later.
    async fn detach(&self, handle: &Handle, path: &Path) -> Result<()>;

    /// What the guest may ask of a drive from now on. Does nothing if it has no such drive.
    async fn limit(&self, handle: &Handle, path: &Path, limits: IoLimits) -> Result<()>;

    /// Lays another medium into a drive, or empties it.
    async fn change_medium(&self, handle: &Handle, cdrom: &CdromDrive) -> Result<()>;

    /// Ends forwards of the NIC at index `nic`, which is on a network of kind `user`, and begins
    /// others. All or nothing.
    async fn change_forwards(
        &self,
        handle: &Handle,
        nic: usize,
        ends: &[Forward],
        begins: &[Forward],
    ) -> Result<()>;
}

/// Power `figures`: what guests have used.
#[async_trait]
pub trait Figures: Send + Sync {
    /// Counted since the guest's process was started; `None` once it is gone. Answers soon: what
    /// the guest's hypervisor does not tell in time is absent.
    async fn totals(&self, handle: &Handle) -> Result<Option<Totals>>;
}

/// Power `bridges`: NICs on bridges of the host. `ensure` plugs them in; a bridge may go and come
/// while the guest runs. Nothing of the host is changed but the NICs' own ends.
#[async_trait]
pub trait Bridges: Send + Sync {
    /// Whether NICs can be plugged into this bridge now; the error says why not.
    async fn check(&self, bridge: &str) -> Result<()>;

    /// How each NIC of a live guest is plugged in now.
    async fn plugs(&self, handle: &Handle, nics: &[NicPort]) -> Result<Vec<Plug>>;

    /// Plugs the NICs of a live guest in where they are not. Idempotent.
    async fn plug(&self, handle: &Handle, nics: &[NicPort]) -> Result<()>;

    /// Bridges have come or gone: a hint to look again.
    fn changes(&self) -> BoxStream<'static, ()>;
}

/// How a NIC is plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plug {
    /// In its bridge, or on no bridge at all.
    In,
    /// Pulled out; its bridge is there.
    Out,
    /// Out, and it cannot be plugged in: why, as a sentence.
    Cut(String),
}

/// What bridge networks need where the power is missing.
pub const BRIDGES_NEED: &str = "bridge networks need root (CAP_NET_ADMIN)";

pub(crate) fn no_such_bridge(bridge: &str) -> Error {
    Error::conflict(format!("bridge \"{bridge}\" does not exist"))
        .hint("make the bridge, or name another; docs/networks.md shows how")
}

/// A reader that fell behind loses hints only: it observes anyway.
fn event_stream(events: broadcast::Receiver<GuestEvent>) -> BoxStream<'static, GuestEvent> {
    futures::stream::unfold(events, |mut events| async {
        loop {
            match events.recv().await {
                Ok(event) => return Some((event, events)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
    .boxed()
}

/// Whether a live guest may be adopted for `machine`; both drivers say the same words.
fn same_epoch(live: &Handle, machine: &Machine) -> Result<()> {
    if live.epoch == machine.epoch {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "guest {} already runs under epoch {} while epoch {} is to be started",
        live.uid, live.epoch, machine.epoch
    ))
    .hint("destroy the other process first"))
}

fn not_running(uid: Uuid) -> Error {
    Error::conflict(format!("guest {uid} does not run")).hint("start the VM first")
}

fn still_runs(uid: Uuid) -> Error {
    Error::conflict(format!("guest {uid} still runs")).hint("destroy it first")
}

fn agent_silent() -> Error {
    Error::unavailable("the guest agent does not answer")
        .hint("install and start qemu-guest-agent in the guest, and see that the VM runs")
}

fn no_such_file(path: &Path) -> Error {
    Error::new(Code::NotFound, format!("the guest has no file \"{}\"", path.display()))
}

fn no_such_device(uid: Uuid, device: &str) -> Error {
    Error::conflict(format!("guest {uid} has no device \"{device}\""))
}

fn snapshot_of_raw(drive: &Drive) -> Error {
    Error::unsupported(format!("disk \"{}\" is raw and cannot hold snapshots", drive.serial))
        .hint("use a qcow2 volume")
}

fn snapshot_missing(drive: &Drive, tag: Uuid) -> Error {
    Error::new(Code::NotFound, format!("disk \"{}\" has no snapshot {tag}", drive.serial))
}
