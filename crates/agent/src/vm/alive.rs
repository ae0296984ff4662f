//! Decisions about a guest that runs or is paused. Pure.

use std::time::Duration;

use novacron_host::hypervisor::Plug;
use novacron_host::{Phase, Stop};
use novacron_model::task::Action;
use novacron_model::vm::VmState;
use novacron_model::vm::{ExitCause, Failure, NicState, Run, Runtime, StopOrder};
use novacron_model::{Code, Error};

use super::decide::{end_run, enter};
use super::fit;
use super::view::{Decision, Effect, Guest, Nic, Pressed, Step, View};

/// A guest that boots does not hear the power button yet: press again from time to time.
const PRESS_AGAIN: Duration = Duration::from_secs(10);

/// A bridge that takes no NIC now may take it later.
const PLUG_AGAIN: Duration = Duration::from_secs(10);

/// A guest that shuts down this soon after the button was pressed does so because of it, even if
/// the user has changed their mind.
const ECHO: Duration = Duration::from_mins(5);

/// Why a guest is to go down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Spec,
    Restart,
    Restore,
    /// The node's guests are to be down.
    Hold,
}

pub fn decide(view: &View<'_>, guest: &Guest, mut runtime: Runtime) -> Decision {
    if let Some(why) = stop_wanted(view) {
        return stop(view, guest, runtime, why);
    }
    let (orders, done) = (&view.vm.status.orders, &view.runtime.done);
    if orders.reset > done.reset {
        return Decision { runtime, then: Step::Do(Effect::Reset) };
    }
    let untried = view.memory.tried != Some(view.vm.meta.generation);
    let effect = match (view.vm.spec.run, guest.observed.phase) {
        (Run::Paused, Phase::Running) if untried => Some(Effect::Pause),
        (Run::Running, Phase::Paused) if untried => Some(Effect::Resume),
        (Run::Running, Phase::PausedOnIoError) if untried && view.unfollowed() => {
            Some(Effect::Resume)
        }
        _ => None,
    };
    if let Some(effect) = effect {
        return Decision { runtime, then: Step::Do(effect) };
    }
    settle(&mut runtime, view, guest);
    let unplugged = view.nics.iter().any(|nic| nic.plug == Plug::Out);
    let plug_in = unplugged.then(|| plug_again(view));
    if plug_in == Some(Duration::ZERO) {
        return Decision { runtime, then: Step::Do(Effect::Plug) };
    }
    if let Some(change) = fit::next(view, &mut runtime) {
        return Decision { runtime, then: Step::Do(Effect::Change(change)) };
    }
    // Last: a deletion that cannot be done, on a full disk say, is tried for ever.
    let taken = view.snapshots.iter().find(|work| !work.delete);
    let then = match taken.or(view.snapshots.first()) {
        Some(work) => Step::Do(Effect::Snapshot(work.clone())),
        None => Step::Wait(plug_in.into_iter().chain(fit::wait(view, &runtime)).min()),
    };
    Decision { runtime, then }
}

/// How long NICs that could not be plugged in are left alone.
fn plug_again(view: &View<'_>) -> Duration {
    let Some(tried) = &view.memory.unpluggable else { return Duration::ZERO };
    PLUG_AGAIN.saturating_sub(view.uptime.saturating_sub(tried.since))
}

/// Why the guest is to go down, if it is.
pub fn stop_wanted(view: &View<'_>) -> Option<Why> {
    let (orders, done) = (&view.vm.status.orders, &view.runtime.done);
    match view.vm.spec.run {
        Run::Stopped if view.unfollowed() => Some(Why::Spec),
        _ if orders.restore > done.restore => Some(Why::Restore),
        _ if view.hold.is_some_and(|hold| hold.number > done.hold) => Some(Why::Hold),
        Run::Running | Run::Paused if orders.restart > done.restart => Some(Why::Restart),
        _ => None,
    }
}

/// The power button was pressed a short while ago, and that was not given up: a guest that obeys
/// too late has shut itself down.
pub fn pressed_lately(view: &View<'_>) -> bool {
    let Some(pressed) = view.memory.pressed else { return false };
    let failure = view.runtime.failure.as_ref();
    let given_up = failure.is_some_and(|failure| failure.generation >= pressed.demand.generation);
    !given_up && view.uptime.saturating_sub(pressed.last) < ECHO
}

/// The guest does what is wanted, or what could be had of it.
fn settle(runtime: &mut Runtime, view: &View<'_>, guest: &Guest) {
    let generation = view.vm.meta.generation;
    let state = match guest.observed.phase {
        Phase::Running => VmState::Running,
        _ => VmState::Paused,
    };
    let failure = runtime.failure.as_ref().filter(|failure| failure.generation == generation);
    let failure = failure.map(|failure| failure.error.message.clone());
    note_nics(runtime, view);
    let unplugged = unplugged(&runtime.nics);
    let reason = guest.observed.reason.clone().or(failure).or(unplugged);
    enter(runtime, state, reason, view.now);
    // A guest that an older version started has what its spec asked for.
    runtime.hardware.get_or_insert_with(|| view.vm.spec.hardware());
    if generation > runtime.observed_generation {
        runtime.restarts = 0;
        runtime.observed_generation = generation;
    }
}

