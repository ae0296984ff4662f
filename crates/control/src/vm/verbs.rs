//! Verbs of a VM. Each checks the VM's state, raises its generation and makes a task.

use novacron_model::request::{RestoreRequest, StopRequest};
use novacron_model::snapshot::SnapshotState;
use novacron_model::task::Action;
use novacron_model::vm::{Orders, Run, StopOrder, VmState};
use novacron_model::{Error, Node, Object, Result, Seconds, Vm, key};
use novacron_store::{Txn, object};

use super::{ORDERS, is_live, is_stopped, put_spec};
use crate::admission::{Admitted, Request, check_alive, unchanged};
use crate::journal::called;
use crate::{copying, task};

const TIMEOUT_MAX: Seconds = Seconds(24 * 3600);

/// Starts a stopped VM, or a failed one again. A VM that runs already is left alone.
pub fn start(request: &mut Request<'_>, vm: &Object<Vm>) -> Result<Admitted> {
    check_alive(vm)?;
    let state = vm.status.state;
    if vm.spec.run == Run::Paused || state == VmState::Paused {
        return Err(refused(vm, "is paused").hint("resume it"));
    }
    let under_way =
        vm.spec.run == Run::Running && !matches!(state, VmState::Failed | VmState::Stopped);
    if under_way {
        return join(request, vm, Action::Start);
    }
    check_not_held(request, vm)?;
    let mut new = vm.clone();
    new.spec.run = Run::Running;
    put(request, vm, new, &vm.status.orders, Action::Start, 0)
}

/// Presses the power button; with `force`, cuts the power when the time is up.
pub fn stop(request: &mut Request<'_>, vm: &Object<Vm>, body: &StopRequest) -> Result<Admitted> {
    check_alive(vm)?;
    let order = stop_order(body)?;
    let under_way = vm.spec.run == Run::Stopped && !(order.force && is_live(vm));
    if under_way {
        return join(request, vm, Action::Stop);
    }
    let mut new = vm.clone();
    new.spec.run = Run::Stopped;
    let orders = Orders { stop: order, ..vm.status.orders.clone() };
    put(request, vm, new, &orders, Action::Stop, 0)
}

/// Stops and starts the guest anew, as [`stop`] and [`start`] would.
pub fn restart(request: &mut Request<'_>, vm: &Object<Vm>, body: &StopRequest) -> Result<Admitted> {
    check_running(vm, "restarted")?;
    let stop = stop_order(body)?;
    let before = &vm.status.orders;
    let orders = Orders { restart: before.restart + 1, stop, ..before.clone() };
    let order = orders.restart;
    put(request, vm, vm.clone(), &orders, Action::Restart, order)
}

/// The reset button: the guest boots again without being asked.
pub fn reset(request: &mut Request<'_>, vm: &Object<Vm>) -> Result<Admitted> {
    check_running(vm, "reset")?;
    let before = &vm.status.orders;
    let orders = Orders { reset: before.reset + 1, ..before.clone() };
    let order = orders.reset;
    put(request, vm, vm.clone(), &orders, Action::Reset, order)
}

/// Halts the guest's CPUs.
pub fn pause(request: &mut Request<'_>, vm: &Object<Vm>) -> Result<Admitted> {
    check_alive(vm)?;
    if vm.spec.run == Run::Paused {
        return join(request, vm, Action::Pause);
    }
    check_running(vm, "paused")?;
    let mut new = vm.clone();
    new.spec.run = Run::Paused;
    put(request, vm, new, &vm.status.orders, Action::Pause, 0)
}

/// Lets a paused guest go on, also one that was paused because a disk was full.
pub fn resume(request: &mut Request<'_>, vm: &Object<Vm>) -> Result<Admitted> {
    check_alive(vm)?;
    if vm.spec.run == Run::Running && vm.status.state == VmState::Running {
        return join(request, vm, Action::Resume);
    }
    if vm.spec.run != Run::Paused && vm.status.state != VmState::Paused {
        return Err(refused(vm, "is not paused"));
    }
    let mut new = vm.clone();
    new.spec.run = Run::Running;
    put(request, vm, new, &vm.status.orders, Action::Resume, 0)
}

