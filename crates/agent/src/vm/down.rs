//! Decisions about a VM without a live process. Pure.

use std::time::Duration;

use novacron_model::Error;
use novacron_model::vm::{Exit, ExitCause, RestartPolicy, Run, Runtime, VmState};

use super::alive;
use super::decide::{end_run, enter};
use super::policy::{self, Consequence};
use super::view::{Decision, Disks, Effect, Step, View};

pub fn decide(view: &View<'_>) -> Decision {
    let mut runtime = view.runtime.clone();
    if runtime.started.is_some() {
        let (cause, detail) = vanished(view);
        end_run(&mut runtime, view, cause, detail);
    }
    (runtime.handle, runtime.pid, runtime.agent) = (None, None, None);
    runtime.nics.clear();
    // Not before its process has gone: until then it holds what it was given.
    (runtime.hardware, runtime.plugging) = (None, None);
    runtime.begun.clear();
    runtime.refused.clear();
    let ready = *view.disks() == Disks::Ready;
    let orders = &view.vm.status.orders;
    if ready && orders.restore > runtime.done.restore {
        let snapshot = orders.restore_from.clone().unwrap_or_default();
        return Decision { runtime, then: Step::Do(Effect::Restore { snapshot }) };
    }
    // What is to be kept is kept before the guest writes again.
    if ready && let Some(work) = view.snapshots.iter().find(|work| !work.delete) {
        return Decision { runtime, then: Step::Do(Effect::Snapshot(work.clone())) };
    }
    // There is nothing to reset, and whatever starts now is a restart.
    runtime.done.reset = orders.reset;
    let decision = stay_or_start(view, runtime);
    match (&decision.then, view.snapshots.first()) {
        (Step::Wait(_), Some(work)) if ready => {
            Decision { then: Step::Do(Effect::Snapshot(work.clone())), ..decision }
        }
        _ => decision,
    }
}

fn stay_or_start(view: &View<'_>, mut runtime: Runtime) -> Decision {
    if view.vm.spec.run == Run::Stopped {
        return stay_stopped(view, runtime);
    }
    if view.unfollowed() || view.vm.status.orders.restart > runtime.done.restart {
        runtime.restarts = 0;
        return start(view, runtime);
    }
    by_policy(view, runtime)
}

/// Why a process is gone that nobody here ended.
fn vanished(view: &View<'_>) -> (ExitCause, Option<String>) {
    let handle = view.runtime.handle.as_ref();
    let boot = handle.and_then(|handle| handle.get("boot_id")?.as_str());
    if boot.is_some_and(|boot| boot != view.boot_id) {
        return (ExitCause::HostBoot, None);
    }
    if view.runtime.state == VmState::Stopping && alive::stop_wanted(view).is_some() {
        return (ExitCause::Requested, None);
    }
    let last_words = view.last_words.unwrap_or("its process ended without a word");
    (ExitCause::Crash, Some(last_words.to_owned()))
}

fn stay_stopped(view: &View<'_>, mut runtime: Runtime) -> Decision {
    let never_settled = runtime.observed_generation == 0;
    let now = view.now;
    match view.disks() {
        Disks::Waiting(reason) if never_settled => {
            enter(&mut runtime, VmState::Creating, Some(reason.clone()), now);
            return Decision { runtime, then: Step::Wait(None) };
        }
        Disks::Failed(reason) if never_settled || runtime.state == VmState::Failed => {
            enter(&mut runtime, VmState::Failed, Some(reason.clone()), now);
        }
        _ => enter(&mut runtime, VmState::Stopped, None, now),
    }
    runtime.done.restart = view.vm.status.orders.restart;
    runtime.retry_at = None;
    runtime.held = false;
    runtime.restarts = 0;
    runtime.observed_generation = view.vm.meta.generation;
    Decision { runtime, then: Step::Wait(None) }
}