/// What could not be looked at stays as it was.
fn note_nics(runtime: &mut Runtime, view: &View<'_>) {
    if view.nics.is_empty() {
        return;
    }
    let lately = view.memory.unpluggable.as_ref().map(|tried| tried.reason.as_str());
    let state = |nic: &Nic| NicState {
        mac: nic.mac.clone(),
        bridge: nic.bridge.clone(),
        unplugged: match &nic.plug {
            Plug::In => None,
            Plug::Out => Some(lately.unwrap_or("it was pulled out of its bridge").to_owned()),
            Plug::Cut(reason) => Some(reason.clone()),
        },
    };
    runtime.nics = view.nics.iter().map(state).collect();
}

/// What NICs lack, as a sentence.
fn unplugged(nics: &[NicState]) -> Option<String> {
    let numbered = nics.iter().enumerate();
    let each = numbered
        .filter_map(|(n, nic)| Some(format!("NIC {n} is unplugged: {}", nic.unplugged.as_ref()?)));
    let all: Vec<String> = each.collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// One step on the way down: wake, press, wait, and when the time is up cut the power or give up.
fn stop(view: &View<'_>, guest: &Guest, mut runtime: Runtime, why: Why) -> Decision {
    let order = order(view, why);
    let timeout = Duration::from_secs(order.timeout.0);
    enter(&mut runtime, VmState::Stopping, None, view.now);
    let demand = view.demand();
    let pressed = view.memory.pressed.filter(|pressed| pressed.demand == demand);
    let left = match pressed {
        Some(pressed) => (pressed.first + timeout).saturating_sub(view.uptime),
        None => timeout,
    };
    if left.is_zero() && order.force {
        let detail = "the power was cut".to_owned();
        end_run(&mut runtime, view, ExitCause::Requested, Some(detail));
        return Decision { runtime, then: Step::Do(Effect::Destroy) };
    }
    if left.is_zero() && pressed.is_some() {
        give_up(&mut runtime, view, guest, why, order);
        return Decision { runtime, then: Step::Wait(None) };
    }
    let then = match pressed {
        None if guest.observed.phase != Phase::Running && view.memory.woken != Some(demand) => {
            Step::Do(Effect::Resume)
        }
        None => Step::Do(Effect::Press(Stop::PowerButton)),
        Some(pressed) => {
            let again = (pressed.last + PRESS_AGAIN).saturating_sub(view.uptime);
            if again.is_zero() { press_again(&runtime) } else { Step::Wait(Some(again.min(left))) }
        }
    };
    Decision { runtime, then }
}

/// How the guest is to be stopped. A host that goes does not wait for a patient user.
fn order(view: &View<'_>, why: Why) -> StopOrder {
    let own = view.vm.status.orders.stop;
    match view.hold.map(|hold| hold.stop) {
        None => own,
        Some(stop) if why == Why::Hold => stop,
        Some(stop) => {
            StopOrder { timeout: own.timeout.min(stop.timeout), force: own.force || stop.force }
        }
    }
}

fn press_again(runtime: &Runtime) -> Step {
    let how = if runtime.agent.is_some() { Stop::Agent } else { Stop::PowerButton };
    Step::Do(Effect::Press(how))
}

/// The guest did not listen and may not be forced: it runs on, and whoever waits is told.
fn give_up(runtime: &mut Runtime, view: &View<'_>, guest: &Guest, why: Why, order: StopOrder) {
    let seconds = order.timeout.0;
    let text = format!("the guest did not stop within {seconds} s");
    let error = Error::new(Code::Timeout, text).hint("stop it with force, or look at its console");
    fail(runtime, view, why, error);
    let state = match guest.observed.phase {
        Phase::Running => VmState::Running,
        _ => VmState::Paused,
    };
    let reason = runtime.failure.as_ref().map(|failure| failure.error.message.clone());
    enter(runtime, state, reason, view.now);
}

/// Notes that what was asked for could not be done, and that it is not tried again.
fn fail(runtime: &mut Runtime, view: &View<'_>, why: Why, error: Error) {
    let orders = &view.vm.status.orders;
    let (action, order) = match why {
        Why::Spec => (Action::Stop, 0),
        Why::Hold => (Action::Stop, view.demand().hold),
        Why::Restart => (Action::Restart, orders.restart),
        Why::Restore => (Action::Restore, orders.restore),
    };
    match why {
        Why::Spec => runtime.observed_generation = view.vm.meta.generation,
        Why::Restart => runtime.done.restart = orders.restart,
        Why::Restore => runtime.done.restore = orders.restore,
        Why::Hold => runtime.done.hold = view.demand().hold,
    }
    let generation = view.vm.meta.generation;
    runtime.failure = Some(Failure { action, generation, order, error });
}

/// What to remember of a press of the power button.
pub fn pressed_now(view: &View<'_>) -> Pressed {
    let demand = view.demand();
    let first = view.memory.pressed.filter(|pressed| pressed.demand == demand);
    let first = first.map_or(view.uptime, |pressed| pressed.first);
    Pressed { demand, first, last: view.uptime }
}
