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

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::meta::{Kind, Meta, Scope};
use crate::name::Name;
use crate::units::{Bytes, MilliCpu, Seconds};

pub mod cloud_init;
pub mod device;
pub mod runtime;

pub use cloud_init::CloudInit;
pub use device::{Disk, Nic, PortForward, Protocol};
pub use runtime::{Exit, ExitCause, Failure, GuestAgent, OrdersDone, Runtime};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vm;

impl Kind for Vm {
    const KIND: &'static str = "vm";
    const PLURAL: &'static str = "vms";
    const SCOPE: Scope = Scope::Project;
    type Spec = VmSpec;
    type Status = VmStatus;

    fn summarize(meta: &Meta, _spec: &VmSpec, status: &mut VmStatus) {
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
    pub image: Option<Name>,
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
    /// Writer: the scheduler.
    #[serde(default)]
    pub placement: Option<Placement>,
    /// Writer: admission of the verbs.
    #[serde(default)]
    pub orders: Orders,
    /// Writer: the agent of `placement.node`.
    #[serde(default)]
    pub runtime: Option<Runtime>,
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
