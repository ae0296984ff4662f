//! Agents without faults: each look does all that is wanted of every node.

use novacron_model::vm::runtime::OrdersDone;
use novacron_model::vm::{Exit, ExitCause, Run, Runtime, VmState};
use novacron_model::volume::{VolumeData, VolumeState};
use novacron_model::{Image, Kind, Object, Snapshot, Vm, Volume, key};
use novacron_store::{Key, Txn, object};
use serde_json::json;

use super::world::World;

/// Whether there was anything to do.
pub fn work(world: &mut World) -> bool {
    let mut busy = false;
    for volume in world.list::<Volume>() {
        busy |= work_on_volume(world, &volume);
    }
    for image in world.list::<Image>() {
        let family = world.key::<Image>(image.name());
        busy |= image.meta.deleting.is_some()
            && image.status.location.is_some()
            && clean(world, &family, "content");
    }
    for snapshot in world.list::<Snapshot>() {
        busy |= work_on_snapshot(world, &snapshot);
    }
    for vm in world.list::<Vm>() {
        busy |= work_on_vm(world, &vm);
    }
    busy
}

pub fn work_on_volume(world: &mut World, volume: &Object<Volume>) -> bool {
    let family = world.key::<Volume>(volume.name());
    if volume.status.location.is_none() {
        return false;
    }
    if volume.meta.deleting.is_some() {
        return clean(world, &family, "data");
    }
    if volume.status.data.is_some() {
        return false;
    }
    let data = VolumeData {
        size: None,
        grow_error: None,
        ready: Some(world.now),
        used: volume.spec.size,
        error: None,
        limit_error: None,
        observed_generation: volume.meta.generation,
    };
    world.report(&family, "data", &data);
    true
}

fn work_on_snapshot(world: &mut World, snapshot: &Object<Snapshot>) -> bool {
    let family = world.key::<Snapshot>(snapshot.name());
    if snapshot.meta.deleting.is_some() {
        return clean(world, &family, "data");
    }
    if snapshot.status.data.is_some() {
        return false;
    }
    let vm = world.find::<Vm>(snapshot.spec.vm.as_str());
    let disks = vm.map(|vm| vm.spec.disks).unwrap_or_default();
    let volumes: Vec<_> = disks.into_iter().filter_map(|disk| disk.volume).collect();
    let data = json!({"taken": world.now.to_string(), "volumes": volumes});
    world.report(&family, "data", &data);
    true
}

pub fn work_on_vm(world: &mut World, vm: &Object<Vm>) -> bool {
    let family = world.key::<Vm>(vm.name());
    let Some(placement) = vm.status.placement.as_ref().filter(|place| place.node.is_some()) else {
        return false;
    };
    if vm.meta.deleting.is_some() {
        return clean(world, &family, "runtime");
    }
    let volumes = vm.spec.disks.iter().filter_map(|disk| disk.volume.as_ref());
    let ready = |name: &novacron_model::Name| {
        world.get::<Volume>(name.as_str()).status.state == VolumeState::Ready
    };
    if !volumes.clone().all(ready) {
        return false;
    }
    let state = match vm.spec.run {
        Run::Running => VmState::Running,
        Run::Paused => VmState::Paused,
        Run::Stopped => VmState::Stopped,
    };
    let orders = &vm.status.orders;
    let before = vm.status.runtime.clone().unwrap_or_default();
    let settled = before.observed_generation >= vm.meta.generation;
    let stays_down = settled && before.state == VmState::Stopped;
    let state = if stays_down { VmState::Stopped } else { state };
    let goes_on = before.done.restart >= orders.restart && before.hardware.is_some();
    let hardware = match state {
        VmState::Stopped => None,
        // An obedient guest, which takes at once what it can.
        _ if goes_on => before.hardware.clone().map(|mut has| {
            while let Some(change) = has.live_changes(&vm.spec.hardware()).first() {
                has.follow(change);
            }
            has
        }),
        _ => Some(vm.spec.hardware()),
    };
    let runtime = Runtime {
        state,
        hardware,
        since: before.since,
        observed_generation: vm.meta.generation,
        epoch: placement.epoch,
        done: OrdersDone {
            restart: orders.restart,
            reset: orders.reset,
            restore: orders.restore,
            hold: 0,
        },
        ..before.clone()
    };
    if vm.status.runtime.as_ref() == Some(&runtime) {
        return false;
    }
    world.report(&family, "runtime", &runtime);
    true
}

/// The guest of a running VM powers itself off.
pub fn shut_down_guest(world: &mut World, vm: &Object<Vm>) {
    let Some(runtime) = vm.status.runtime.clone() else { return };
    if runtime.state != VmState::Running || vm.meta.deleting.is_some() {
        return;
    }
    let generation = runtime.observed_generation;
    let exit =
        Exit { cause: ExitCause::Guest, time: world.now, generation, detail: None, refused: None };
    let runtime = Runtime { state: VmState::Stopped, exit: Some(exit), hardware: None, ..runtime };
    world.report(&world.key::<Vm>(vm.name()), "runtime", &runtime);
}

fn clean(world: &mut World, family: &str, section: &str) -> bool {
    let at = world.at();
    if at.get(&key::section(family, key::CLEANED)).is_some() {
        return false;
    }
    let mut txn = Txn::new().delete(Key::from(key::section(family, section)));
    object::put_section(&mut txn, &at, family, key::CLEANED, &json!({}), vec![]).unwrap();
    world.commit(&txn).unwrap();
    true
}

/// Some object of a kind, if there is any.
pub fn pick<K: Kind>(world: &World, n: usize) -> Option<Object<K>> {
    let mut all = world.list::<K>();
    if all.is_empty() { None } else { Some(all.swap_remove(n % all.len())) }
}