/// Nobody asked for a start lately: the policy says what follows from the last exit.
fn by_policy(view: &View<'_>, mut runtime: Runtime) -> Decision {
    let policy = view.vm.spec.restart;
    if runtime.state == VmState::Stopping
        && let Some(exit) = runtime.exit.clone()
    {
        match policy::after_exit(policy, exit.cause, runtime.restarts) {
            Consequence::Start => return start(view, runtime),
            Consequence::Stopped => enter(&mut runtime, VmState::Stopped, None, view.now),
            Consequence::Failed => {
                enter(&mut runtime, VmState::Failed, Some(says(&exit)), view.now);
            }
            Consequence::Retry(pause) => {
                runtime.retry_at = Some(view.now.plus(pause));
                enter(&mut runtime, VmState::Failed, Some(says(&exit)), view.now);
            }
        }
    }
    if let Some(due) = runtime.retry_at {
        let left = policy::wait(due, view.now);
        if left > 0 {
            let then = Step::Wait(Some(Duration::from_millis(left)));
            return Decision { runtime, then };
        }
        runtime.restarts = runtime.restarts.saturating_add(1);
        return start(view, runtime);
    }
    if stays_down(view, &runtime) {
        return Decision { runtime, then: Step::Wait(None) };
    }
    start(view, runtime)
}

fn stays_down(view: &View<'_>, runtime: &Runtime) -> bool {
    let Some(exit) = runtime.exit.as_ref().filter(|_| !runtime.held) else { return false };
    let current = exit.generation == view.vm.meta.generation;
    match (runtime.state, exit.cause, view.vm.spec.restart) {
        (VmState::Stopped, ExitCause::Guest, policy) => policy != RestartPolicy::Always,
        (VmState::Failed, ExitCause::Crash, RestartPolicy::Never) => current,
        _ => false,
    }
}

fn says(exit: &Exit) -> String {
    match (exit.cause, &exit.detail) {
        (ExitCause::Guest, _) => "the guest shut itself down".to_owned(),
        (_, Some(detail)) => format!("the guest crashed: {detail}"),
        (_, None) => "the guest crashed".to_owned(),
    }
}

fn start(view: &View<'_>, mut runtime: Runtime) -> Decision {
    let now = view.now;
    // Its time has come; kept, it would be counted again with every look.
    runtime.retry_at = None;
    runtime.held = view.hold.is_some();
    if let Some(hold) = view.hold {
        runtime.done.hold = hold.number;
        runtime.failure = None;
        let reason = format!("node \"{}\" has shut its guests down", view.node);
        enter(&mut runtime, VmState::Stopped, Some(reason), now);
        return Decision { runtime, then: Step::Wait(None) };
    }
    match view.disks() {
        Disks::Waiting(reason) => {
            enter(&mut runtime, VmState::Creating, Some(reason.clone()), now);
            Decision { runtime, then: Step::Wait(None) }
        }
        Disks::Failed(reason) => {
            enter(&mut runtime, VmState::Failed, Some(reason.clone()), now);
            runtime.observed_generation = view.vm.meta.generation;
            runtime.done.restart = view.vm.status.orders.restart;
            Decision { runtime, then: Step::Wait(None) }
        }
        Disks::Ready => {
            enter(&mut runtime, VmState::Starting, None, now);
            runtime.failure = None;
            runtime.hardware = Some(view.vm.spec.hardware());
            runtime.done.restart = view.vm.status.orders.restart;
            let paused = view.vm.spec.run == Run::Paused;
            Decision { runtime, then: Step::Do(Effect::Start { paused }) }
        }
    }
}

/// What to hold true after a start that failed.
pub fn start_failed(view: &View<'_>, error: &Error) -> Runtime {
    let mut runtime = view.runtime.clone();
    let generation = view.vm.meta.generation;
    let detail = Some(error.message.clone());
    let refused = Some(error.clone());
    runtime.exit =
        Some(Exit { cause: ExitCause::Crash, time: view.now, generation, detail, refused });
    runtime.observed_generation = generation;
    runtime.retry_at =
        match policy::after_exit(view.vm.spec.restart, ExitCause::Crash, runtime.restarts) {
            Consequence::Retry(pause) => Some(view.now.plus(pause)),
            _ => None,
        };
    enter(&mut runtime, VmState::Failed, Some(error.message.clone()), view.now);
    runtime
}
