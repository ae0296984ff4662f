//! The scheduler: gives a VM its node, and its new volumes with it.
//!
//! A node that is ready, reaches what the VM's disks consist of and has enough left fits; among
//! those the one with the largest part of its memory left wins. A VM that fits nowhere stays
//! pending with one reason per node.

use novacron_model::catalogue::ImageName;
use novacron_model::node::NodeState;
use novacron_model::vm::Placement;
use novacron_model::{Image, Level, Name, Network, Node, Object, Result, Time, Vm, Volume, key};
use novacron_store::{Snapshot, Txn, object};

use crate::admission::{Home, unchanged, unchanged_record};
use crate::coming::{self, Coming};
use crate::index::{self, OPEN, row};
use crate::journal::{self, Note, SCHEDULER, called};
use crate::plan::Plan;
use crate::vm::{PLACEMENT, cpu_share};
use crate::{capacity, copying, placing};

/// Pending VMs are looked at again this often, whatever woke nobody; at whole minutes, so that
/// many looks leave one timer.
const RETRY_MS: i64 = 60_000;
/// Nodes whose reasons are shown.
const REASONS_SHOWN: usize = 8;

/// What ties a VM to nodes.
#[derive(Default)]
struct Ties {
    /// (`volume "data"`, its node).
    fixed: Vec<(String, Name)>,
    /// Volumes that have no node yet.
    free: Vec<(String, Object<Volume>)>,
    networks: Vec<Object<Network>>,
}

pub(crate) fn plan(at: &Snapshot, family: &str, vm: &Object<Vm>, now: Time) -> Result<Plan> {
    let home = Home::of(at, vm)?;
    let waits = match coming::of_vm(at, &home, vm)? {
        Coming::Here => None,
        Coming::Waiting(reason) => Some(reason),
        Coming::Failed(error) => Some(error.message),
    };
    if let Some(reason) = waits {
        return pend(at, family, &home, vm, reason).map(Plan::commit);
    }
    let ties = ties(at, &home, vm)?;
    let nodes = object::list::<Node>(at, None);
    let mut best: Option<(u64, &Object<Node>)> = None;
    let mut reasons = Vec::new();
    for node in &nodes {
        match fit(at, node, vm, &ties) {
            Err(reason) => reasons.push(format!("{}: {reason}", node.name())),
            Ok(score) if best.is_none_or(|(most, _)| score > most) => best = Some((score, node)),
            Ok(_) => {}
        }
    }
    let txn = match best {
        Some((_, node)) => place(at, family, &home, vm, node, &ties, (nodes.len(), now))?,
        None => pend(at, family, &home, vm, unfit(&reasons))?,
    };
    let wake = best.is_none().then(|| Time((now.0 / RETRY_MS + 1).saturating_mul(RETRY_MS)));
    Ok(Plan { wake, ..Plan::commit(txn) })
}

fn ties(at: &Snapshot, home: &Home, vm: &Object<Vm>) -> Result<Ties> {
    let mut ties = Ties::default();
    let media = vm.spec.cdroms.iter().filter_map(|cdrom| cdrom.image.clone());
    let media = media.map(ImageName::from);
    let mut images: Vec<ImageName> = vm.spec.image.clone().into_iter().chain(media).collect();
    for name in vm.spec.disks.iter().filter_map(|disk| disk.volume.as_ref()) {
        let Some(volume) = object::get::<Volume>(at, Some(home.uid), name.as_str())? else {
            continue;
        };
        if let Some(location) = &volume.status.location {
            ties.fixed.push((called(&volume.reference()), location.node.clone()));
            continue;
        }
        if let Some(source) = copying::source(at, home, &volume)?
            && let Some(location) = &source.status.location
        {
            ties.fixed.push((called(&source.reference()), location.node.clone()));
        }
        images.extend(volume.spec.image.clone());
        let family = key::object::<Volume>(Some(home.uid), volume.name());
        ties.free.push((family, volume));
    }
    for name in vm.spec.nics.iter().flatten().filter_map(|nic| nic.network.as_ref()) {
        ties.networks.extend(object::get::<Network>(at, Some(home.uid), name.as_str())?);
    }
    images.sort();
    images.dedup();
    for name in images {
        let image = object::get::<Image>(at, Some(home.uid), name.as_str())?;
        if let Some((image, location)) =
            image.and_then(|image| Some((image.reference(), image.status.location?)))
        {
            ties.fixed.push((called(&image), location.node));
        }
    }
    Ok(ties)
}

