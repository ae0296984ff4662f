//! Whether a task has reached its goal: a pure look at its target.
//!
//! | action | goal |
//! |---|---|
//! | create, import, snapshot | the object is ready; for a VM: it does what its spec says |
//! | start, resume | running at the task's generation or a later one |
//! | stop, pause | stopped, paused, likewise |
//! | restart, reset | the order with the task's number was carried out |
//! | restore | likewise; then the VM does what its spec says |
//! | attach | the guest has the volume as a disk, or gets it at its next start |
//! | detach | the volume is free |
//! | resize | the node has followed the task's generation |
//! | delete | gone |

use novacron_model::image::ImageState;
use novacron_model::snapshot::SnapshotState;
use novacron_model::task::Action;
use novacron_model::vm::{ExitCause, Run, Runtime, VmState};
use novacron_model::volume::VolumeState;
use novacron_model::{Code, Error, Image, Kind, Object, Result, Snapshot, Task, Vm, Volume};
use novacron_store::{Snapshot as At, object};

use crate::admission::Home;
use crate::coming::{self, Coming};
use crate::journal::called;

mod attachment;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Wait,
    Done,
    Failed(Error),
    /// Undone as asked, or overtaken by a later request, which the error names.
    Cancelled(Option<Error>),
}

pub(super) fn judge(at: &At, home: &Home, task: &Object<Task>) -> Result<Verdict> {
    Ok(match task.spec.target.kind.as_str() {
        Vm::KIND => with::<Vm>(at, home, task, |task, of| vm(at, home, task, of))?,
        Volume::KIND => with::<Volume>(at, home, task, |task, volume| {
            if task.spec.action == Action::Detach {
                return attachment::judge(at, home, task, volume);
            }
            if volume.status.location.is_none()
                && let Ok(Coming::Failed(error)) = coming::of_volume(at, home, volume)
            {
                return Verdict::Failed(error);
            }
            match task.spec.action {
                Action::Attach => return attachment::judge(at, home, task, volume),
                Action::Resize => return grown(task, volume),
                _ => {}
            }
            let error = volume.status.data.as_ref().and_then(|data| data.error.as_ref());
            made(volume.status.state == VolumeState::Ready, error)
        })?,
        Image::KIND => with::<Image>(at, home, task, |_, image| {
            let error = image.status.content.as_ref().and_then(|content| content.error.as_ref());
            made(image.status.state == ImageState::Ready, error)
        })?,
        Snapshot::KIND => with::<Snapshot>(at, home, task, |_, snapshot| {
            let error = snapshot.status.data.as_ref().and_then(|data| data.error.as_ref());
            made(snapshot.status.state == SnapshotState::Ready, error)
        })?,
        other => Verdict::Failed(Error::internal(format!("tasks know no {other}"))),
    })
}

/// The action as a noun in sentences.
pub(super) fn noun(action: Action) -> &'static str {
    match action {
        Action::Create => "creation",
        Action::Start => "start",
        Action::Stop => "stop",
        Action::Restart => "restart",
        Action::Reset => "reset",
        Action::Pause => "pause",
        Action::Resume => "resume",
        Action::Delete => "deletion",
        Action::Import => "import",
        Action::Snapshot => "snapshot",
        Action::Restore => "restore",
        Action::Attach => "attachment",
        Action::Detach => "detachment",
        Action::Resize => "resize",
    }
}

/// What holds for every kind of target; the rest is up to `goal`.
fn with<K: Kind>(
    at: &At,
    home: &Home,
    task: &Object<Task>,
    goal: impl Fn(&Object<Task>, &Object<K>) -> Verdict,
) -> Result<Verdict> {
    let spec = &task.spec;
    let found = object::get::<K>(at, Some(home.uid), &spec.target.name)?;
    let Some(target) = found.filter(|found| found.meta.uid == spec.target.uid) else {
        return Ok(match spec.action {
            Action::Delete => Verdict::Done,
            _ if spec.cancel => Verdict::Cancelled(None),
            _ => Verdict::Failed(Error::conflict(format!("{} was deleted", called(&spec.target)))),
        });
    };
    let being_made = matches!(spec.action, Action::Create | Action::Import | Action::Snapshot);
    Ok(match target.meta.deleting {
        _ if spec.action == Action::Delete => Verdict::Wait,
        _ if spec.cancel && being_made => Verdict::Wait,
        _ if spec.cancel => Verdict::Cancelled(None),
        Some(_) => {
            let message = format!("{} is being deleted", called(&spec.target));
            Verdict::Cancelled(Some(Error::conflict(message)))
        }
        None => goal(task, &target),
    })
}

fn made(ready: bool, error: Option<&Error>) -> Verdict {
    match (ready, error) {
        (true, _) => Verdict::Done,
        (_, Some(error)) => Verdict::Failed(error.clone()),
        _ => Verdict::Wait,
    }
}

