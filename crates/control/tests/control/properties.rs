//! What holds after any sequence of requests, reports and plans.

use std::collections::BTreeMap;

use novacron_control::{capacity, plan_all, task, vm};
use novacron_model::request::{AttachRequest, DetachRequest, StopRequest};
use novacron_model::{Bytes, Name, Node, Snapshot, Task, Vm, Volume};
use novacron_store::Key;
use proptest::prelude::*;
use serde_json::json;

use super::agent::{self, pick};
use super::world::World;

/// Numbers pick objects among those that there are.
#[derive(Debug, Clone)]
enum Deed {
    CreateVm {
        name: u8,
        cpus: u32,
        gib: u64,
        image: bool,
        taken: Option<usize>,
        port: u16,
        run: bool,
    },
    CreateVolume(u8),
    CreateSnapshot {
        vm: usize,
        name: u8,
    },
    Start(usize),
    Stop(usize, bool),
    Pause(usize),
    Resume(usize),
    Restart(usize),
    Resize {
        vm: usize,
        cpus: u32,
        gib: u64,
    },
    Attach(usize, usize),
    Detach(usize, usize),
    DeleteVm(usize, bool),
    DeleteVolume(usize),
    DeleteSnapshot(usize),
    Cancel(usize),
    VmReport(usize),
    VolumeReport(usize),
    AgentsWork,
    GuestShutsDown(usize),
    Plan(usize),
    PlanTogether,
    Settle,
    /// The second is decided on the state before the first.
    Race(Box<Deed>, Box<Deed>),
}

