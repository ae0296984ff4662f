//! Lets the spec follow what happened: a guest that shut itself down stays down, and a verb that
//! its node gave up is taken back, so that spec and world agree again.

use novacron_model::task::Action;
use novacron_model::vm::{ExitCause, RestartPolicy, Run, Runtime, VmState};
use novacron_model::{Level, Object, Result, Time, Vm};
use novacron_store::{Snapshot, Txn};

use crate::journal::{self, CONTROL, Note, called};

pub(super) fn plan(at: &Snapshot, vm: &Object<Vm>, now: Time) -> Result<Option<Txn>> {
    let Some(runtime) = &vm.status.runtime else { return Ok(None) };
    if runtime.observed_generation < vm.meta.generation {
        return Ok(None);
    }
    let name = called(&vm.reference());
    let (run, level, kind, text) = if shut_itself_down(vm, runtime) {
        let text = format!("{name} shut itself down and stays down");
        (Run::Stopped, Level::Info, "vm.shut_down", text)
    } else if let Some(run) = given_up(vm, runtime) {
        let text = format!("{name} goes on as it was: a request could not be carried out");
        (run, Level::Warning, "vm.request_failed", text)
    } else {
        return Ok(None);
    };
    let mut new = vm.clone();
    new.spec.run = run;
    let mut txn = Txn::new();
    super::put_spec(&mut txn, at, vm, new, None)?;
    let object = Some(vm.reference());
    journal::note(&mut txn, now, Note { actor: CONTROL, level, kind, object, text })?;
    Ok(Some(txn))
}

fn shut_itself_down(vm: &Object<Vm>, runtime: &Runtime) -> bool {
    // Also one that was to be paused and was too quick.
    vm.spec.run != Run::Stopped
        && vm.spec.restart != RestartPolicy::Always
        && runtime.state == VmState::Stopped
        && !runtime.held
        && runtime.exit.as_ref().is_some_and(|exit| exit.cause == ExitCause::Guest)
}

/// What the guest does instead of what the given-up request asked for.
fn given_up(vm: &Object<Vm>, runtime: &Runtime) -> Option<Run> {
    let failure = runtime.failure.as_ref()?;
    // A stop with a number is the node's, for all its guests: nothing that the spec has asked for.
    let verb = matches!(failure.action, Action::Stop | Action::Pause | Action::Resume)
        && failure.order == 0;
    if !verb || failure.generation != vm.meta.generation {
        return None;
    }
    let run = match runtime.state {
        VmState::Running => Run::Running,
        VmState::Paused => Run::Paused,
        VmState::Stopped => Run::Stopped,
        _ => return None,
    };
    (run != vm.spec.run).then_some(run)
}
