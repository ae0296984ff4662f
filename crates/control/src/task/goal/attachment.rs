//! Whether a volume has come to its guest, or has left it.

use novacron_model::task::Action;
use novacron_model::vm::RefusedChange;
use novacron_model::volume::Attachment;
use novacron_model::{Code, Error, Object, Task, Vm, Volume, key};
use novacron_store::{Snapshot as At, object};

use super::Verdict;
use crate::admission::Home;
use crate::index::{self, OPEN, row};
use crate::vm::is_live;

pub(super) fn judge(at: &At, home: &Home, task: &Object<Task>, volume: &Object<Volume>) -> Verdict {
    // Another VM may have taken it since.
    let attachment = volume.status.attachment.as_ref();
    let attachment = attachment.filter(|attachment| is_about(at, home, task, attachment));
    let data = volume.status.data.as_ref();
    if task.spec.action == Action::Attach
        && let Some(error) = data.and_then(|data| data.error.as_ref())
    {
        return Verdict::Failed(error.clone());
    }
    match (task.spec.action, attachment) {
        (Action::Attach, Some(attachment)) if !attachment.leaving => {
            with_vm(at, home, attachment, |vm| match given(task, volume, vm) {
                Some(verdict) => verdict,
                None if !is_live(vm) || has(vm, volume) => Verdict::Done,
                None => Verdict::Wait,
            })
        }
        (Action::Attach, _) => Verdict::Cancelled(Some(Error::conflict(format!(
            "volume \"{}\" was detached meanwhile",
            volume.name()
        )))),
        (_, Some(attachment)) if attachment.leaving => {
            let verdict = |vm: &Object<Vm>| given(task, volume, vm);
            with_vm(at, home, attachment, |vm| verdict(vm).unwrap_or(Verdict::Wait))
        }
        _ => Verdict::Done,
    }
}

/// Whether the task is about this VM, which it then watches.
fn is_about(at: &At, home: &Home, task: &Object<Task>, attachment: &Attachment) -> bool {
    let vm = key::object::<Vm>(Some(home.uid), attachment.vm.as_str());
    let open = key::section(&key::object::<Task>(Some(home.uid), task.name()), OPEN);
    at.get(&open).is_some_and(|open| open.index.contains(&row(index::WAITS_ON, &vm)))
}

fn with_vm(
    at: &At,
    home: &Home,
    attachment: &Attachment,
    judge: impl Fn(&Object<Vm>) -> Verdict,
) -> Verdict {
    match object::get::<Vm>(at, Some(home.uid), attachment.vm.as_str()) {
        Ok(Some(vm)) if vm.meta.uid == attachment.vm_uid => judge(&vm),
        // Its end frees the volume.
        _ => Verdict::Wait,
    }
}

/// The guest's disks are known to include the volume.
fn has(vm: &Object<Vm>, volume: &Object<Volume>) -> bool {
    let hardware = vm.status.runtime.as_ref().and_then(|runtime| runtime.hardware.as_ref());
    let disks = hardware.map_or(&[][..], |hardware| &hardware.disks);
    disks.iter().any(|disk| disk.volume.as_ref().is_some_and(|name| name.as_str() == volume.name()))
}

/// The node says that the guest does not take this change while it runs.
fn given(task: &Object<Task>, volume: &Object<Volume>, vm: &Object<Vm>) -> Option<Verdict> {
    let runtime = vm.status.runtime.as_ref().filter(|_| is_live(vm))?;
    let disk_of = |disks: &[novacron_model::vm::Disk]| {
        let named = |name: &novacron_model::Name| name.as_str() == volume.name();
        let disk = disks.iter().find(|disk| disk.volume.as_ref().is_some_and(named));
        disk.map(|disk| disk.name.to_string())
    };
    let had = runtime.hardware.as_ref().and_then(|hardware| disk_of(&hardware.disks));
    let device = disk_of(&vm.spec.disks).or(had)?;
    let mine = |refused: &&RefusedChange| {
        refused.device == device && refused.generation >= task.spec.order
    };
    let RefusedChange { error, .. } = runtime.refused.iter().find(mine)?;
    if task.spec.action == Action::Attach && error.code == Code::Unsupported {
        // As with other changes that no live guest can take: it is pending, which the VM tells.
        return Some(Verdict::Done);
    }
    let how = match task.spec.action {
        Action::Attach => "it has the disk from its next start on",
        _ => "it gives the disk up when it lets go of it, or at its next start",
    };
    let message = format!("the guest of VM \"{}\": {}; {how}", vm.name(), error.message);
    Some(Verdict::Failed(Error { message, ..error.clone() }))
}
