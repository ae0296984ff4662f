//! What is worth an event, from one report to the next. Pure.

use novacron_model::event::Level;
use novacron_model::vm::{Exit, ExitCause, RefusedChange, Runtime};

/// An event in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    pub level: Level,
    pub kind: &'static str,
    pub text: String,
}

/// What happened between two reports of the VM called `name`.
pub fn between(name: &str, old: &Runtime, new: &Runtime) -> Vec<Happening> {
    let mut happenings = Vec::new();
    if new.exit != old.exit
        && let Some(exit) = &new.exit
    {
        happenings.push(ended(name, old, exit));
    }
    if old.started.is_none() && new.started.is_some() {
        let text = format!("VM \"{name}\" started");
        happenings.push(Happening { level: Level::Info, kind: "vm.started", text });
    }
    if new.failure != old.failure
        && let Some(failure) = &new.failure
    {
        let text = format!("VM \"{name}\": {}", failure.error.message);
        happenings.push(Happening { level: Level::Warning, kind: "vm.failed", text });
    }
    happenings.extend(plugs(name, old, new));
    happenings.extend(changes(name, old, new));
    let paused_by_itself = new.state == novacron_model::vm::VmState::Paused && new.reason.is_some();
    if paused_by_itself && old.state != new.state {
        let reason = new.reason.as_deref().unwrap_or_default();
        let text = format!("VM \"{name}\" was paused: {reason}");
        happenings.push(Happening { level: Level::Error, kind: "vm.halted", text });
    }
    happenings
}

/// What the live guest was given or has given up, and what it did not take.
fn changes(name: &str, old: &Runtime, new: &Runtime) -> Vec<Happening> {
    let machines = old.hardware.as_ref().zip(new.hardware.as_ref());
    let machines = machines.filter(|_| old.started.is_some() && old.started == new.started);
    let made = machines.map(|(old, new)| old.differences(new)).unwrap_or_default();
    let made = made.into_iter().map(|difference| Happening {
        level: Level::Info,
        kind: "vm.changed",
        text: format!("VM \"{name}\": {}", difference.text),
    });
    let known = |refused: &&RefusedChange| {
        old.refused
            .iter()
            .any(|other| (&other.device, &other.error) == (&refused.device, &refused.error))
    };
    let refused = new.refused.iter().filter(|refused| !known(refused));
    let refused = refused.map(|RefusedChange { device, error, .. }| Happening {
        level: Level::Warning,
        kind: "vm.change_refused",
        text: format!("VM \"{name}\": {device} changes at the next start: {}", error.message),
    });
    made.chain(refused).collect()
}

/// NICs that fell out of their bridges, or are in them again.
fn plugs(name: &str, old: &Runtime, new: &Runtime) -> Vec<Happening> {
    let pairs = new.nics.iter().enumerate().map(|(n, nic)| (n, old.nics.get(n), nic));
    let changed = pairs.filter_map(|(n, old, nic)| {
        let was = old.and_then(|old| old.unplugged.as_ref());
        let (level, kind, text) = match (&nic.unplugged, was) {
            (Some(why), None) => {
                (Level::Warning, "vm.unplugged", format!("NIC {n} is unplugged: {why}"))
            }
            (None, Some(_)) => {
                let bridge = nic.bridge.as_deref().unwrap_or_default();
                (Level::Info, "vm.plugged", format!("NIC {n} is in bridge \"{bridge}\" again"))
            }
            _ => return None,
        };
        Some(Happening { level, kind, text: format!("VM \"{name}\": {text}") })
    });
    changed.collect()
}

fn ended(name: &str, old: &Runtime, exit: &Exit) -> Happening {
    let detail = exit.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let (level, kind, what) = match exit.cause {
        ExitCause::Guest => (Level::Info, "vm.stopped", "shut itself down"),
        ExitCause::Requested => (Level::Info, "vm.stopped", "was stopped"),
        ExitCause::HostBoot => (Level::Warning, "vm.stopped", "ended with its host"),
        ExitCause::Crash if old.started.is_none() => {
            (Level::Error, "vm.failed", "could not be started")
        }
        ExitCause::Crash => (Level::Error, "vm.crashed", "crashed"),
    };
    Happening { level, kind, text: format!("VM \"{name}\" {what}{detail}") }
}
