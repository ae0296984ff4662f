//! What the agent observes of a VM.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::VmState;
use super::device::Disk;
use super::hardware::Hardware;
use super::live::BegunChange;
use crate::error::Error;
use crate::task::Action;
use crate::units::Time;

/// Writer: the agent of the VM's node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Runtime {
    pub state: VmState,
    pub since: Time,
    /// One sentence, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How far the world has followed the spec.
    pub observed_generation: u64,
    /// The epoch under which the guest was started.
    #[serde(default)]
    pub epoch: u64,
    /// The driver that runs it and what it needs to find the guest again (persisted handle).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub handle: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// Starts since a user last asked for one; drives the back-off.
    #[serde(default)]
    pub restarts: u32,
    /// When the next try is due, while `state` is `failed` and the policy tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Time>,
    /// It is down only because its node has shut its guests down.
    #[serde(default)]
    pub held: bool,
    /// How the last run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// Orders carried out; compare with `orders`.
    #[serde(default)]
    pub done: OrdersDone,
    /// The last verb that could not be carried out; the guest went on as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<GuestAgent>,
    /// The NICs of the live guest, in their order.
    #[serde(default)]
    pub nics: Vec<NicState>,
    /// What the live guest was given; `spec` may ask for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Hardware>,
    /// A disk that is being given to the live guest; it may have it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugging: Option<Disk>,
    /// Changes of media and of ports under the live guest whose end is not known yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub begun: Vec<BegunChange>,
    /// Changes of the machine that the live guest did not take; it gets them at its next start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedChange>,
}

/// Why a change of the machine cannot be made while the guest runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedChange {
    /// Name of the drive, or `nic0` and so on.
    pub device: String,
    /// The generation that was tried.
    pub generation: u64,
    pub error: Error,
}

/// How a NIC of a live guest is plugged in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NicState {
    /// `52:1f:…`; the same for the life of the VM.
    pub mac: String,
    /// The bridge of the node, on a network of that kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// Why it is in no bridge now. It is plugged in again once that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unplugged: Option<String>,
}

/// Why a verb was given up: a guest that did not stop in time, a snapshot that is gone. For tasks
/// to report; a start that failed is told by `state` and `exit` instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    pub action: Action,
    /// The generation that asked for it.
    pub generation: u64,
    /// The order's number, for restart, reset and restore; the hold's, for a stop of all guests of
    /// a node; else zero.
    #[serde(default)]
    pub order: u64,
    pub error: Error,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrdersDone {
    #[serde(default)]
    pub restart: u64,
    #[serde(default)]
    pub reset: u64,
    #[serde(default)]
    pub restore: u64,
    /// The node's hold, which may have been given up.
    #[serde(default)]
    pub hold: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exit {
    pub cause: ExitCause,
    pub time: Time,
    /// The generation that was running.
    pub generation: u64,
    /// Last words of the hypervisor, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Why it was not even started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExitCause {
    /// The guest shut itself down.
    Guest,
    /// A user or controller asked for it.
    Requested,
    /// The hypervisor process ended without a word, or could not start.
    Crash,
    /// The host was booted anew.
    HostBoot,
}

/// What the guest agent tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuestAgent {
    pub version: String,
    #[serde(default)]
    pub hostname: String,
    /// `PRETTY_NAME` of the guest's os-release.
    #[serde(default)]
    pub os: String,
    /// Without loopback and link-local ones.
    #[serde(default)]
    pub addresses: Vec<String>,
}
