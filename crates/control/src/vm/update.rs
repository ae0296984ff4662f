//! Changes of a VM's spec: what a running guest would not notice waits until it is stopped.

use novacron_model::vm::{Run, StopOrder};
use novacron_model::{Error, Node, Object, Result, Vm, key};
use novacron_store::{Txn, object};

use super::{ORDERS, PLACEMENT, check, is_live, is_stopped, ports};
use crate::admission::{Admitted, Home, Request, check_alive, fixed, unchanged, unchanged_record};
use crate::capacity;
use crate::index::{self, Row};

pub(super) fn update(
    request: &mut Request<'_>,
    old: &Object<Vm>,
    mut new: Object<Vm>,
) -> Result<Admitted> {
    check_alive(old)?;
    check_fixed(old, &new)?;
    check_needs_stop(old, &new)?;
    let home = request.home()?;
    let mut txn = Txn::new();
    if let Some(told) = &mut new.spec.cloud_init {
        check::cloud_init(request, told, old.spec.cloud_init.as_ref())?;
    }
    if (old.spec.cpus, old.spec.memory) != (new.spec.cpus, new.spec.memory) {
        check::size(request.at, &new.spec)?;
        resize(request, &mut txn, &home, old, &new)?;
    }
    let rows = plug(request, &mut txn, &home, old, &mut new)?;
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

fn check_needs_stop(old: &Object<Vm>, new: &Object<Vm>) -> Result<()> {
    if is_stopped(old) {
        return Ok(());
    }
    let changed = [
        ("spec.cpus", old.spec.cpus != new.spec.cpus),
        ("spec.memory", old.spec.memory != new.spec.memory),
        ("spec.nics", old.spec.nics != new.spec.nics),
    ];
    match changed.iter().find(|(_, changed)| *changed) {
        None => Ok(()),
        Some((field, _)) => {
            let message = format!("{field} of VM \"{}\" cannot change while it runs", old.name());
            Err(Error::conflict(message).at(*field).hint("stop it first"))
        }
    }
}

/// A placed VM's share of its node follows its size at once.
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
    let (cpu, memory) = (super::cpu_share(new.spec.cpus), new.spec.memory);
    let held = capacity::allocated(request.at, name.as_str());
    if memory > placement.memory
        && held.memory.0.saturating_sub(placement.memory.0) + memory.0 > all.memory.0
    {
        return Err(capacity::exhausted(&format!("memory/{name}")).at("spec.memory"));
    }
    if cpu > placement.cpu && held.cpu.0.saturating_sub(placement.cpu.0) + cpu.0 > all.cpu.0 {
        return Err(capacity::exhausted(&format!("cpu/{name}")).at("spec.cpus"));
    }
    unchanged(txn, None, &node);
    let family = key::object::<Vm>(Some(home.uid), old.name());
    unchanged_record(txn, request.at, &key::section(&family, PLACEMENT));
    txn.counters.extend(capacity::resize(name.as_str(), all, placement, cpu, memory));
    let mut placement = placement.clone();
    (placement.cpu, placement.memory) = (cpu, memory);
    let rows = vec![index::row(index::NODE, name)];
    object::put_section(txn, request.at, &family, PLACEMENT, &placement, rows)
}

/// New index rows when the NICs have changed.
fn plug(
    request: &Request<'_>,
    txn: &mut Txn,
    home: &Home,
    old: &Object<Vm>,
    new: &mut Object<Vm>,
) -> Result<Option<Vec<Row>>> {
    if old.spec.nics == new.spec.nics {
        return Ok(None);
    }
    let family = key::object::<Vm>(Some(home.uid), old.name());
    let held = request.at.get(&family).map(|record| record.index.to_vec()).unwrap_or_default();
    let nics = new.spec.nics.get_or_insert_default();
    let mut rows = ports::settle(request.at, txn, home, nics, Some(&family))?;
    let label = key::label_index("");
    let other =
        |name: &str| ![index::NETWORK, index::PORT].contains(&name) && !name.starts_with(&label);
    rows.extend(held.into_iter().filter(|(name, _)| other(name)));
    Ok(Some(rows))
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
