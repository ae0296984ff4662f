//! Figures: what VMs and nodes have used during the last hour. Whoever measures keeps them in
//! memory; they never enter the store. What is not known is absent, never zero.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::name::Name;
use crate::units::{Bytes, MilliCpu, Seconds, Time};

/// The seconds that one point stands for.
pub const STEP: u64 = 15;
/// The points that are kept: an hour's.
pub const POINTS: usize = 240;
/// The points of a trend: a quarter of an hour's.
pub const TREND: usize = 60;

/// What was used at a moment, or on average since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Figure {
    /// In a list of points: when the step began that this is the mean of.
    pub time: Time,
    /// Thousandths of a CPU that were busy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<MilliCpu>,
    /// Memory of the host in use: a VM's process, or all of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_read: Option<Bytes>,
    /// Bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_written: Option<Bytes>,
    /// Operations per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_reads: Option<u64>,
    /// Operations per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_writes: Option<u64>,
    /// Bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_received: Option<Bytes>,
    /// Bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_sent: Option<Bytes>,
}

/// The last hour of one VM or node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// How far points lie apart; where nothing was measured there is none.
    pub step: Seconds,
    /// Of the VM or the node.
    pub cpus: u32,
    /// What `memory` is out of.
    pub memory_max: Bytes,
    /// The newest measurement; absent unless it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Figure>,
    /// Oldest first. The last one may still change.
    pub points: Vec<Figure>,
}

/// One VM or node in a list of many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FigureSummary {
    pub name: Name,
    pub cpus: u32,
    pub memory_max: Bytes,
    /// The newest measurement; absent unless it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Figure>,
    /// `cpu` of the last quarter of an hour, a number for each step, oldest first; empty if none is
    /// known.
    pub trend: Vec<Option<u32>>,
}

/// The newest figures of many VMs, or of all nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FigureList {
    /// How far the numbers of a trend lie apart.
    pub step: Seconds,
    pub items: Vec<FigureSummary>,
}

/// What one machine or guest has used since it began, as it is counted; never falls until it begins
/// anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// CPU time, of all CPUs together.
    pub cpu: Option<Duration>,
    /// In use now.
    pub memory: Option<Bytes>,
    pub disk: Option<DiskTotals>,
    pub network: Option<NetworkTotals>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskTotals {
    /// Bytes.
    pub read: u64,
    /// Bytes.
    pub written: u64,
    /// Operations.
    pub reads: u64,
    /// Operations.
    pub writes: u64,
}

/// In bytes, seen from where they are counted: what a guest has received was sent to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkTotals {
    pub received: u64,
    pub sent: u64,
}

/// What whoever measures knows lately of one VM or node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Absent unless it runs.
    pub now: Option<Figure>,
    pub totals: Totals,
    /// See [`FigureSummary`].
    pub trend: Vec<Option<u32>>,
}

/// What whoever measures knows of the last hour of one VM or node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hour {
    /// Absent unless it runs.
    pub now: Option<Figure>,
    /// Oldest first.
    pub points: Vec<Figure>,
}
