//! Figures of VMs and nodes, for REST, GraphQL and metrics alike: what the gateway has read, with
//! what it is out of.

use novacron_model::figures::{FigureList, FigureSummary, Figures, Hour, POINTS, Reading, STEP};
use novacron_model::{Bytes, Error, Name, Node, Object, Seconds, Time, Vm};
use novacron_store::object;

use crate::edge;
use crate::problem::{Answer, Refusal};
use crate::resource::{Target, Typed, scope_uid};
use crate::rest::guests;
use crate::rest::params::bad;
use crate::state::Api;

/// As many VMs as a client may name at once.
pub const NAMES_MAX: usize = 200;

/// The last hour of a VM, or what it has since `from`.
pub async fn of_vm(api: &Api, target: Target<'_>, from: Option<Time>) -> Answer<Figures> {
    let vm = guests::vm(api, target)?;
    let hour = api.gateway.vm_hour(&vm, from.unwrap_or_else(an_hour_ago)).await?;
    Ok(figures(size_of_vm(&vm), hour))
}

/// The last hour of a node, or what it has since `from`.
pub async fn of_node(api: &Api, name: &str, from: Option<Time>) -> Answer<Figures> {
    Typed::<Node>::OPERATIONS.check_name(name)?;
    let node = object::expect::<Node>(&api.store.snapshot(), None, name)?;
    let hour = api.gateway.node_hour(&node, from.unwrap_or_else(an_hour_ago)).await?;
    Ok(figures(size_of_node(&node), hour))
}

/// The newest figures of a project's VMs: of those named, without those that are not there, or of
/// all.
pub async fn of_vms(
    api: &Api,
    project: Option<&str>,
    names: Option<&[String]>,
) -> Answer<FigureList> {
    let at = api.store.snapshot();
    let scope = scope_uid(&at, project)?;
    let vms = match names {
        None => object::list::<Vm>(&at, scope),
        Some(names) if names.len() > NAMES_MAX => {
            return Err(bad("names", &format!("more than {NAMES_MAX}")));
        }
        Some(names) => {
            let check = |name: &String| Typed::<Vm>::OPERATIONS.check_name(name);
            names.iter().try_for_each(check)?;
            // One that cannot be read has no figures either.
            let get = |name: &String| object::get::<Vm>(&at, scope, name).ok().flatten();
            names.iter().filter_map(get).collect()
        }
    };
    let readings = api.gateway.vm_readings(&vms).await;
    let each = vms.iter().zip(readings);
    let items = each.map(|(vm, reading)| summary(&vm.meta.name, size_of_vm(vm), reading));
    Ok(FigureList { step: Seconds(STEP), items: items.collect::<Answer<_>>()? })
}

/// The newest figures of all nodes.
pub async fn of_nodes(api: &Api) -> Answer<FigureList> {
    let nodes = object::list::<Node>(&api.store.snapshot(), None);
    let readings = api.gateway.node_readings(&nodes).await;
    let each = nodes.iter().zip(readings);
    let items = each.map(|(node, reading)| summary(&node.meta.name, size_of_node(node), reading));
    Ok(FigureList { step: Seconds(STEP), items: items.collect::<Answer<_>>()? })
}

/// A moment that a client names.
pub fn parse_since(text: &str) -> Answer<Time> {
    text.parse().map_err(|_| bad("since", "not a moment such as 2030-01-31T12:00:00Z"))
}

/// CPUs and memory that a VM has now: changes may wait for its restart.
pub fn size_of_vm(vm: &Object<Vm>) -> (u32, Bytes) {
    let running = vm.status.runtime.as_ref().filter(|runtime| runtime.pid.is_some());
    match running.and_then(|runtime| runtime.hardware.as_ref()) {
        Some(hardware) => (hardware.cpus, hardware.memory),
        None => (vm.spec.cpus, vm.spec.memory),
    }
}

/// CPUs and memory of a node, as far as it has told.
pub fn size_of_node(node: &Object<Node>) -> (u32, Bytes) {
    node.status.report.as_ref().map_or((0, Bytes(0)), |report| (report.cpus, report.memory))
}

fn figures((cpus, memory_max): (u32, Bytes), hour: Hour) -> Figures {
    let Hour { now, points } = hour;
    Figures { step: Seconds(STEP), cpus, memory_max, now, points }
}

fn summary(
    name: &str,
    (cpus, memory_max): (u32, Bytes),
    reading: Reading,
) -> Answer<FigureSummary> {
    let name = Name::new(name).map_err(|error: Error| Refusal::from(error))?;
    Ok(FigureSummary { name, cpus, memory_max, now: reading.now, trend: reading.trend })
}

fn an_hour_ago() -> Time {
    let span = i64::try_from(STEP).unwrap_or(0) * i64::try_from(POINTS).unwrap_or(0) * 1000;
    Time(edge::now().0 - span)
}
