//! Virtual machines.
//!
//! `spec.run` says what the VM should be doing; verbs that are not a state (restart, reset) are
//! *orders*: numbers that admission raises and the agent catches up with, so that performing one
//! twice is the same as once and none is lost in a crash.
//!
//! ```text
//!  pending ─▶ creating ─▶ starting ─▶ running ◀─▶ paused
//!                 │            │         │          │
//!                 ▼            ▼         ▼          ▼
//!               failed      failed    stopping ─▶ stopped
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::catalogue::ImageName;
use crate::meta::{Kind, Meta, Scope};
use crate::name::Name;
use crate::units::{Bytes, MilliCpu, Seconds, Time};

pub mod cloud_init;
pub mod device;
pub mod hardware;
pub mod live;
pub mod runtime;
pub mod schedule;

pub use cloud_init::CloudInit;
pub use device::{Disk, Nic, PortForward, Protocol};
pub use hardware::{Cdrom, DiskBus, Firmware, Hardware, NicModel, Pending, Preset};
pub use live::{BegunChange, LiveChange};
pub use runtime::{
    Exit, ExitCause, Failure, GuestAgent, NicState, OrdersDone, RefusedChange, Runtime,
};
pub use schedule::{ScheduleStatus, SnapshotSchedule};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vm;

impl Kind for Vm {
    const KIND: &'static str = "vm";
    const PLURAL: &'static str = "vms";
    const SCOPE: Scope = Scope::Project;
    type Spec = VmSpec;
    type Status = VmStatus;

    fn summarize(meta: &Meta, spec: &VmSpec, status: &mut VmStatus) {
        status.pending = hardware::pending(spec, status.runtime.as_ref());
        (status.state, status.reason) = match (&status.runtime, &status.placement) {
            _ if meta.deleting.is_some() => (VmState::Deleting, None),
            (Some(runtime), _) => (runtime.state, runtime.reason.clone()),
            (None, Some(placement)) if placement.node.is_some() => (VmState::Creating, None),
            (None, placement) => {
                (VmState::Pending, placement.as_ref().and_then(|p| p.reason.clone()))
            }
        };
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VmSpec {
    #[serde(default)]
    pub run: Run,
    /// Virtual CPUs.
    #[serde(default = "default_cpus")]
    #[schema(minimum = 1, maximum = 1024)]
    pub cpus: u32,
    #[serde(default = "default_memory")]
    pub memory: Bytes,
    /// What it was made from. A bundle's kernel is booted directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageName>,
    /// In boot order.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub disks: Vec<Disk>,
    /// Absent on creation means one NIC on the default network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 8)]
    pub nics: Option<Vec<Nic>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_init: Option<CloudInit>,
    #[serde(default)]
    pub restart: RestartPolicy,
    /// Which guests the machine is made for.
    #[serde(default)]
    pub preset: Preset,
    #[serde(default)]
    pub firmware: Firmware,
    /// A TPM 2.0, kept by swtpm.
    #[serde(default)]
    pub tpm: bool,
    #[serde(default)]
    #[schema(max_items = 4)]
    pub cdroms: Vec<Cdrom>,
    /// Names of disks and CD-ROM drives in the order in which they are tried. What is not named
    /// comes after: disks first, then CD-ROM drives, each in its own order.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub boot: Vec<String>,
    /// Refuses to be deleted.
    #[serde(default)]
    pub protected: bool,
    /// Snapshots that are taken by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<SnapshotSchedule>,
    /// Free text of the user.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 8192)]
    pub notes: String,
}

impl Default for VmSpec {
    fn default() -> Self {
        Self {
            run: Run::default(),
            cpus: default_cpus(),
            memory: default_memory(),
            image: None,
            disks: Vec::new(),
            nics: None,
            cloud_init: None,
            restart: RestartPolicy::default(),
            preset: Preset::default(),
            firmware: Firmware::default(),
            tpm: false,
            cdroms: Vec::new(),
            boot: Vec::new(),
            protected: false,
            snapshots: None,
            notes: String::new(),
        }
    }
}

fn default_cpus() -> u32 {
    2
}

fn default_memory() -> Bytes {
    Bytes::gib(2)
}

/// Size of a root disk unless the image is larger or the user says otherwise.
pub const ROOT_DISK: Bytes = Bytes::gib(10);

/// What the VM should be doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Run {
    Running,
    #[default]
    Stopped,
    Paused,
}

/// What happens when a guest ends without being asked to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestartPolicy {
    /// After a crash, with growing pauses; not after the guest shut itself down.
    #[default]
    OnFailure,
    /// Also after the guest shut itself down.
    Always,
    Never,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VmStatus {
    /// Derived from the rest.
    #[serde(default)]
    pub state: VmState,
    /// Why it is in that state, as a sentence, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Derived: changes of the spec that the running guest gets at its next start.
    #[serde(default)]
    pub pending: Vec<Pending>,
    /// Writer: the scheduler.
    #[serde(default)]
    pub placement: Option<Placement>,
    /// Writer: admission of the verbs.
    #[serde(default)]
    pub orders: Orders,
    /// Writer: the agent of `placement.node`.
    #[serde(default)]
    pub runtime: Option<Runtime>,
    /// Writer: the controller of `spec.snapshots`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleStatus>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VmState {
    /// Waits for a node; `reason` says why.
    #[default]
    Pending,
    /// Its disks are being made.
    Creating,
    Starting,
    Running,
    Paused,
    Stopping,
    Stopped,
    /// Ended badly and will not be tried again by itself, or is waiting for the next try.
    Failed,
    Deleting,
}

impl fmt::Display for VmState {
    /// As the API writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Where the VM runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Placement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Name>,
    /// Raised with every change of `node`; whoever carries an older one has no rights.
    #[serde(default)]
    pub epoch: u64,
    /// Why there is no node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the node's counters hold for this VM.
    #[serde(default)]
    pub cpu: MilliCpu,
    #[serde(default)]
    pub memory: Bytes,
}

/// Verbs that are not a state. The agent compares each with `runtime.done`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Orders {
    #[serde(default)]
    pub restart: u64,
    #[serde(default)]
    pub reset: u64,
    #[serde(default)]
    pub restore: u64,
    /// The snapshot's name (`VM.SNAPSHOT`) of the last `restore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_from: Option<String>,
    /// When the last `restore` was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_at: Option<Time>,
    /// How the last stop or restart is to be done.
    #[serde(default)]
    pub stop: StopOrder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StopOrder {
    /// How long the guest may take after the power button was pressed.
    #[serde(default = "stop_timeout")]
    pub timeout: Seconds,
    /// Cut the power when the time is up; otherwise the task fails and the guest runs on.
    #[serde(default)]
    pub force: bool,
}

impl Default for StopOrder {
    fn default() -> Self {
        Self { timeout: stop_timeout(), force: false }
    }
}

fn stop_timeout() -> Seconds {
    Seconds(60)
}
