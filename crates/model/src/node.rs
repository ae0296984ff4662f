//! Nodes: machines that run VMs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::meta::{Kind, Meta, Scope};
use crate::name::Name;
use crate::units::{Bytes, MilliCpu, Time};
use crate::vm::StopOrder;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node;

impl Kind for Node {
    const KIND: &'static str = "node";
    const PLURAL: &'static str = "nodes";
    const SCOPE: Scope = Scope::Cluster;
    type Spec = NodeSpec;
    type Status = NodeStatus;

    fn summarize(_meta: &Meta, _spec: &NodeSpec, status: &mut NodeStatus) {
        status.state = if status.report.is_some() { NodeState::Ready } else { NodeState::Unknown };
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeSpec {
    /// How many virtual CPUs may be promised per physical one.
    #[serde(default = "cpu_overcommit")]
    pub cpu_overcommit: f64,
    /// How much guest memory may be promised per byte that guests may use.
    #[serde(default = "memory_overcommit")]
    pub memory_overcommit: f64,
    /// Memory kept for the host itself.
    #[serde(default = "memory_reserved")]
    pub memory_reserved: Bytes,
    /// What fails together with it: a room, a rack, a circuit. Voters are spread over zones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Name>,
}

impl Default for NodeSpec {
    fn default() -> Self {
        Self {
            cpu_overcommit: cpu_overcommit(),
            memory_overcommit: memory_overcommit(),
            memory_reserved: memory_reserved(),
            zone: None,
        }
    }
}

fn cpu_overcommit() -> f64 {
    4.0
}

fn memory_overcommit() -> f64 {
    1.0
}

fn memory_reserved() -> Bytes {
    Bytes::gib(1)
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeStatus {
    /// Derived from the rest.
    #[serde(default)]
    pub state: NodeState,
    /// Writer: the node's agent.
    #[serde(default)]
    pub report: Option<NodeReport>,
    /// Writer: admission of `stop-guests` and `start-guests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// What VMs placed here hold. Derived from the store's counters when read.
    #[serde(default)]
    pub allocated: Allocation,
}

/// The node's guests are to be down, whatever their VMs' specs say: its host is about to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hold {
    /// Raised with every request.
    pub number: u64,
    /// The boot of the host that it is for; after the next one guests start again.
    pub boot_id: String,
    pub since: Time,
    /// How guests are shut down.
    pub stop: StopOrder,
    /// `start-guests` has ended it.
    #[serde(default)]
    pub released: bool,
}

impl Hold {
    /// Whether guests are to be down while the host is in this boot.
    pub fn holds(&self, boot_id: &str) -> bool {
        !self.released && self.boot_id == boot_id
    }
}

impl NodeStatus {
    /// The hold that is in force.
    pub fn held(&self) -> Option<&Hold> {
        let boot_id = &self.report.as_ref()?.boot_id;
        self.hold.as_ref().filter(|hold| hold.holds(boot_id))
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    #[default]
    Unknown,
    Ready,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Allocation {
    pub cpu: MilliCpu,
    pub memory: Bytes,
    pub vms: u64,
}

/// What the agent found when it started, and after changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeReport {
    /// NovaCron's version there.
    pub version: String,
    /// Host name of the machine.
    pub hostname: String,
    /// Changes with every boot of the host.
    pub boot_id: String,
    pub started: Time,
    /// Physical CPUs that guests may use.
    pub cpus: u32,
    pub cpu_model: String,
    pub memory: Bytes,
    pub hypervisors: Vec<HypervisorReport>,
    /// What users should know about this node, in sentences: no KVM, no cgroups without root.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// Runs simulated guests only.
    #[serde(default)]
    pub simulated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HypervisorReport {
    /// `qemu` or `sim`.
    pub driver: String,
    pub version: String,
    /// `kvm`, `tcg` or `sim`.
    pub accelerator: String,
    /// The evidence for the choice of accelerator, as a sentence.
    pub reason: String,
    /// Names of the optional powers: `control`, `serial`, `screen`, `guest_agent`, `snapshots`,
    /// `bridges`.
    pub powers: Vec<String>,
}
