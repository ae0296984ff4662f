//! Which change of its machine a live guest is given next, and what came of it. Pure.
//!
//! ```text
//!  spec differs ─▶ [a disk: plugging] ─▶ change ─▶ hardware follows
//!                                           │
//!                                           └─▶ refused: pending, tried again later
//! ```
//!
//! `hardware` names a disk that leaves until it has left, and `plugging` one that comes before it is
//! there: no guest has a volume open that neither of them names.

use std::time::Duration;

use novacron_model::vm::{LiveChange, RefusedChange, Runtime};
use novacron_model::{Code, Error};

use super::view::{Disks, Memory, View};

/// A guest may let go of a disk later than it was asked to.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// The next change; `runtime` announces it.
pub fn next(view: &View<'_>, runtime: &mut Runtime) -> Option<LiveChange> {
    let changes = runtime.hardware.as_ref()?.live_changes(&view.vm.spec.hardware());
    runtime.refused.retain(|refused| changes.iter().any(|each| each.device() == refused.device));
    if let Some(disk) = runtime.plugging.clone() {
        let change = LiveChange::Attach(disk.clone());
        let goes_on = changes.contains(&change) && pause(view, runtime, &change).is_none();
        return Some(if goes_on { change } else { LiveChange::Detach(disk) });
    }
    let ready = |change: &LiveChange| match change {
        LiveChange::Attach(_) => *view.disks == Disks::Ready,
        _ => true,
    };
    let may = |change: &LiveChange| ready(change) && pause(view, runtime, change).is_none();
    let change = changes.into_iter().find(may)?;
    if let LiveChange::Attach(disk) = &change {
        runtime.plugging = Some(disk.clone());
    }
    Some(change)
}

/// How long until something that was refused is to be tried again.
pub fn wait(view: &View<'_>, runtime: &Runtime) -> Option<Duration> {
    let changes = runtime.hardware.as_ref()?.live_changes(&view.vm.spec.hardware());
    changes.iter().filter_map(|change| pause(view, runtime, change)).min()
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
    let since = view.uptime.saturating_sub(*view.memory.refused.get(&device)?);
    Some(TRY_AGAIN.saturating_sub(since)).filter(|left| !left.is_zero())
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
        Some(_) if takes_back => {}
        Some(error) => {
            let (generation, error) = (view.vm.meta.generation, error.clone());
            runtime.refused.retain(|refused| refused.device != device);
            memory.refused.insert(device.clone(), view.uptime);
            runtime.refused.push(RefusedChange { device, generation, error });
        }
        None => {
            if matches!(change, LiveChange::Attach(_) | LiveChange::Detach(_)) {
                runtime.plugging = None;
            }
            if !takes_back {
                runtime.refused.retain(|refused| refused.device != device);
            }
            if let Some(hardware) = &mut runtime.hardware {
                hardware.follow(change);
            }
        }
    }
}
