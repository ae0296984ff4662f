//! Volumes that come to a VM and leave it while its guest runs.

use expect_test::expect;
use novacron_control::vm;
use novacron_model::request::{AttachRequest, DetachRequest, StopRequest};
use novacron_model::vm::{RefusedChange, Runtime};
use novacron_model::{Code, Error, Name, Result, Snapshot, Vm, Volume};
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
    let body = AttachRequest { volume: data(), disk: None };
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
    let task = attach(&mut world, "web").unwrap();
    refuse(&mut world, Code::Unsupported);
    expect![[r#"failed: the guest of VM "web": the guest does not let go of the disk; it has the disk from its next start on"#]]
        .assert_eq(&world.outcome(task));
    let pending = world.get::<Vm>("web").status.pending;
    assert_eq!(pending[0].text, "disk \"data\" added");
    assert!(pending[0].reason.is_some());
    // It was never open: it is free at once.
    let task = detach(&mut world, "web").unwrap();
    world.settle();
    assert_eq!((world.outcome(task).as_str(), holder(&world)), ("succeeded", None));
}

#[test]
fn a_volume_that_could_not_be_made_is_not_waited_for() {
    let mut world = world();
    let vm = world.get::<Vm>("web");
    let runtime = vm.status.runtime.clone();
    world.create::<Volume>("more", json!({"size": GIB})).unwrap();
    let body = AttachRequest { volume: Name::new("more").unwrap(), disk: None };
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
