//! VMs: admission of their life from creation to deletion, and the planner that follows it.
//!
//! `spec.run` is what should be; restart, reset and restore are numbered orders. Every verb
//! raises the VM's generation, so a report of its node can be told to be newer than the request.
//! A verb that takes time makes a task that watches for its goal; nothing waits here.
//!
//! Ports of the host are index rows of the VM: `ADDRESS:PORT/PROTOCOL` (with `*` for a wildcard
//! address) and `any:PORT/PROTOCOL`, so that two VMs can never commit the same one. They are
//! unique in the whole cluster.

use novacron_model::request::{DeletePreview, Draft};
use novacron_model::vm::{Run, VmState};
use novacron_model::{MilliCpu, Object, Result, Time, Vm};
use novacron_store::{Snapshot, Txn, object};
use serde_json::Value;

use crate::admission::{Admitted, DeleteOptions, Request, Resource};
use crate::plan::Plan;
use crate::{coming, scheduler};

mod attach;
mod check;
mod clone;
mod create;
mod delete;
mod disks;
mod finalise;
mod follow;
mod hardware;
mod machine;
mod ports;
mod schedule;
mod update;
mod verbs;

pub use attach::{attach, detach};
pub use clone::clone;
pub use update::revert;
pub use verbs::{pause, reset, restart, restore, resume, start, stop};
pub(crate) use verbs::{stop_order, turn};

/// Status section with the verbs that are not a state.
pub(crate) const ORDERS: &str = "orders";
/// Status section with the VM's node.
pub(crate) const PLACEMENT: &str = "placement";

impl Resource for Vm {
    fn fill_draft(request: &Request<'_>, draft: &mut Value) -> Result<()> {
        machine::fill(request, draft)
    }

    fn create(request: &mut Request<'_>, draft: Draft<Self>) -> Result<Admitted> {
        create::create(request, draft)
    }

    fn update(
        request: &mut Request<'_>,
        old: &Object<Self>,
        new: Object<Self>,
    ) -> Result<Admitted> {
        update::update(request, old, new)
    }

    fn delete(
        request: &mut Request<'_>,
        old: &Object<Self>,
        options: DeleteOptions,
    ) -> Result<Admitted> {
        delete::delete(request, old, options)
    }

    fn preview_delete(at: &Snapshot, vm: &Object<Self>) -> DeletePreview {
        delete::preview(at, vm)
    }
}

/// The VM's planner: deletion, what the guest did by itself, what it has let go of, a node,
/// snapshots by schedule.
pub(crate) fn plan(at: &Snapshot, family: &str, now: Time) -> Result<Plan> {
    let Some(vm) = object::by_key::<Vm>(at, family)? else { return Ok(Plan::default()) };
    if vm.meta.deleting.is_some() {
        return Ok(finalise::plan(at, family, &vm, now)?.map(Plan::commit).unwrap_or_default());
    }
    if let Some(txn) = follow::plan(at, &vm, now)? {
        return Ok(Plan::commit(txn));
    }
    if let Some(txn) = attach::let_go(at, &vm, now)? {
        return Ok(Plan::commit(txn));
    }
    if let Some(txn) = hardware::settle(at, family, &vm)? {
        return Ok(Plan::commit(txn));
    }
    if node(&vm).is_some() {
        return schedule::plan(at, family, &vm, now);
    }
    if let Some(txn) = coming::settle(at, &vm)? {
        return Ok(Plan::commit(txn));
    }
    scheduler::plan(at, family, &vm, now)
}

/// The node's name, once it has one.
pub(crate) fn node(vm: &Object<Vm>) -> Option<&novacron_model::Name> {
    vm.status.placement.as_ref().and_then(|placement| placement.node.as_ref())
}

/// A process of the guest may be there.
pub(crate) fn is_live(vm: &Object<Vm>) -> bool {
    let state = vm.status.runtime.as_ref().map(|runtime| runtime.state);
    matches!(
        state,
        Some(VmState::Starting | VmState::Running | VmState::Paused | VmState::Stopping)
    )
}

/// No process of the guest is there, and none is to be started.
pub(crate) fn is_stopped(vm: &Object<Vm>) -> bool {
    vm.spec.run == Run::Stopped && !is_live(vm)
}

pub(crate) fn cpu_share(cpus: u32) -> MilliCpu {
    MilliCpu(u64::from(cpus) * 1000)
}

/// Rewrites the spec record with a higher generation, whether or not the spec differs.
pub(crate) fn put_spec(
    txn: &mut Txn,
    at: &Snapshot,
    old: &Object<Vm>,
    mut new: Object<Vm>,
    rows: Option<Vec<crate::index::Row>>,
) -> Result<Object<Vm>> {
    let home = crate::admission::Home::of(at, old)?;
    new.meta.generation = old.meta.generation + 1;
    crate::admission::rewrite(txn, at, Some(home.uid), old, &new, rows)?;
    Ok(new)
}