fn request() -> impl Strategy<Value = Deed> {
    let n = || 0_usize..8;
    prop_oneof![
        4 => (0_u8..6, 1_u32..8, 1_u64..6, any::<bool>(), proptest::option::of(0_usize..4), 0_u16..4, any::<bool>())
            .prop_map(|(name, cpus, gib, image, taken, port, run)| {
                Deed::CreateVm { name, cpus, gib, image, taken, port, run }
            }),
        2 => (0_u8..4).prop_map(Deed::CreateVolume),
        1 => (n(), 0_u8..2).prop_map(|(vm, name)| Deed::CreateSnapshot { vm, name }),
        2 => n().prop_map(Deed::Start),
        2 => (n(), any::<bool>()).prop_map(|(vm, force)| Deed::Stop(vm, force)),
        1 => n().prop_map(Deed::Pause),
        1 => n().prop_map(Deed::Resume),
        1 => n().prop_map(Deed::Restart),
        1 => (n(), 1_u32..8, 1_u64..6).prop_map(|(vm, cpus, gib)| Deed::Resize { vm, cpus, gib }),
        2 => (n(), n()).prop_map(|(vm, volume)| Deed::Attach(vm, volume)),
        2 => (n(), n()).prop_map(|(vm, volume)| Deed::Detach(vm, volume)),
        2 => (n(), any::<bool>()).prop_map(|(vm, force)| Deed::DeleteVm(vm, force)),
        1 => n().prop_map(Deed::DeleteVolume),
        1 => n().prop_map(Deed::DeleteSnapshot),
        1 => n().prop_map(Deed::Cancel),
        6 => (0_usize..64).prop_map(Deed::Plan),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    let n = || 0_usize..8;
    prop_oneof![
        24 => request(),
        4 => (request(), request()).prop_map(|(one, two)| Deed::Race(Box::new(one), Box::new(two))),
        2 => Just(Deed::PlanTogether),
        3 => n().prop_map(Deed::VmReport),
        3 => n().prop_map(Deed::VolumeReport),
        1 => Just(Deed::AgentsWork),
        1 => n().prop_map(Deed::GuestShutsDown),
        1 => Just(Deed::Settle),
    ]
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// Does it; a refusal is as good as a success here.
fn perform(world: &mut World, deed: Deed) {
    let vm = |world: &World, n| pick::<Vm>(world, n);
    match deed {
        Deed::CreateVm { name, cpus, gib, image, taken, port, run } => {
            create_vm(world, name, cpus, gib, image, taken, port, run);
        }
        Deed::CreateVolume(n) => {
            let _ = world.create::<Volume>(&format!("v{n}"), json!({"size": 1 << 30}));
        }
        Deed::CreateSnapshot { vm: n, name } => {
            let Some(vm) = vm(world, n) else { return };
            let full = format!("{}.s{name}", vm.name());
            let _ = world.create::<Snapshot>(&full, json!({"vm": vm.name()}));
        }
        Deed::Start(n) => verb(world, n, vm::start),
        Deed::Stop(n, force) => {
            let body = StopRequest { timeout: None, force };
            verb(world, n, |request, vm| vm::stop(request, vm, &body));
        }
        Deed::Pause(n) => verb(world, n, vm::pause),
        Deed::Resume(n) => verb(world, n, vm::resume),
        Deed::Restart(n) => {
            verb(world, n, |request, vm| vm::restart(request, vm, &StopRequest::default()));
        }
        Deed::Resize { vm: n, cpus, gib } => {
            let Some(vm) = vm(world, n) else { return };
            let _ = world.set::<Vm>(vm.name(), &json!({"cpus": cpus, "memory": Bytes::gib(gib)}));
        }
        Deed::Attach(n, m) => {
            let Some(volume) = pick::<Volume>(world, m) else { return };
            let body = AttachRequest { volume: name(volume.name()), disk: None, bus: None };
            verb(world, n, |request, vm| vm::attach(request, vm, &body));
        }
        Deed::Detach(n, m) => {
            let Some(volume) = pick::<Volume>(world, m) else { return };
            let body = DetachRequest { volume: name(volume.name()) };
            verb(world, n, |request, vm| vm::detach(request, vm, &body));
        }
        Deed::DeleteVm(n, force) => {
            let Some(vm) = vm(world, n) else { return };
            let _ = world.delete::<Vm>(vm.name(), force);
        }
        Deed::DeleteVolume(n) => {
            let Some(volume) = pick::<Volume>(world, n) else { return };
            let _ = world.delete::<Volume>(volume.name(), false);
        }
        Deed::DeleteSnapshot(n) => {
            let Some(snapshot) = pick::<Snapshot>(world, n) else { return };
            let _ = world.delete::<Snapshot>(snapshot.name(), false);
        }
        Deed::Cancel(n) => {
            let Some(open) = pick::<Task>(world, n) else { return };
            let _ = world.ask(|request| task::cancel(request, &open));
        }
        Deed::VmReport(n) => {
            let Some(vm) = vm(world, n) else { return };
            agent::work_on_vm(world, &vm);
        }
        Deed::VolumeReport(n) => {
            let Some(volume) = pick::<Volume>(world, n) else { return };
            agent::work_on_volume(world, &volume);
        }
        Deed::AgentsWork => drop(agent::work(world)),
        Deed::GuestShutsDown(n) => {
            let Some(vm) = vm(world, n) else { return };
            agent::shut_down_guest(world, &vm);
        }
        Deed::Plan(n) => {
            let families = novacron_control::families(&world.at());
            world.plan(&families[n % families.len()]);
        }
        Deed::PlanTogether => world.plan_together(),
        Deed::Settle => world.settle(),
        Deed::Race(one, two) => {
            let before = world.at();
            perform(world, *one);
            world.behind = Some(before);
            perform(world, *two);
            world.behind = None;
        }
    }
}

fn verb(
    world: &mut World,
    n: usize,
    verb: impl FnOnce(
        &mut novacron_control::Request<'_>,
        &novacron_model::Object<Vm>,
    ) -> novacron_model::Result<novacron_control::Admitted>,
) {
    if let Some(vm) = pick::<Vm>(world, n) {
        let _ = world.verb(vm.name(), verb);
    }
}

#[expect(clippy::too_many_arguments, reason = "the fields of a deed")]
fn create_vm(
    world: &mut World,
    name: u8,
    cpus: u32,
    gib: u64,
    image: bool,
    taken: Option<usize>,
    port: u16,
    run: bool,
) {
    let mut disks = vec![json!({"name": "root", "size": 4_u64 << 30})];
    if let Some(volume) = taken.and_then(|n| pick::<Volume>(world, n)) {
        disks.push(json!({"name": "extra", "volume": volume.name()}));
    }
    let ports = if port > 0 { json!([{"host": port, "guest": 80}]) } else { json!([]) };
    let mut spec = json!({
        "cpus": cpus, "memory": Bytes::gib(gib), "disks": disks,
        "nics": [{"ports": ports}], "run": if run { "running" } else { "stopped" },
    });
    if image {
        spec["image"] = json!("debian");
    }
    let _ = world.create::<Vm>(&format!("m{name}"), spec);
}

/// Capacity, attachments and ports, at every moment.
fn check_invariants(world: &World) {
    let at = world.at();
    for node in world.list::<Node>() {
        assert_eq!(capacity::recount(&at, node.name()), [], "counters differ from objects");
        let (held, all) = (capacity::allocated(&at, node.name()), capacity::of(&node).unwrap());
        assert!(held.cpu <= all.cpu && held.memory <= all.memory, "oversold: {held:?} of {all:?}");
    }
    let mut users: BTreeMap<String, String> = BTreeMap::new();
    let mut ports: BTreeMap<u16, String> = BTreeMap::new();
    for vm in world.list::<Vm>() {
        for volume in vm.spec.disks.iter().filter_map(|disk| disk.volume.as_ref()) {
            let other = users.insert(volume.to_string(), vm.name().to_owned());
            assert_eq!(other, None, "volume {volume} is in two VMs");
            let Some(volume) = world.find::<Volume>(volume.as_str()) else {
                assert!(vm.meta.deleting.is_some(), "a VM lost volume {volume}");
                continue;
            };
            let attached = volume.status.attachment.as_ref().map(|attachment| attachment.vm_uid);
            assert_eq!(attached, Some(vm.meta.uid), "{} is not attached to its VM", volume.name());
            let (vm_node, volume_node) = (
                vm.status.placement.as_ref().and_then(|placement| placement.node.clone()),
                volume.status.location.as_ref().map(|location| location.node.clone()),
            );
            if let (Some(one), Some(other)) = (vm_node, volume_node) {
                assert_eq!(one, other, "VM {} and its volume are apart", vm.name());
            }
        }
        for port in vm.spec.nics.iter().flatten().flat_map(|nic| &nic.ports) {
            let other = ports.insert(port.host, vm.name().to_owned());
            assert_eq!(other, None, "port {} leads to two VMs", port.host);
        }
    }
    for volume in world.list::<Volume>() {
        let Some(attachment) = &volume.status.attachment else { continue };
        let used = users.contains_key(volume.name());
        assert_ne!(used, attachment.leaving, "{}: {attachment:?}", volume.name());
        let vm = world.find::<Vm>(attachment.vm.as_str());
        assert_eq!(vm.map(|vm| vm.meta.uid), Some(attachment.vm_uid), "{}", volume.name());
    }
    check_what_is_open(world);
}

/// What a guest has open is its VM's, also while it leaves.
fn check_what_is_open(world: &World) {
    for vm in world.list::<Vm>() {
        let hardware = vm.status.runtime.as_ref().and_then(|runtime| runtime.hardware.as_ref());
        for disk in hardware.iter().flat_map(|hardware| &hardware.disks) {
            let name = disk.volume.as_ref().unwrap().as_str();
            let volume = world.find::<Volume>(name);
            let attachment = volume.and_then(|volume| volume.status.attachment);
            let holder = attachment.map(|attachment| attachment.vm_uid);
            assert_eq!(holder, Some(vm.meta.uid), "the guest of {} has {name} open", vm.name());
        }
    }
}

/// Once the world is at rest, no planner wants anything, and every task has ended unless its VM
/// waits for room.
fn check_rest(world: &World) {
    for family in novacron_control::families(&world.at()) {
        assert!(plan_all(&world.at(), &family, world.now).txn.is_none(), "{family} is not at rest");
    }
    for volume in world.list::<Volume>() {
        let attachment = volume.status.attachment.as_ref();
        let leaving = attachment.is_some_and(|attachment| attachment.leaving);
        assert!(!leaving, "{} does not leave", volume.name());
    }
    for task in world.list::<Task>().iter().filter(|task| task.status.outcome.is_none()) {
        let pending = world
            .find::<Vm>(&task.spec.target.name)
            .is_some_and(|vm| vm.status.placement.is_none_or(|placement| placement.node.is_none()));
        let waits = pending || waits_for_pending(world, task);
        assert!(waits, "task {:?} does not end", task.spec);
    }
}

/// What the driver loop was told to look at was all that there was to do. VMs that wait for room
/// look again by their timer.
fn check_nobody_was_forgotten(world: &World) {
    for family in novacron_control::families(&world.at()) {
        let plan = plan_all(&world.at(), &family, world.now);
        let pending = world.at().indexed("pending", "open", "").contains(&family);
        assert!(plan.txn.is_none() || pending, "{family} was forgotten");
    }
}

/// A volume that was made for, or is attached to, a VM without node has none either.
fn waits_for_pending(world: &World, task: &novacron_model::Object<Task>) -> bool {
    let volume = world.find::<Volume>(&task.spec.target.name);
    volume.is_some_and(|volume| volume.status.location.is_none())
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn no_order_of_deeds_oversells_shares_or_leaks(deeds in proptest::collection::vec(deed(), 1..60)) {
        let mut world = World::new(&[("n1", 4, 9), ("n2", 2, 7)]);
        world.image("debian", Some(3));
        for deed in deeds {
            perform(&mut world, deed);
            check_invariants(&world);
        }
        world.run_driven();
        check_invariants(&world);
        check_nobody_was_forgotten(&world);
        world.run();
        check_invariants(&world);
        check_rest(&world);
        for vm in world.list::<Vm>() {
            world.delete::<Vm>(vm.name(), true).unwrap();
        }
        world.run_driven();
        check_nobody_was_forgotten(&world);
        for volume in world.list::<Volume>() {
            world.delete::<Volume>(volume.name(), false).unwrap();
        }
        world.run_driven();
        check_rest(&world);
        let left: Vec<Key> = novacron_control::families(&world.at());
        let objects = left.iter().filter(|key| {
            ["vm/", "volume/", "snapshot/"].iter().any(|kind| key.as_str().starts_with(kind))
        });
        prop_assert_eq!(objects.count(), 0, "{}", world.show());
        let counters = world.counters().into_iter().filter(|(name, _)| !name.starts_with("tasks/"));
        prop_assert_eq!(counters.count(), 0);
    }
}
