//! What to hold true after an effect was tried. Pure.

use novacron_model::Error;
use novacron_model::task::Action;
use novacron_model::vm::{Failure, Runtime};

use super::view::{Effect, Memory, Unpluggable, View};
use super::{alive, down, fit};

/// The runtime and the memory after `effect`, which failed if there is an `error`. The world is
/// looked at again before anything else is decided.
pub fn after(view: &View<'_>, effect: &Effect, error: Option<&Error>) -> (Runtime, Memory) {
    let mut runtime = view.runtime.clone();
    let mut memory = view.memory.clone();
    let orders = &view.vm.status.orders;
    match effect {
        Effect::Start { .. } => {
            memory = Memory::default();
            if let Some(error) = error {
                runtime = down::start_failed(view, error);
            }
        }
        Effect::Press(_) => memory.pressed = Some(alive::pressed_now(view)),
        Effect::Resume if alive::stop_wanted(view).is_some() => memory.woken = Some(view.demand()),
        Effect::Pause | Effect::Resume => {
            memory.tried = Some(view.vm.meta.generation);
            let verb = if *effect == Effect::Pause { Action::Pause } else { Action::Resume };
            fail(&mut runtime, view, verb, 0, error);
        }
        Effect::Reset => {
            runtime.done.reset = orders.reset;
            fail(&mut runtime, view, Action::Reset, orders.reset, error);
        }
        Effect::Restore { .. } => {
            runtime.done.restore = orders.restore;
            fail(&mut runtime, view, Action::Restore, orders.restore, error);
        }
        Effect::Change(change) => fit::note(view, &mut runtime, &mut memory, change, error),
        Effect::Plug => {
            let since = view.uptime;
            memory.unpluggable =
                error.map(|error| Unpluggable { reason: error.message.clone(), since });
        }
        Effect::Destroy | Effect::Snapshot(_) | Effect::CleanUp => {}
    }
    (runtime, memory)
}

fn fail(runtime: &mut Runtime, view: &View<'_>, action: Action, order: u64, error: Option<&Error>) {
    let Some(error) = error else { return };
    let generation = view.vm.meta.generation;
    runtime.failure = Some(Failure { action, generation, order, error: error.clone() });
}
