//! Volumes that come to a VM and leave it while its guest runs.

use expect_test::expect;
use novacron_control::vm;
use novacron_model::request::{AttachRequest, DetachRequest, StopRequest};
use novacron_model::vm::{DiskBus, RefusedChange, Runtime, VmSpec};
use novacron_model::{Code, Error, Image, Name, Result, Snapshot, Vm, Volume};
use serde_json::json;
use uuid::Uuid;

use super::world::{World, says};

const GIB: i64 = 1 << 30;

/// A running VM `web`, a stopped VM `db`, a volume `data`.
fn world() -> World {
    let mut world = World::single();
    world.image("debian", Some(3));
    world.create::<Vm>("web", json!({"image": "debian", "run": "running"})).unwrap();
    world.create::<Vm>("db", json!({"nics": []})).unwrap();
    world.create::<Volume>("data", json!({"size": GIB})).unwrap();
    world.run();
    world
}

fn data() -> Name {
    Name::new("data").unwrap()
}

fn attach(world: &mut World, to: &str) -> Result<Option<Uuid>> {
    let body = AttachRequest { volume: data(), disk: None, bus: None };
    world.verb(to, |request, vm| vm::attach(request, vm, &body))
}

fn detach(world: &mut World, from: &str) -> Result<Option<Uuid>> {
    let body = DetachRequest { volume: data() };
    world.verb(from, |request, vm| vm::detach(request, vm, &body))
}

/// Whose volume it is, and whether it is leaving.
fn holder(world: &World) -> Option<(String, bool)> {
    let attachment = world.get::<Volume>("data").status.attachment?;
    Some((attachment.vm.to_string(), attachment.leaving))
}

/// The node says that the guest of `web` does not take the change of its disk `data`.
fn refuse(world: &mut World, code: Code) {
    let vm = world.get::<Vm>("web");
    let error = Error::new(code, "the guest does not let go of the disk");
    let (device, generation) = ("data".to_owned(), vm.meta.generation);
    let refused = vec![RefusedChange { device, generation, error }];
    let observed_generation = vm.meta.generation;
    let runtime = Runtime { refused, observed_generation, ..vm.status.runtime.unwrap() };
    world.report(&world.key::<Vm>("web"), "runtime", &runtime);
    world.settle();
}

