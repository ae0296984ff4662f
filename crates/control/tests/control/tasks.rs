//! How tasks end, are cancelled and are forgotten.

use expect_test::expect;
use novacron_control::{Resource, families, plan_all, task, vm};
use novacron_model::request::StopRequest;
use novacron_model::vm::{Run, VmState};
use novacron_model::{Bytes, Image, Snapshot, Task, Vm, Volume};
use novacron_store::{Key, Put, Txn};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::world::{World, says};

#[test]
fn a_creation_ends_when_the_vm_does_what_its_spec_says() {
    let mut world = World::single();
    let running = world.create::<Vm>("a", json!({"run": "running"})).unwrap();
    let stopped = world.create::<Vm>("b", json!({})).unwrap();
    world.settle();
    assert_eq!(world.outcome(running), "running");
    world.run();
    assert_eq!(world.outcome(running), "succeeded");
    assert_eq!(world.outcome(stopped), "succeeded");
}

#[test]
fn a_failed_volume_fails_its_task_with_the_reason() {
    let mut world = World::single();
    let task = world.create::<Volume>("v", json!({"size": 1 << 30})).unwrap();
    world.settle();
    let data = json!({"ready": null, "error": {"code": "unavailable", "message": "the disk of the pool is full"}});
    world.report(&world.key::<Volume>("v"), "data", &data);
    world.settle();
    assert_eq!(world.outcome(task), "failed: the disk of the pool is full");
    let disk = json!([{"name": "v", "volume": "v"}]);
    expect![[r#"conflict spec.disks[0].volume: volume "v" could not be made and cannot be used"#]]
        .assert_eq(&says(world.create::<Vm>("x", json!({"disks": disk}))));
}

#[test]
fn a_failed_import_leaves_its_task_alone() {
    let mut world = World::single();
    let source = json!({"source": {"url": "http://example.org/a.qcow2"}});
    let failed = json!({"kind": "disk", "error": {"code": "unavailable", "message": "no answer"}});
    for _ in 0..2 {
        let task = world.create::<Image>("a", source.clone()).unwrap();
        world.settle();
        world.report(&world.key::<Image>("a"), "content", &failed);
        world.settle();
        assert_eq!(world.outcome(task), "failed: no answer");
        // Its node makes sure that no file is left.
        assert!(world.get::<Image>("a").meta.deleting.is_some());
        world.run();
        assert!(world.find::<Image>("a").is_none(), "the name is free");
    }
}

#[test]
fn a_failed_image_stays_for_those_who_wait_for_it() {
    let mut world = World::single();
    let import = world.create::<Image>("debian-12", json!({"source": {"catalogue": "debian/12"}}));
    world.settle();
    let failed = json!({"kind": "disk", "error": {"code": "unavailable", "message": "no answer"}});
    world.report(&world.key::<Image>("debian-12"), "content", &failed);
    // Of two that come at once, the later one finds the other's mark or is found by it.
    let at = world.at();
    let task = world.key::<Task>(&import.as_ref().unwrap().unwrap().to_string());
    let end = plan_all(&at, &Key::from(task), world.now).txn.unwrap();
    world.create::<Vm>("web", json!({"image": "debian/12"})).unwrap();
    assert!(world.commit(&end).is_err(), "somebody waits for it now");
    world.settle();
    assert!(world.get::<Image>("debian-12").meta.deleting.is_none());
}

#[test]
fn a_failed_snapshot_leaves_its_task_alone() {
    let mut world = World::single();
    world.create::<Vm>("web", json!({})).unwrap();
    world.run();
    let failed = json!({"error": {"code": "storage_full", "message": "full"}});
    for _ in 0..2 {
        let spec = json!({"vm": "web"});
        let task = world.create::<Snapshot>("web.a", spec).unwrap();
        world.report(&world.key::<Snapshot>("web.a"), "data", &failed);
        world.settle();
        assert_eq!(world.outcome(task), "failed: full");
        world.run();
        assert!(world.find::<Snapshot>("web.a").is_none(), "the name is free");
        assert_eq!(world.outcome(task), "failed: full");
    }
}

#[test]
fn a_resize_is_a_task_that_follows_its_volume() {
    let mut world = World::single();
    let gib = 1_u64 << 30;
    world.create::<Volume>("v", json!({"size": gib})).unwrap();
    world.run();
    let resize = |world: &mut World, size: u64| {
        let old = world.get::<Volume>("v");
        let mut new = old.clone();
        new.spec.size = Bytes(size);
        world.ask(|request| Volume::update(request, &old, new.clone())).unwrap()
    };
    let report = |world: &mut World, error: Value| {
        let generation = world.get::<Volume>("v").meta.generation;
        let data = json!({"ready": world.now.to_string(), "observed_generation": generation,
            "grow_error": error});
        world.report(&world.key::<Volume>("v"), "data", &data);
        world.settle();
    };
    let task = resize(&mut world, 2 * gib);
    world.settle();
    assert_eq!(world.outcome(task), "running");
    let about = world.task(task);
    expect!["conflict the resize cannot be cancelled any more"]
        .assert_eq(&says(world.ask(|request| task::cancel(request, &about))));
    report(&mut world, Value::Null);
    assert_eq!(world.outcome(task), "succeeded");
    let task = resize(&mut world, 3 * gib);
    report(&mut world, json!({"code": "storage_full", "message": "full", "hint": "make room"}));
    let error = world.task(task).status.outcome.unwrap().error.unwrap();
    assert_eq!(error.message, "volume \"v\" has not grown: full");
    assert!(error.hint.unwrap().starts_with("make room; it is tried again"));
    assert_eq!(resize(&mut world, 3 * gib), None, "nothing changes");
}

#[test]
fn a_start_that_failed_says_why() {
    let mut world = World::single();
    let task = world.create::<Vm>("a", json!({"run": "running"})).unwrap();
    world.settle();
    let runtime = json!({
        "state": "failed", "since": world.now.to_string(), "observed_generation": 1,
        "reason": "QEMU has ended: no memory"
    });
    world.report(&world.key::<Vm>("a"), "runtime", &runtime);
    world.settle();
    assert_eq!(world.outcome(task), "failed: VM \"a\" has failed: QEMU has ended: no memory");
}

#[test]
fn a_later_opposite_request_cancels_the_earlier() {
    let mut world = World::single();
    let created = world.create::<Vm>("a", json!({})).unwrap();
    world.run();
    assert_eq!(world.outcome(created), "succeeded");
    let start = world.verb("a", vm::start).unwrap();
    let stop =
        world.verb("a", |request, vm| vm::stop(request, vm, &StopRequest::default())).unwrap();
    world.run();
    assert_eq!(world.outcome(start), "cancelled: VM \"a\" was told to stop meanwhile");
    assert_eq!(world.outcome(stop), "succeeded");
}

#[test]
fn a_cancelled_import_takes_the_image_back() {
    let mut world = World::single();
    let url = json!({"source": {"url": "http://example.org/a"}});
    let import = world.create::<Image>("a", url).unwrap();
    world.settle();
    let open = world.task(import);
    world.ask(|request| task::cancel(request, &open)).unwrap();
    world.settle();
    assert_eq!(world.outcome(import), "running");
    world.run();
    assert_eq!(world.outcome(import), "cancelled");
    assert!(world.find::<Image>("a").is_none());
    let ended = world.task(import);
    let again = world.ask(|request| task::cancel(request, &ended));
    assert_eq!(says(again), format!("conflict task {} has ended already", ended.name()));
}

#[test]
fn a_cancelled_start_leaves_the_vm_stopped() {
    let mut world = World::single();
    world.create::<Vm>("a", json!({})).unwrap();
    world.run();
    let start = world.verb("a", vm::start).unwrap();
    let open = world.task(start);
    world.ask(|request| task::cancel(request, &open)).unwrap();
    world.run();
    assert_eq!(world.outcome(start), "cancelled");
    let vm = world.get::<Vm>("a");
    assert_eq!((vm.spec.run, vm.status.state), (Run::Stopped, VmState::Stopped));
}

#[test]
fn a_deletion_cannot_be_cancelled() {
    let mut world = World::single();
    world.create::<Vm>("a", json!({})).unwrap();
    world.run();
    let deletion = world.delete::<Vm>("a", false).unwrap();
    let open = world.task(deletion);
    let refused = world.ask(|request| task::cancel(request, &open));
    expect![[r#"conflict the deletion cannot be cancelled any more"#]].assert_eq(&says(refused));
    let kept = world.delete::<Task>(open.name(), false);
    assert_eq!(
        says(kept),
        format!("conflict task {} is still running; cancel it, or wait for its end", open.name())
    );
}

#[test]
fn a_deleted_target_ends_its_tasks() {
    let mut world = World::new(&[]);
    let created = world.create::<Vm>("a", json!({})).unwrap();
    world.settle();
    world.delete::<Vm>("a", false).unwrap();
    world.settle();
    let outcome = world.outcome(created);
    assert!(outcome.starts_with("cancelled") || outcome.starts_with("failed"), "{outcome}");
}

#[test]
fn the_newest_five_hundred_tasks_are_kept() {
    let mut world = World::single();
    world.create::<Vm>("a", json!({"run": "running", "nics": []})).unwrap();
    world.run();
    let first = world.verb("a", vm::start).unwrap();
    for _ in 0..560 {
        world.verb("a", vm::start).unwrap();
    }
    world.settle();
    assert_eq!(world.list::<Task>().len(), 562, "none is a day old");
    world.pass(24 * 3600);
    let at = world.at();
    let plans = families(&at).into_iter().map(|family| plan_all(&at, &family, world.now));
    let pruning = plans.filter(|plan| plan.txn.as_ref().is_some_and(|txn| !txn.deletes.is_empty()));
    assert_eq!(pruning.count(), 1, "one task prunes for all");
    world.settle();
    assert_eq!(world.list::<Task>().len(), 500);
    assert!(world.find::<Task>(&first.unwrap().to_string()).is_none());
    let project = world.project().meta.uid;
    assert_eq!(world.at().counter(&format!("tasks/{project}")), 500);
}

#[test]
fn a_task_that_cannot_be_read_does_not_keep_the_others() {
    let mut world = World::single();
    world.create::<Vm>("a", json!({"run": "running", "nics": []})).unwrap();
    world.run();
    let oldest = world.list::<Task>()[0].name().to_owned();
    for _ in 0..560 {
        world.verb("a", vm::start).unwrap();
    }
    world.settle();
    let value = to_raw_value(&json!({"meta": "of another version"})).unwrap();
    let key = Key::from(world.key::<Task>(&oldest));
    world.commit(&Txn { puts: vec![Put { key, value, index: Vec::new() }], ..Txn::new() }).unwrap();
    world.pass(24 * 3600);
    world.settle();
    assert_eq!(world.list::<Task>().len(), 499, "five hundred with the one that cannot be read");
}
