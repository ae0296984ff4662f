//! What nodes can promise and have promised: counters of the store, checked when a transaction is
//! applied.
//!
//! A VM holds its share from placement until it is gone, also while it is stopped, so a stopped VM
//! can always be started again.

use novacron_model::node::Allocation;
use novacron_model::vm::Placement;
use novacron_model::{Bytes, Code, Error, MilliCpu, Node, Object, Vm};
use novacron_store::{CounterAdd, Snapshot, object};

use crate::index;

/// What VMs on one node may hold in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    pub cpu: MilliCpu,
    pub memory: Bytes,
}

/// Known once the node has reported.
pub fn of(node: &Object<Node>) -> Option<Capacity> {
    let report = node.status.report.as_ref()?;
    let memory = report.memory.0.saturating_sub(node.spec.memory_reserved.0);
    Some(Capacity {
        cpu: MilliCpu(scaled(u64::from(report.cpus) * 1000, node.spec.cpu_overcommit)),
        memory: Bytes(scaled(memory, node.spec.memory_overcommit)),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "amounts lie far below 2^53 and factors are checked to be positive"
)]
fn scaled(amount: u64, factor: f64) -> u64 {
    (amount as f64 * factor) as u64
}

/// What VMs placed on a node hold, by its counters.
pub fn allocated(at: &Snapshot, node: &str) -> Allocation {
    let read = |what: &str| u64::try_from(at.counter(&counter(what, node))).unwrap_or(0);
    Allocation { cpu: MilliCpu(read(CPU)), memory: Bytes(read(MEMORY)), vms: read(VMS) }
}

/// What is left to promise.
pub(crate) fn free(at: &Snapshot, node: &Object<Node>) -> Option<Capacity> {
    let all = of(node)?;
    let held = allocated(at, node.name());
    Some(Capacity {
        cpu: MilliCpu(all.cpu.0.saturating_sub(held.cpu.0)),
        memory: Bytes(all.memory.0.saturating_sub(held.memory.0)),
    })
}

/// Adds a VM's share, refused beyond the node's capacity.
pub(crate) fn hold(
    node: &str,
    capacity: Capacity,
    cpu: MilliCpu,
    memory: Bytes,
) -> Vec<CounterAdd> {
    vec![
        up_to(counter(CPU, node), signed(cpu.0), capacity.cpu.0),
        up_to(counter(MEMORY, node), signed(memory.0), capacity.memory.0),
        CounterAdd { name: counter(VMS, node), delta: 1, min: None, max: None },
    ]
}

/// Changes the share of a placed VM.
pub(crate) fn resize(
    node: &str,
    capacity: Capacity,
    from: &Placement,
    cpu: MilliCpu,
    memory: Bytes,
) -> Vec<CounterAdd> {
    let cpu = signed(cpu.0).saturating_sub(signed(from.cpu.0));
    let memory = signed(memory.0).saturating_sub(signed(from.memory.0));
    let adds = [
        up_to(counter(CPU, node), cpu, capacity.cpu.0),
        up_to(counter(MEMORY, node), memory, capacity.memory.0),
    ];
    adds.into_iter().filter(|add| add.delta != 0).collect()
}

/// Gives a VM's share back.
pub(crate) fn release(placement: &Placement) -> Vec<CounterAdd> {
    let Some(node) = &placement.node else { return Vec::new() };
    let back = |what: &str, amount: u64| CounterAdd {
        name: counter(what, node.as_str()),
        delta: -signed(amount),
        min: None,
        max: None,
    };
    let adds = [back(CPU, placement.cpu.0), back(MEMORY, placement.memory.0), back(VMS, 1)];
    adds.into_iter().filter(|add| add.delta != 0).collect()
}

/// What a user is told when a counter met its limit.
pub(crate) fn exhausted(name: &str) -> Error {
    let (what, node) = name.split_once('/').unwrap_or((name, ""));
    let what = match what {
        CPU => "CPU",
        other => other,
    };
    Error::new(Code::Exhausted, format!("node \"{node}\" has not enough {what} left"))
        .hint("delete VMs there, or ask for less")
}

/// Counters of a node that differ from what its VMs' placements add up to:
/// (counter, counted, held by objects).
pub fn recount(at: &Snapshot, node: &str) -> Vec<(String, i64, i64)> {
    let placed = object::indexed::<Vm>(at, index::NODE, node);
    let placements = placed.iter().filter_map(|vm| vm.status.placement.as_ref());
    let (mut cpu, mut memory, mut vms) = (0, 0, 0);
    for placement in placements {
        cpu += signed(placement.cpu.0);
        memory += signed(placement.memory.0);
        vms += 1;
    }
    let sums = [(CPU, cpu), (MEMORY, memory), (VMS, vms)];
    let compared =
        sums.map(|(what, sum)| (counter(what, node), at.counter(&counter(what, node)), sum));
    compared.into_iter().filter(|(_, counted, sum)| counted != sum).collect()
}

const CPU: &str = "cpu";
const MEMORY: &str = "memory";
const VMS: &str = "vms";

fn counter(what: &str, node: &str) -> String {
    format!("{what}/{node}")
}

fn up_to(name: String, delta: i64, max: u64) -> CounterAdd {
    CounterAdd { name, delta, min: None, max: Some(signed(max)) }
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
