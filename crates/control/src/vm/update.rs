//! Changes of a VM's spec. A running guest gets what it can take at once; the rest is pending until
//! its next start.

use novacron_model::vm::{Run, StopOrder};
use novacron_model::{Bytes, Error, Node, Object, Result, Vm, key};
use novacron_store::{Txn, object};

use super::{ORDERS, PLACEMENT, check, hardware, is_live, schedule};
use crate::admission::{Admitted, Home, Request, check_alive, fixed, unchanged, unchanged_record};
use crate::capacity;
use crate::index;

pub(super) fn update(
    request: &mut Request<'_>,
    old: &Object<Vm>,
    mut new: Object<Vm>,
) -> Result<Admitted> {
    check_alive(old)?;
    check_fixed(old, &new)?;
    hardware::check(&new.spec)?;
    schedule::check(&new.spec)?;
    let home = request.home()?;
    let mut txn = Txn::new();
    if let Some(told) = &mut new.spec.cloud_init {
        check::cloud_init(request, told, old.spec.cloud_init.as_ref())?;
    }
    if (old.spec.cpus, old.spec.memory) != (new.spec.cpus, new.spec.memory) {
        check::size(request.at, &new.spec)?;
        resize(request, &mut txn, &home, old, &new)?;
    }
    let rows = hardware::changed_rows(request, &mut txn, &home, old, &mut new)?;
    if old.spec.run != new.spec.run {
        turn_by_hand(request, &mut txn, &home, old, &new)?;
    }
    request.put_changed(&mut txn, old, &new, rows)?;
    Ok(Admitted::done(txn))
}

fn check_fixed(old: &Object<Vm>, new: &Object<Vm>) -> Result<()> {
    if old.spec.image != new.spec.image {
        return Err(fixed("spec.image").hint("create another VM"));
    }
    if old.spec.disks != new.spec.disks {
        return Err(fixed("spec.disks").hint("use `novacron volume attach` and `detach`"));
    }
    Ok(())
}

/// A placed VM's share of its node grows at once; it shrinks once nothing holds more.
fn resize(
    request: &Request<'_>,
    txn: &mut Txn,
    home: &Home,
    old: &Object<Vm>,
    new: &Object<Vm>,
) -> Result<()> {
    let Some(placement) = &old.status.placement else { return Ok(()) };
    let Some(name) = &placement.node else { return Ok(()) };
    let node = object::expect::<Node>(request.at, None, name.as_str())?;
    let Some(all) = capacity::of(&node) else {
        return Err(Error::unavailable(format!("node \"{name}\" has not reported yet")));
    };
    // A live guest keeps what it was given until it has gone.
    let held = hardware::still_held(old);
    let cpus = held.as_ref().map_or(0, |held| held.cpus).max(new.spec.cpus);
    let memory = held.map_or(Bytes(0), |held| held.memory).max(new.spec.memory);
    let cpu = super::cpu_share(cpus);
    let promised = capacity::allocated(request.at, name.as_str());
    if memory > placement.memory
        && promised.memory.0.saturating_sub(placement.memory.0) + memory.0 > all.memory.0
    {
        return Err(capacity::exhausted(&format!("memory/{name}")).at("spec.memory"));
    }
    if cpu > placement.cpu && promised.cpu.0.saturating_sub(placement.cpu.0) + cpu.0 > all.cpu.0 {
        return Err(capacity::exhausted(&format!("cpu/{name}")).at("spec.cpus"));
    }
    unchanged(txn, None, &node);
    let family = key::object::<Vm>(Some(home.uid), old.name());
    unchanged_record(txn, request.at, &key::section(&family, PLACEMENT));
    // A guest that is started meanwhile may hold more.
    unchanged_record(txn, request.at, &key::section(&family, "runtime"));
    txn.counters.extend(capacity::resize(name.as_str(), all, placement, cpu, memory));
    let mut placement = placement.clone();
    (placement.cpu, placement.memory) = (cpu, memory);
    let rows = vec![index::row(index::NODE, name)];
    object::put_section(txn, request.at, &family, PLACEMENT, &placement, rows)
}

/// `spec.run` written directly is the verb without its task.
fn turn_by_hand(
    request: &Request<'_>,
    txn: &mut Txn,
    home: &Home,
    old: &Object<Vm>,
    new: &Object<Vm>,
) -> Result<()> {
    if new.spec.run == Run::Paused && !is_live(old) {
        return Err(Error::invalid("spec.run", "only a running VM can be paused"));
    }
    let mut orders = old.status.orders.clone();
    orders.stop = StopOrder::default();
    if orders != old.status.orders {
        let family = key::object::<Vm>(Some(home.uid), old.name());
        object::put_section(txn, request.at, &family, ORDERS, &orders, Vec::new())?;
    }
    Ok(())
}

/// Takes back what waits for a restart: the spec asks for the machine that the guest has.
pub fn revert(request: &mut Request<'_>, vm: &Object<Vm>) -> Result<Admitted> {
    check_alive(vm)?;
    let mut new = vm.clone();
    if let Some(has) = hardware::still_held(vm) {
        new.spec.revert_to(&has);
    }
    if new.spec == vm.spec {
        let message = format!("nothing of VM \"{}\" waits for a restart", vm.name());
        return Err(Error::conflict(message));
    }
    update(request, vm, new)
}