#[test]
fn a_running_guest_gets_a_volume_and_gives_it_up() {
    let mut world = world();
    let task = attach(&mut world, "web").unwrap();
    world.settle();
    assert_eq!(world.outcome(task), "running", "the guest does not have it yet");
    world.run();
    assert_eq!(world.outcome(task), "succeeded");
    let task = detach(&mut world, "web").unwrap();
    world.settle();
    assert_eq!(
        (world.outcome(task).as_str(), holder(&world)),
        ("running", Some(("web".into(), true)))
    );
    // Nobody else gets it, and nothing takes it away, while the guest may have it open.
    expect![[r#"conflict volume: volume "data" is still in use by VM "web", which gives it up; wait until the guest has let go of it, or stop the VM"#]]
        .assert_eq(&says(attach(&mut world, "db")));
    assert!(world.delete::<Volume>("data", false).is_err());
    let again = detach(&mut world, "web").unwrap();
    world.run();
    assert_eq!(
        (world.outcome(task), world.outcome(again)),
        ("succeeded".into(), "succeeded".into())
    );
    assert_eq!(holder(&world), None);
    attach(&mut world, "db").unwrap();
}

#[test]
fn a_guest_that_clings_to_its_volume_keeps_it_until_it_ends() {
    let mut world = world();
    attach(&mut world, "web").unwrap();
    world.run();
    let task = detach(&mut world, "web").unwrap();
    refuse(&mut world, Code::Timeout);
    expect![[r#"failed: the guest of VM "web": the guest does not let go of the disk; it gives the disk up when it lets go of it, or at its next start"#]]
        .assert_eq(&world.outcome(task));
    assert_eq!(holder(&world), Some(("web".into(), true)));
    world.verb("web", |request, vm| vm::stop(request, vm, &StopRequest::default())).unwrap();
    world.run();
    assert_eq!(holder(&world), None);
}

#[test]
fn a_volume_that_a_guest_does_not_take_comes_with_its_next_start() {
    let mut world = world();
    // Not now, but perhaps later; and not before its next start, as other changes of the machine.
    let task = attach(&mut world, "web").unwrap();
    refuse(&mut world, Code::Conflict);
    expect![[r#"failed: the guest of VM "web": the guest does not let go of the disk; it has the disk from its next start on"#]]
        .assert_eq(&world.outcome(task));
    detach(&mut world, "web").unwrap();
    world.run();
    let body = AttachRequest { volume: data(), disk: None, bus: Some(DiskBus::Sata) };
    let task = world.verb("web", |request, vm| vm::attach(request, vm, &body)).unwrap();
    refuse(&mut world, Code::Unsupported);
    assert_eq!(world.outcome(task), "succeeded");
    let bus = world.get::<Vm>("web").spec.disks.last().and_then(|disk| disk.bus);
    assert_eq!(bus, Some(DiskBus::Sata));
    let pending = world.get::<Vm>("web").status.pending;
    assert_eq!(pending[0].text, "disk \"data\" added");
    assert!(pending[0].reason.is_some());
    // It was never open: it is free at once.
    let task = detach(&mut world, "web").unwrap();
    world.settle();
    assert_eq!((world.outcome(task).as_str(), holder(&world)), ("succeeded", None));
}

#[test]
fn a_disk_that_the_guest_keeps_until_its_next_start_can_be_kept() {
    let mut world = world();
    attach(&mut world, "web").unwrap();
    world.run();
    let boot = json!(["data", "root"]);
    world.set::<Vm>("web", &json!({"boot": boot})).unwrap();
    world.run();
    world.verb("web", |request, vm| vm::restart(request, vm, &StopRequest::default())).unwrap();
    world.run();
    let had = world.get::<Vm>("web").spec;
    let root = Name::new("web-root").unwrap();
    let gives_up = DetachRequest { volume: root.clone() };
    world.verb("web", |request, vm| vm::detach(request, vm, &gives_up)).unwrap();
    let vm = world.get::<Vm>("web");
    let refuse = |world: &mut World, code| {
        let error = Error::new(code, "the disk sits where it cannot be taken out now");
        let generation = vm.meta.generation;
        let refused = vec![RefusedChange { device: "root".to_owned(), generation, error }];
        let runtime = Runtime { refused, ..vm.status.runtime.clone().unwrap() };
        world.report(&world.key::<Vm>("web"), "runtime", &runtime);
        world.settle();
    };
    let keeps = AttachRequest { volume: root, disk: None, bus: None };
    refuse(&mut world, Code::Timeout);
    let at_any_moment = world.verb("web", |request, vm| vm::attach(request, vm, &keeps));
    assert_eq!(at_any_moment.unwrap_err().code, Code::Conflict);
    refuse(&mut world, Code::Unsupported);
    let task = world.verb("web", |request, vm| vm::attach(request, vm, &keeps)).unwrap();
    world.settle();
    assert_eq!(world.outcome(task), "succeeded");
    let spec = world.get::<Vm>("web").spec;
    let names = |spec: &VmSpec| spec.disks.iter().map(|disk| disk.name.clone()).collect::<Vec<_>>();
    assert_eq!((names(&spec), &spec.boot), (names(&had), &had.boot));
    assert!(!spec.disks[0].owned, "what was detached outlives its VM");
    let attachment = world.get::<Volume>("web-root").status.attachment.unwrap();
    assert!(!attachment.leaving);
}

#[test]
fn a_port_that_a_guest_has_given_up_is_free_whatever_else_is_pending() {
    let mut world = world();
    let nics = |host: u16| json!([{"ports": [{"host": host, "guest": 80}]}]);
    world.set::<Vm>("web", &json!({"nics": nics(8080)})).unwrap();
    world.run();
    world.set::<Vm>("web", &json!({"memory": 1 << 30})).unwrap();
    world.settle();
    let before = world.get::<Vm>("web").status.runtime.unwrap();
    world.set::<Vm>("web", &json!({"nics": nics(9090)})).unwrap();
    world.settle();
    let other = |world: &mut World| world.set::<Vm>("db", &json!({"nics": nics(8080)}));
    assert_eq!(other(&mut world).unwrap_err().code, Code::Conflict, "the guest has it still");
    let mut hardware = before.hardware.clone().unwrap();
    hardware.nics = world.get::<Vm>("web").spec.hardware().nics;
    let runtime = Runtime { hardware: Some(hardware), ..before };
    world.report(&world.key::<Vm>("web"), "runtime", &runtime);
    world.settle();
    assert!(!world.get::<Vm>("web").status.pending.is_empty(), "memory waits for a restart");
    other(&mut world).unwrap();
}

#[test]
fn a_volume_whose_image_does_not_come_is_not_waited_for() {
    let mut world = world();
    world.create::<Volume>("more", json!({"image": "debian/12"})).unwrap();
    let body = AttachRequest { volume: Name::new("more").unwrap(), disk: None, bus: None };
    let task = world.verb("web", |request, vm| vm::attach(request, vm, &body)).unwrap();
    world.settle();
    assert_eq!(world.outcome(task), "running");
    let error = Error::unavailable("the source is gone");
    world.report(
        &world.key::<Image>("debian-12"),
        "content",
        &json!({"kind": "disk", "error": error}),
    );
    world.settle();
    let outcome = world.outcome(task);
    assert!(outcome.starts_with("failed: the source is gone"), "{outcome}");
}

#[test]
fn a_volume_that_could_not_be_made_is_not_waited_for() {
    let mut world = world();
    let vm = world.get::<Vm>("web");
    let runtime = vm.status.runtime.clone();
    world.create::<Volume>("more", json!({"size": GIB})).unwrap();
    let body = AttachRequest { volume: Name::new("more").unwrap(), disk: None, bus: None };
    let task = world.verb("web", |request, vm| vm::attach(request, vm, &body)).unwrap();
    world.settle();
    let error = Error::unavailable("the pool is full");
    let failed = json!({"ready": null, "error": error});
    world.report(&world.key::<Volume>("more"), "data", &failed);
    world.settle();
    assert_eq!(world.outcome(task), "failed: the pool is full");
    assert_eq!(world.get::<Vm>("web").status.runtime, runtime);
}

#[test]
fn a_disk_that_is_being_plugged_in_is_held() {
    let mut world = world();
    attach(&mut world, "web").unwrap();
    let vm = world.get::<Vm>("web");
    let plugging = vm.spec.disks.last().cloned();
    let runtime = Runtime { plugging, ..vm.status.runtime.unwrap() };
    world.report(&world.key::<Vm>("web"), "runtime", &runtime);
    detach(&mut world, "web").unwrap();
    world.settle();
    assert_eq!(holder(&world), Some(("web".into(), true)));
    world.report(&world.key::<Vm>("web"), "runtime", &Runtime { plugging: None, ..runtime });
    world.settle();
    assert_eq!(holder(&world), None);
}

#[test]
fn an_attachment_that_another_vm_has_overtaken_is_cancelled() {
    let mut world = world();
    let first = attach(&mut world, "db").unwrap();
    detach(&mut world, "db").unwrap();
    let second = attach(&mut world, "web").unwrap();
    world.settle();
    let outcome = world.outcome(first);
    assert!(outcome.starts_with("cancelled"), "{outcome}");
    assert_eq!(world.outcome(second), "running");
    world.run_driven();
    assert_eq!(world.outcome(second), "succeeded");
}

#[test]
fn all_that_a_guest_has_let_go_of_is_free_at_once() {
    let mut world = world();
    attach(&mut world, "web").unwrap();
    world.run_driven();
    detach(&mut world, "web").unwrap();
    let root = DetachRequest { volume: Name::new("web-root").unwrap() };
    let root = world.verb("web", |request, vm| vm::detach(request, vm, &root)).unwrap();
    world.run_driven();
    assert_eq!((world.outcome(root).as_str(), holder(&world)), ("succeeded", None));
}

#[test]
fn a_leaving_volume_outlives_its_vm() {
    let mut world = world();
    attach(&mut world, "web").unwrap();
    world.run();
    detach(&mut world, "web").unwrap();
    world.delete::<Vm>("web", true).unwrap();
    world.run();
    assert!(world.find::<Vm>("web").is_none());
    assert_eq!(holder(&world), None);
}

#[test]
fn what_a_snapshot_covers_stays_and_what_it_does_not_comes_and_goes() {
    let mut world = world();
    world.create::<Snapshot>("web.before", json!({"vm": "web"})).unwrap();
    world.run();
    let taken = json!({"taken": world.now.to_string(), "volumes": ["web-root"]});
    world.report(&world.key::<Snapshot>("web.before"), "data", &taken);
    attach(&mut world, "web").unwrap();
    world.run();
    let root = DetachRequest { volume: Name::new("web-root").unwrap() };
    expect![[r#"conflict volume: volume "web-root" is part of snapshot "web.before" of VM "web"; delete the snapshot first"#]]
        .assert_eq(&says(world.verb("web", |request, vm| vm::detach(request, vm, &root))));
    detach(&mut world, "web").unwrap();
    world.run();
    assert_eq!(holder(&world), None);
}

#[test]
fn limits_are_checked_and_changed() {
    let mut world = world();
    let set = |world: &mut World, limits| world.set::<Volume>("data", &json!({"limits": limits}));
    expect!["invalid spec.limits.iops: a limit is between 10 and 1000000 operations per second"]
        .assert_eq(&says(set(&mut world, json!({"iops": 1}))));
    expect!["invalid spec.limits.bandwidth: a limit is between 1 MiB and 1 TiB per second"]
        .assert_eq(&says(set(&mut world, json!({"bandwidth": 1000}))));
    set(&mut world, json!({"iops": 500, "bandwidth": 100 << 20})).unwrap();
    set(&mut world, json!({"bandwidth": 100 << 20})).unwrap();
    let limits = world.get::<Volume>("data").spec.limits.unwrap();
    assert_eq!((limits.iops, limits.bandwidth.unwrap().0), (None, 100 << 20));
}