/// Brings the disks back to what they were when the snapshot was taken. The VM is stopped, or is
/// stopped for it: its node carries the order out between a stop and a start.
pub fn restore(
    request: &mut Request<'_>,
    vm: &Object<Vm>,
    body: &RestoreRequest,
) -> Result<Admitted> {
    check_alive(vm)?;
    let home = request.home()?;
    let name = format!("{}.{}", vm.name(), body.snapshot);
    let snapshot = copying::of_vm(request.at, &home, vm, &name)?;
    let snapshot = snapshot.ok_or_else(|| Error::not_found("snapshot", &name).at("snapshot"))?;
    if snapshot.status.state != SnapshotState::Ready {
        let message = format!("snapshot \"{name}\" is not ready");
        return Err(Error::conflict(message).at("snapshot"));
    }
    if !is_stopped(vm) && !body.stop {
        let why = match vm.status.state {
            VmState::Running => "is running",
            VmState::Paused => "is paused",
            _ => "is not stopped",
        };
        return Err(refused(vm, why).hint("stop it first, or use --stop"));
    }
    let before = &vm.status.orders;
    let restore_from = Some(name);
    let stop = StopOrder::default();
    let restore_at = Some(request.now);
    let restore = before.restore + 1;
    let orders = Orders { restore, restore_from, restore_at, stop, ..before.clone() };
    let order = orders.restore;
    let mut admitted = put(request, vm, vm.clone(), &orders, Action::Restore, order)?;
    unchanged(&mut admitted.txn, Some(home.uid), &snapshot);
    copying::none_of_disks(request.at, &mut admitted.txn, &home, vm)?;
    Ok(admitted)
}

/// Sets `spec.run` for the undoing of a task.
pub(crate) fn turn(request: &Request<'_>, txn: &mut Txn, vm: &Object<Vm>, run: Run) -> Result<()> {
    let mut new = vm.clone();
    new.spec.run = run;
    let stop = StopOrder { force: run == Run::Stopped, ..StopOrder::default() };
    let orders = Orders { stop, ..vm.status.orders.clone() };
    write(request, txn, vm, new, &orders).map(drop)
}

/// The state is as asked, or on its way there: a task that watches, and no change.
fn join(request: &mut Request<'_>, vm: &Object<Vm>, action: Action) -> Result<Admitted> {
    let mut txn = Txn::new();
    unchanged(&mut txn, Some(request.home()?.uid), vm);
    let task = task::begin(request, &mut txn, action, vm, 0)?;
    Ok(Admitted::task(txn, task))
}

fn put(
    request: &mut Request<'_>,
    old: &Object<Vm>,
    new: Object<Vm>,
    orders: &Orders,
    action: Action,
    order: u64,
) -> Result<Admitted> {
    let mut txn = Txn::new();
    let new = write(request, &mut txn, old, new, orders)?;
    let about = old.reference();
    let verb = match action {
        Action::Start => "start",
        Action::Stop => "stop",
        Action::Restart => "restart",
        Action::Reset => "reset",
        Action::Pause => "pause",
        Action::Resume => "resume",
        _ => "restore",
    };
    let text = format!("{verb} of {} was asked for", called(&about));
    request.note(&mut txn, &format!("vm.{verb}"), &about, text)?;
    let task = task::begin(request, &mut txn, action, &new, order)?;
    Ok(Admitted::task(txn, task))
}

fn write(
    request: &Request<'_>,
    txn: &mut Txn,
    old: &Object<Vm>,
    new: Object<Vm>,
    orders: &Orders,
) -> Result<Object<Vm>> {
    let new = put_spec(txn, request.at, old, new, None)?;
    if *orders != old.status.orders {
        let family = key::object::<Vm>(Some(request.home()?.uid), old.name());
        object::put_section(txn, request.at, &family, ORDERS, orders, Vec::new())?;
    }
    Ok(new)
}

/// A start would wait for the host's next boot, and whoever asked for it with it.
fn check_not_held(request: &Request<'_>, vm: &Object<Vm>) -> Result<()> {
    let Some(name) = super::node(vm) else { return Ok(()) };
    let node = object::get::<Node>(request.at, None, name.as_str())?;
    if node.is_none_or(|node| node.status.held().is_none()) {
        return Ok(());
    }
    let hint = format!("`novacron node start-guests {name}` lets them start");
    Err(Error::conflict(format!("node \"{name}\" has shut its guests down")).hint(hint))
}

fn check_running(vm: &Object<Vm>, participle: &str) -> Result<()> {
    check_alive(vm)?;
    if vm.spec.run == Run::Running && vm.status.state == VmState::Running {
        return Ok(());
    }
    let error = refused(vm, &format!("is not running and cannot be {participle}"));
    Err(match vm.status.state {
        VmState::Paused => error.hint("resume it first"),
        VmState::Stopped | VmState::Failed => error.hint("start it"),
        _ => error,
    })
}

fn refused(vm: &Object<Vm>, why: &str) -> Error {
    Error::conflict(format!("VM \"{}\" {why}", vm.name()))
}

pub(crate) fn stop_order(body: &StopRequest) -> Result<StopOrder> {
    let default = StopOrder::default();
    let timeout = body.timeout.unwrap_or(default.timeout);
    if timeout > TIMEOUT_MAX {
        let message = format!("a guest gets at most {} s to stop", TIMEOUT_MAX.0);
        return Err(Error::invalid("timeout", message));
    }
    Ok(StopOrder { timeout, force: body.force })
}