/// The part of the node's memory that is left with the VM on it, in thousandths; or why not.
/// Reasons name no amount that changes with every VM: they would be rewritten all the time.
fn fit(at: &Snapshot, node: &Object<Node>, vm: &Object<Vm>, ties: &Ties) -> Result<u64, String> {
    if let Some((what, place)) = ties.fixed.iter().find(|(_, place)| place.as_str() != node.name())
    {
        return Err(format!("{what} is on node \"{place}\""));
    }
    let (Some(all), Some(free)) = (capacity::of(node), capacity::free(at, node)) else {
        return Err("it has not reported yet".to_owned());
    };
    if node.status.state != NodeState::Ready {
        return Err("it is not ready".to_owned());
    }
    if placing::is_witness(at, node.name()) {
        return Err("it is a witness".to_owned());
    }
    if node.status.report.as_ref().is_none_or(|report| report.hypervisors.is_empty()) {
        return Err("it has no hypervisor".to_owned());
    }
    if let Some(reason) = ties.networks.iter().find_map(|network| lacks(network, node.name())) {
        return Err(reason);
    }
    if free.memory < vm.spec.memory {
        return Err(format!("it has less than {} of memory left", vm.spec.memory));
    }
    if free.cpu < cpu_share(vm.spec.cpus) {
        return Err(format!("it has less than {} CPUs left", vm.spec.cpus));
    }
    let left = u128::from(free.memory.0 - vm.spec.memory.0) * 1000;
    Ok(u64::try_from(left / u128::from(all.memory.0.max(1))).unwrap_or(0))
}

/// What a node lacks of a network that other nodes have. Where none has it, the VM goes anywhere and
/// says so when it starts.
fn lacks(network: &Object<Network>, node: &str) -> Option<String> {
    let status = &network.status;
    let here = status.on(node).filter(|here| !here.ready)?;
    let elsewhere = status.nodes.iter().any(|each| each.ready);
    elsewhere.then(|| here.reason.clone().unwrap_or_default())
}

fn place(
    at: &Snapshot,
    family: &str,
    home: &Home,
    vm: &Object<Vm>,
    node: &Object<Node>,
    ties: &Ties,
    (candidates, now): (usize, Time),
) -> Result<Txn> {
    let name = Name::new(node.name())?;
    let Some(all) = capacity::of(node) else { return Ok(Txn::new()) };
    let mut txn = Txn::new();
    unchanged(&mut txn, Some(home.uid), vm);
    unchanged_record(&mut txn, at, &key::section(family, PLACEMENT));
    unchanged(&mut txn, None, node);
    let node_key = key::object::<Node>(None, node.name());
    unchanged_record(&mut txn, at, &key::section(&node_key, "report"));
    let epoch = vm.status.placement.as_ref().map_or(0, |placement| placement.epoch) + 1;
    let (cpu, memory) = (cpu_share(vm.spec.cpus), vm.spec.memory);
    txn.counters.extend(capacity::hold(name.as_str(), all, cpu, memory));
    let placement = Placement { node: Some(name.clone()), epoch, reason: None, cpu, memory };
    let rows = vec![row(index::NODE, &name)];
    object::put_section(&mut txn, at, family, PLACEMENT, &placement, rows)?;
    for (family, volume) in &ties.free {
        placing::locate(&mut txn, at, volume, family, &name)?;
    }
    if candidates > 1 {
        let about = vm.reference();
        let text =
            format!("{} goes to node \"{name}\", which has most memory left", called(&about));
        let (actor, kind, object) = (SCHEDULER, "vm.placed", Some(about));
        journal::note(&mut txn, now, Note { actor, level: Level::Info, kind, object, text })?;
    }
    Ok(txn)
}

/// Why no node fits.
fn unfit(reasons: &[String]) -> String {
    match reasons.len() {
        0 => "no node is there yet".to_owned(),
        n if n <= REASONS_SHOWN => format!("no node fits: {}", reasons.join("; ")),
        n => {
            let (shown, more) = (reasons[..REASONS_SHOWN].join("; "), n - REASONS_SHOWN);
            format!("no node fits: {shown}; and {more} more")
        }
    }
}

fn pend(at: &Snapshot, family: &str, home: &Home, vm: &Object<Vm>, reason: String) -> Result<Txn> {
    let before = vm.status.placement.clone();
    let placement = Placement { reason: Some(reason), ..before.clone().unwrap_or_default() };
    let mut txn = Txn::new();
    if before.as_ref() == Some(&placement) {
        return Ok(txn);
    }
    unchanged(&mut txn, Some(home.uid), vm);
    unchanged_record(&mut txn, at, &key::section(family, PLACEMENT));
    let rows = vec![row(index::PENDING, OPEN)];
    object::put_section(&mut txn, at, family, PLACEMENT, &placement, rows)?;
    Ok(txn)
}
