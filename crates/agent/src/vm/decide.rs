//! What to do about a VM now: a pure function of what is wanted and what was seen.
//!
//! ```text
//!            spec, placement, orders ─┐
//!   runtime as last reported, guest ──┼─▶ decide ─▶ report this, then do one thing
//!             memory, time ───────────┘
//! ```
//!
//! The actor commits the report before it acts, acts once, looks again and decides again. So a
//! crash at any line finds either the old report with the old world, or a report that announces
//! what was about to be done; [`Hypervisor::find`](novacron_host::Hypervisor::find) covers the
//! moment between a start and the report of its handle.

use novacron_host::Phase;
use novacron_model::vm::{Exit, ExitCause, Run, Runtime, VmState};
use novacron_model::{Object, Time, Vm};

use super::view::{Decision, Effect, Guest, Step, View};
use super::{alive, down, policy};

pub fn decide(view: &View<'_>) -> Decision {
    let placement = view.vm.status.placement.clone().unwrap_or_default();
    let ours = placement.node.as_ref().is_some_and(|node| node.as_str() == view.node);
    match view.guest {
        Some(guest) if guest.handle.epoch < placement.epoch => unchanged(view, destroy()),
        Some(guest) if guest.handle.epoch > placement.epoch => unchanged(view, Step::Leave),
        _ if !ours => unchanged(view, Step::Leave),
        Some(_) if view.vm.meta.deleting.is_some() => unchanged(view, destroy()),
        None if view.vm.meta.deleting.is_some() => unchanged(view, Step::Do(Effect::CleanUp)),
        Some(guest) => with_guest(view, guest),
        None => down::decide(view),
    }
}

/// Whether a VM can be left alone until its objects change: no guest, nothing pending. Such VMs
/// cost this agent nothing.
pub fn at_rest(vm: &Object<Vm>) -> bool {
    let Some(runtime) = &vm.status.runtime else { return false };
    let orders = &vm.status.orders;
    vm.meta.deleting.is_none()
        && matches!(runtime.state, VmState::Stopped | VmState::Failed)
        && runtime.handle.is_none()
        && !runtime.held
        && runtime.retry_at.is_none()
        && runtime.observed_generation >= vm.meta.generation
        && runtime.done.restart >= orders.restart
        && runtime.done.reset >= orders.reset
        && runtime.done.restore >= orders.restore
}

fn with_guest(view: &View<'_>, guest: &Guest) -> Decision {
    let stored = view.runtime.handle.as_ref();
    let known = stored.is_some_and(|stored| Some(stored) == handle_value(guest).as_ref());
    let run_is_over = view.runtime.started.is_none();
    if known && run_is_over {
        return unchanged(view, destroy());
    }
    let mut runtime = view.runtime.clone();
    if !known {
        adopt(&mut runtime, guest, view.now);
    }
    match guest.observed.phase {
        Phase::ShutDown | Phase::Crashed => {
            let cause = ended_by(view, guest.observed.phase);
            let said = guest.observed.reason.clone().filter(|_| cause == ExitCause::Crash);
            end_run(&mut runtime, view, cause, said);
            Decision { runtime, then: destroy() }
        }
        _ => alive::decide(view, guest, runtime),
    }
}

/// Why a run ended whose process is still there to be asked.
fn ended_by(view: &View<'_>, phase: Phase) -> ExitCause {
    match phase {
        _ if alive::stop_wanted(view).is_some() => ExitCause::Requested,
        Phase::Crashed => ExitCause::Crash,
        _ if view.vm.spec.run == Run::Stopped => ExitCause::Requested,
        // Also one that obeys after it was given up.
        _ if view.hold.is_some() || alive::pressed_lately(view) => ExitCause::Requested,
        _ => ExitCause::Guest,
    }
}

/// Notes the process that runs; its state follows from its phase.
pub fn adopt(runtime: &mut Runtime, guest: &Guest, now: Time) {
    runtime.handle = handle_value(guest);
    runtime.pid = Some(guest.handle.pid);
    runtime.epoch = guest.handle.epoch;
    runtime.started = Some(guest.observed.started.unwrap_or(now));
    runtime.retry_at = None;
}

/// Notes the end of a run. What follows from it is decided once its process is gone.
pub fn end_run(runtime: &mut Runtime, view: &View<'_>, cause: ExitCause, detail: Option<String>) {
    let generation = runtime.observed_generation;
    runtime.restarts = policy::counted(runtime.restarts, runtime.started, view.now);
    runtime.exit = Some(Exit { cause, time: view.now, generation, detail, refused: None });
    runtime.started = None;
    runtime.agent = None;
    enter(runtime, VmState::Stopping, None, view.now);
}

/// Moves to a state; `since` tells when it was entered.
pub fn enter(runtime: &mut Runtime, state: VmState, reason: Option<String>, now: Time) {
    if runtime.state != state {
        runtime.state = state;
        runtime.since = now;
    }
    runtime.reason = reason;
}

fn handle_value(guest: &Guest) -> Option<serde_json::Value> {
    serde_json::to_value(&guest.handle).ok()
}

fn unchanged(view: &View<'_>, then: Step) -> Decision {
    Decision { runtime: view.runtime.clone(), then }
}

fn destroy() -> Step {
    Step::Do(Effect::Destroy)
}