/// What the node cannot do now it tries again by itself, without a task.
fn grown(task: &Object<Task>, volume: &Object<Volume>) -> Verdict {
    let Some(data) = &volume.status.data else { return Verdict::Wait };
    if data.observed_generation < task.spec.generation {
        return Verdict::Wait;
    }
    let Some(error) = data.error.as_ref().or(data.grow_error.as_ref()) else {
        return Verdict::Done;
    };
    let again = "it is tried again by itself; `novacron volume show` tells when it has";
    let hint = error.hint.iter().map(String::as_str).chain([again]).collect::<Vec<_>>().join("; ");
    let message = format!("volume \"{}\" has not grown: {}", volume.name(), error.message);
    Verdict::Failed(Error { message, ..error.clone() }.hint(hint))
}

fn vm(at: &At, home: &Home, task: &Object<Task>, vm: &Object<Vm>) -> Verdict {
    let Some(runtime) = &vm.status.runtime else { return unreported(at, home, task, vm) };
    if let Some(error) = given_up(task, runtime) {
        return Verdict::Failed(error);
    }
    let (spec, done) = (&task.spec, &runtime.done);
    let followed = runtime.observed_generation >= spec.generation;
    let reached = match spec.action {
        Action::Start | Action::Resume => started(vm, runtime, followed),
        Action::Restart if done.restart >= spec.order => started(vm, runtime, followed),
        Action::Restart => Verdict::Wait,
        Action::Reset => done_if(done.reset >= spec.order),
        Action::Restore if done.restore < spec.order => Verdict::Wait,
        Action::Stop => done_if(followed && ended(runtime)),
        Action::Pause => paused(vm, runtime, followed),
        _ => match vm.spec.run {
            Run::Running => started(vm, runtime, followed),
            Run::Stopped if runtime.state == VmState::Failed && followed => failed(vm, runtime),
            Run::Stopped => done_if(followed && ended(runtime)),
            Run::Paused => paused(vm, runtime, followed),
        },
    };
    match reached {
        Verdict::Wait => overtaken(task, vm),
        verdict => verdict,
    }
}

/// Before the VM's node has said anything.
fn unreported(at: &At, home: &Home, task: &Object<Task>, vm: &Object<Vm>) -> Verdict {
    let placed = vm.status.placement.as_ref().is_some_and(|placement| placement.node.is_some());
    if !placed
        && matches!(task.spec.action, Action::Create | Action::Start)
        && let Ok(Coming::Failed(error)) = coming::of_vm(at, home, vm)
    {
        return Verdict::Failed(error);
    }
    match task.spec.action {
        Action::Stop if !placed && vm.spec.run == Run::Stopped => Verdict::Done,
        _ => overtaken(task, vm),
    }
}

/// The agent says that it has given this request up.
fn given_up(task: &Object<Task>, runtime: &Runtime) -> Option<Error> {
    let failure = runtime.failure.as_ref()?;
    let spec = &task.spec;
    let same = failure.action == spec.action
        && failure.generation >= spec.generation
        && failure.order >= spec.order;
    same.then(|| failure.error.clone())
}

fn started(vm: &Object<Vm>, runtime: &Runtime, followed: bool) -> Verdict {
    let by_guest = runtime.exit.as_ref().is_some_and(|exit| exit.cause == ExitCause::Guest);
    match runtime.state {
        _ if !followed => Verdict::Wait,
        VmState::Running => Verdict::Done,
        VmState::Stopped if by_guest => Verdict::Done,
        VmState::Failed => failed(vm, runtime),
        _ => Verdict::Wait,
    }
}

fn paused(vm: &Object<Vm>, runtime: &Runtime, followed: bool) -> Verdict {
    match runtime.state {
        _ if !followed => Verdict::Wait,
        VmState::Paused => Verdict::Done,
        VmState::Failed => failed(vm, runtime),
        _ => Verdict::Wait,
    }
}

fn failed(vm: &Object<Vm>, runtime: &Runtime) -> Verdict {
    let name = vm.name();
    let reason = runtime.reason.as_deref().unwrap_or("its node gives no reason");
    let message = format!("VM \"{name}\" has failed: {reason}");
    let refused = runtime.exit.as_ref().and_then(|exit| exit.refused.clone());
    Verdict::Failed(match refused {
        Some(Error { code, hint: Some(hint), .. }) => Error::new(code, message).hint(hint),
        _ => Error::unavailable(message).hint(format!("see `novacron logs {name}`")),
    })
}

/// No process of the guest is left.
fn ended(runtime: &Runtime) -> bool {
    matches!(runtime.state, VmState::Stopped | VmState::Failed)
}

/// A later request wants the opposite.
fn overtaken(task: &Object<Task>, vm: &Object<Vm>) -> Verdict {
    let against = match task.spec.action {
        Action::Start | Action::Resume | Action::Restart | Action::Reset => {
            vm.spec.run != Run::Running
        }
        Action::Stop => vm.spec.run != Run::Stopped,
        Action::Pause => vm.spec.run != Run::Paused,
        _ => false,
    };
    if !against || vm.meta.generation <= task.spec.generation {
        return Verdict::Wait;
    }
    let now = match vm.spec.run {
        Run::Running => "run",
        Run::Stopped => "stop",
        Run::Paused => "pause",
    };
    let message = format!("VM \"{}\" was told to {now} meanwhile", vm.name());
    Verdict::Cancelled(Some(Error::new(Code::Conflict, message)))
}

fn done_if(reached: bool) -> Verdict {
    if reached { Verdict::Done } else { Verdict::Wait }
}
