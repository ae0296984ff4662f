//! Which change of its machine a live guest is given next, and what came of it. Pure.
//!
//! ```text
//!  spec differs ─▶ [plugging, begun] ─▶ change ─▶ hardware follows
//!                                          │
//!                                          └─▶ refused: pending, tried again later
//! ```
//!
//! `hardware` names a disk that leaves until it has left, and `plugging` one that comes before it is
//! there: no guest has a volume open that neither of them names. `begun` names media and forwards
//! that are being changed: should the daemon end in between, the next one makes sure of them, also
//! where the spec has gone back to what it was.

use std::time::Duration;

use novacron_model::vm::{BegunChange, Disk, Hardware, LiveChange, RefusedChange, Runtime};
use novacron_model::{Code, Error};

use super::view::{Disks, Memory, Refusals, View};

/// A guest may let go of a disk later than it was asked to. Doubled with each refusal.
const TRY_AGAIN: Duration = Duration::from_secs(10);
const TRY_AGAIN_MAX: Duration = Duration::from_mins(10);

/// The next change; `runtime` announces it.
pub fn next(view: &View<'_>, runtime: &mut Runtime) -> Option<LiveChange> {
    let wanted = view.vm.spec.hardware();
    let changes = note_unwanted(runtime, &wanted)?;
    runtime.refused.retain(|refused| changes.iter().any(|each| each.device() == refused.device));
    note_failed_disks(view, runtime, &changes);
    let back = taking_back(view, runtime);
    if let Some((disk, Duration::ZERO)) = back {
        return Some(LiveChange::Detach(disk.clone()));
    }
    let coming = runtime.plugging.clone().map(LiveChange::Attach);
    let may = |change: &LiveChange| {
        // Disks come one after the other.
        let bars = matches!(change, LiveChange::Attach(_))
            && (back.is_some() || coming.as_ref().is_some_and(|coming| coming != change));
        !bars && state(view, change) == &Disks::Ready && pause(view, runtime, change).is_none()
    };
    let change = changes.into_iter().find(may)?;
    if let LiveChange::Attach(disk) = &change {
        runtime.plugging = Some(disk.clone());
    }
    if let Some(begun) = BegunChange::of(&change) {
        runtime.begun.retain(|other| other.device() != begun.device());
        runtime.begun.push(begun);
    }
    Some(change)
}

/// A disk whose attachment was refused and that may be there in part, and how long until it is taken
/// back. The guest may give it up at any moment from then on: it is not attached before that.
fn taking_back<'a>(view: &View<'_>, runtime: &'a Runtime) -> Option<(&'a Disk, Duration)> {
    let disk = runtime.plugging.as_ref()?;
    runtime.refused.iter().find(|refused| refused.device == disk.name.as_str())?;
    let tried = view.memory.refused.get(disk.name.as_str()).and_then(|had| had.taken_back);
    let since = tried.map(|tried| view.uptime.saturating_sub(tried));
    Some((disk, since.map_or(Duration::ZERO, |since| TRY_AGAIN.saturating_sub(since))))
}

/// What is to change. A disk that may have come and is not wanted any more counts as had, and goes
/// as others do.
fn note_unwanted(runtime: &mut Runtime, wanted: &Hardware) -> Option<Vec<LiveChange>> {
    let Runtime { hardware, begun, .. } = runtime;
    let hardware = hardware.as_mut()?;
    let changes = hardware.live_changes_after(begun, wanted);
    let Some(attach) = runtime.plugging.clone().map(LiveChange::Attach) else {
        return Some(changes);
    };
    if changes.contains(&attach) {
        return Some(changes);
    }
    hardware.follow(&attach);
    runtime.plugging = None;
    Some(hardware.live_changes_after(begun, wanted))
}

/// A disk that will not come by itself is told like one that the guest refuses.
fn note_failed_disks(view: &View<'_>, runtime: &mut Runtime, changes: &[LiveChange]) {
    for change in changes {
        if let Disks::Failed(reason) = state(view, change) {
            let (device, error) = (change.device(), Error::conflict(reason.clone()));
            refuse(view, runtime, device, error);
        }
    }
}

fn refuse(view: &View<'_>, runtime: &mut Runtime, device: String, error: Error) {
    let refused = RefusedChange { device, generation: view.vm.meta.generation, error };
    if !runtime.refused.contains(&refused) {
        runtime.refused.retain(|other| other.device != refused.device);
        runtime.refused.push(refused);
    }
}

/// How what a change needs stands.
fn state<'a>(view: &View<'a>, change: &LiveChange) -> &'a Disks {
    let LiveChange::Attach(disk) = change else { return &Disks::Ready };
    let unready = view.unready.iter().find(|unready| unready.disk == disk.name);
    unready.map_or(&Disks::Ready, |unready| &unready.state)
}

/// How long until something that was refused is to be tried again.
pub fn wait(view: &View<'_>, runtime: &Runtime) -> Option<Duration> {
    let hardware = runtime.hardware.as_ref()?;
    let changes = hardware.live_changes_after(&runtime.begun, &view.vm.spec.hardware());
    let pauses = changes.iter().filter_map(|change| pause(view, runtime, change));
    pauses.chain(taking_back(view, runtime).map(|(_, left)| left)).min()
}

/// How long a change is left alone that was refused; nothing if it may be tried now.
fn pause(view: &View<'_>, runtime: &Runtime, change: &LiveChange) -> Option<Duration> {
    let device = change.device();
    let refused = runtime.refused.iter().find(|refused| refused.device == device)?;
    if refused.generation < view.vm.meta.generation {
        return None;
    }
    if refused.error.code == Code::Unsupported {
        return Some(Duration::MAX);
    }
    let Refusals { count, last, .. } = view.memory.refused.get(&device)?;
    let pause = TRY_AGAIN * 2_u32.saturating_pow(count.saturating_sub(1).min(6));
    let since = view.uptime.saturating_sub(*last);
    Some(pause.min(TRY_AGAIN_MAX).saturating_sub(since)).filter(|left| !left.is_zero())
}

/// Notes what came of a change.
pub fn note(
    view: &View<'_>,
    runtime: &mut Runtime,
    memory: &mut Memory,
    change: &LiveChange,
    error: Option<&Error>,
) {
    let device = change.device();
    // What an attachment was refused for stays after that has been taken back.
    let takes_back =
        matches!(change, LiveChange::Detach(disk) if runtime.plugging.as_ref() == Some(disk));
    match error {
        _ if takes_back => {
            let refused = Refusals { count: 1, last: view.uptime, taken_back: None };
            memory.refused.entry(device).or_insert(refused).taken_back = Some(view.uptime);
            if error.is_none() {
                runtime.plugging = None;
            }
        }
        Some(error) => {
            let before = runtime.refused.iter().find(|refused| refused.device == device);
            let again = before.is_some_and(|refused| refused.generation == view.vm.meta.generation);
            let count = memory.refused.get(&device).filter(|_| again).map_or(0, |had| had.count);
            let refusals = Refusals { count: count + 1, last: view.uptime, taken_back: None };
            memory.refused.insert(device.clone(), refusals);
            refuse(view, runtime, device, error.clone());
        }
        None => {
            if matches!(change, LiveChange::Attach(_)) {
                runtime.plugging = None;
            }
            runtime.begun.retain(|begun| begun.device() != device);
            runtime.refused.retain(|refused| refused.device != device);
            // It may have made room for others.
            memory.refused.clear();
            if let Some(hardware) = &mut runtime.hardware {
                hardware.follow(change);
            }
        }
    }
}
