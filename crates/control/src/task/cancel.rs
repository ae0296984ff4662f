//! Ends a task early: what has begun is undone, what cannot be undone is refused.

use novacron_model::task::Action;
use novacron_model::vm::{Run, VmState};
use novacron_model::{Error, Image, Kind, Object, Result, Snapshot, Task, Vm, Volume, key};
use novacron_store::{Key, Precondition, Txn, object};

use super::goal;
use crate::admission::{Admitted, Request};
use crate::index::OPEN;
use crate::journal::called;
use crate::{image, placing, vm, volume};

/// Asks for the end of a task. It is over once its work is undone.
pub fn cancel(request: &mut Request<'_>, task: &Object<Task>) -> Result<Admitted> {
    if task.status.outcome.is_some() {
        return Err(Error::conflict(format!("task {} has ended already", task.name())));
    }
    if task.spec.cancel {
        return Ok(Admitted::task(Txn::new(), task.meta.uid));
    }
    let mut txn = Txn::new();
    undo(request, &mut txn, task)?;
    let mut new = task.clone();
    new.spec.cancel = true;
    let home = request.home()?;
    // The outcome is a record of its own: a task that ends meanwhile must not lose its result.
    let family = key::object::<Task>(Some(home.uid), task.name());
    txn.preconditions.push(Precondition::Present(Key::from(key::section(&family, OPEN))));
    crate::admission::rewrite(&mut txn, request.at, Some(home.uid), task, &new, None)?;
    let target = &task.spec.target;
    let text = format!("{} of {} was cancelled", goal::noun(task.spec.action), called(target));
    request.note(&mut txn, "task.cancelled", target, text)?;
    Ok(Admitted::task(txn, task.meta.uid))
}

fn undo(request: &mut Request<'_>, txn: &mut Txn, task: &Object<Task>) -> Result<()> {
    let action = task.spec.action;
    match (action, task.spec.target.kind.as_str()) {
        (Action::Create, Volume::KIND) => {
            if let Some(volume) = target::<Volume>(request, task)? {
                volume::held_by_none(request, txn, &volume)?;
            }
            withdraw::<Volume>(request, txn, task)
        }
        (Action::Create, Vm::KIND) => withdraw::<Vm>(request, txn, task),
        (Action::Import, Image::KIND) => {
            if let Some(image) = target::<Image>(request, task)? {
                image::used_by_none(request, txn, &image)?;
            }
            withdraw::<Image>(request, txn, task)
        }
        (Action::Snapshot, Snapshot::KIND) => withdraw::<Snapshot>(request, txn, task),
        (Action::Start, Vm::KIND) => turn(request, txn, task, Run::Stopped),
        (Action::Stop, Vm::KIND) => turn(request, txn, task, Run::Running),
        _ => {
            let noun = goal::noun(action);
            Err(Error::conflict(format!("the {noun} cannot be cancelled any more")))
        }
    }
}

/// What was being made is deleted again.
fn withdraw<K: Kind>(request: &Request<'_>, txn: &mut Txn, task: &Object<Task>) -> Result<()> {
    let Some(target) = target::<K>(request, task)? else { return Ok(()) };
    if target.meta.deleting.is_none() {
        placing::mark(request, txn, &target)?;
    }
    Ok(())
}

fn turn(request: &Request<'_>, txn: &mut Txn, task: &Object<Task>, run: Run) -> Result<()> {
    let Some(target) = target::<Vm>(request, task)? else { return Ok(()) };
    let settled = match run {
        Run::Stopped => target.status.state == VmState::Running,
        _ => target.status.state == VmState::Stopped,
    };
    let newer = target.meta.deleting.is_some() || target.meta.generation > task.spec.generation;
    if settled || newer {
        return Ok(());
    }
    vm::turn(request, txn, &target, run)
}

fn target<K: Kind>(request: &Request<'_>, task: &Object<Task>) -> Result<Option<Object<K>>> {
    let home = request.home()?;
    let found = object::get::<K>(request.at, Some(home.uid), &task.spec.target.name)?;
    Ok(found.filter(|found| found.meta.uid == task.spec.target.uid))
}
