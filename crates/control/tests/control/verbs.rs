//! Verbs of a VM, and the spec that follows what happened.

use expect_test::{Expect, expect};
use novacron_control::vm;
use novacron_model::request::{RestoreRequest, StopRequest};
use novacron_model::task::Action;
use novacron_model::vm::{Run, Runtime, VmState, runtime::Failure};
use novacron_model::{Code, Error, Name, Seconds, Snapshot, Vm};
use serde_json::json;

use super::agent;
use super::world::{World, says};

fn running() -> World {
    let mut world = World::single();
    world
        .create::<Vm>(
            "web",
            json!({"run": "running", "disks": [{"name": "root", "size": 1 << 30}]}),
        )
        .unwrap();
    world.run();
    world
}

fn stop(force: bool) -> StopRequest {
    StopRequest { timeout: Some(Seconds(5)), force }
}

fn state(world: &World) -> (Run, VmState) {
    let vm = world.get::<Vm>("web");
    (vm.spec.run, vm.status.state)
}

fn check<T: std::fmt::Debug>(result: novacron_model::Result<T>, expect: &Expect) {
    expect.assert_eq(&says(result));
}

#[test]
fn a_vm_is_started_stopped_paused_and_resumed() {
    let mut world = running();
    assert_eq!(state(&world), (Run::Running, VmState::Running));
    let paused = world.verb("web", vm::pause).unwrap();
    world.run();
    assert_eq!(state(&world), (Run::Paused, VmState::Paused));
    let resumed = world.verb("web", vm::resume).unwrap();
    world.run();
    let stopped = world.verb("web", |request, vm| vm::stop(request, vm, &stop(false))).unwrap();
    world.run();
    assert_eq!(state(&world), (Run::Stopped, VmState::Stopped));
    assert_eq!(world.get::<Vm>("web").status.orders.stop.timeout, Seconds(5));
    let started = world.verb("web", vm::start).unwrap();
    world.run();
    assert_eq!(state(&world), (Run::Running, VmState::Running));
    for task in [paused, resumed, stopped, started] {
        assert_eq!(world.outcome(task), "succeeded");
    }
}

#[test]
fn a_verb_that_does_not_fit_the_state_is_refused() {
    let mut world = running();
    world.verb("web", vm::pause).unwrap();
    world.run();
    check(world.verb("web", vm::start), &expect![[r#"conflict VM "web" is paused; resume it"#]]);
    check(
        world.verb("web", vm::reset),
        &expect![[r#"conflict VM "web" is not running and cannot be reset; resume it first"#]],
    );
    world.verb("web", |request, vm| vm::stop(request, vm, &stop(true))).unwrap();
    world.run();
    check(
        world.verb("web", vm::pause),
        &expect![[r#"conflict VM "web" is not running and cannot be paused; start it"#]],
    );
    check(
        world.verb("web", |request, vm| vm::restart(request, vm, &stop(false))),
        &expect![[r#"conflict VM "web" is not running and cannot be restarted; start it"#]],
    );
    check(world.verb("web", vm::resume), &expect![[r#"conflict VM "web" is not paused"#]]);
    let long = StopRequest { timeout: Some(Seconds(1_000_000)), force: false };
    check(
        world.verb("web", |request, vm| vm::stop(request, vm, &long)),
        &expect![[r#"invalid timeout: a guest gets at most 86400 s to stop"#]],
    );
    world.delete::<Vm>("web", false).unwrap();
    check(world.verb("web", vm::start), &expect![[r#"conflict VM "web" is being deleted"#]]);
}

#[test]
fn what_is_so_already_succeeds_without_a_change() {
    let mut world = running();
    let before = world.get::<Vm>("web").meta;
    let started = world.verb("web", vm::start).unwrap();
    world.settle();
    assert_eq!(world.outcome(started), "succeeded");
    assert_eq!(world.get::<Vm>("web").meta, before);
}

#[test]
fn restart_reset_and_restore_are_numbered() {
    let mut world = running();
    let reset = world.verb("web", vm::reset).unwrap();
    let restart = world.verb("web", |request, vm| vm::restart(request, vm, &stop(true))).unwrap();
    world.settle();
    assert_eq!(
        (world.outcome(reset), world.outcome(restart)),
        ("running".into(), "running".into())
    );
    world.run();
    assert_eq!(world.outcome(reset), "succeeded");
    assert_eq!(world.outcome(restart), "succeeded");
    world.create::<Snapshot>("web.before", json!({"vm": "web"})).unwrap();
    world.run();
    let before = RestoreRequest { snapshot: Name::new("before").unwrap(), stop: false };
    check(
        world.verb("web", |request, vm| vm::restore(request, vm, &before)),
        &expect![[r#"conflict VM "web" is running; stop it first, or use --stop"#]],
    );
    world.verb("web", |request, vm| vm::stop(request, vm, &stop(true))).unwrap();
    world.run();
    let restore = world.verb("web", |request, vm| vm::restore(request, vm, &before)).unwrap();
    world.run();
    assert_eq!(world.outcome(restore), "succeeded");
    assert_eq!(world.get::<Vm>("web").status.orders.restore_from.as_deref(), Some("web.before"));
    let other = RestoreRequest { snapshot: Name::new("other").unwrap(), stop: false };
    check(
        world.verb("web", |request, vm| vm::restore(request, vm, &other)),
        &expect![[r#"not_found snapshot: snapshot "web.other" does not exist"#]],
    );
}

#[test]
fn snapshots_know_what_they_go_on_from() {
    let mut world = running();
    let take = |world: &mut World, name: &str| {
        world.pass(1);
        world.create::<Snapshot>(&format!("web.{name}"), json!({"vm": "web"})).unwrap();
        world.run();
        world.get::<Snapshot>(&format!("web.{name}")).spec.parent
    };
    assert_eq!(take(&mut world, "one"), None);
    assert_eq!(take(&mut world, "two").as_deref(), Some("web.one"));
    world.pass(1);
    let one = RestoreRequest { snapshot: Name::new("one").unwrap(), stop: true };
    world.verb("web", |request, vm| vm::restore(request, vm, &one)).unwrap();
    world.run();
    assert_eq!(take(&mut world, "three").as_deref(), Some("web.one"));
    assert_eq!(take(&mut world, "four").as_deref(), Some("web.three"));
    let spec = json!({"vm": "web", "parent": "web.two"});
    check(
        world.create::<Snapshot>("web.five", spec),
        &expect!["invalid spec.parent: what a snapshot comes from is known; leave it out"],
    );
}

#[test]
fn a_change_meanwhile_does_not_end_a_restore() {
    let mut world = running();
    world.create::<Snapshot>("web.before", json!({"vm": "web"})).unwrap();
    world.run();
    let before = RestoreRequest { snapshot: Name::new("before").unwrap(), stop: true };
    let restore = world.verb("web", |request, vm| vm::restore(request, vm, &before)).unwrap();
    world.set::<Vm>("web", &json!({"notes": "changed while it is being restored"})).unwrap();
    world.settle();
    assert_eq!(world.outcome(restore), "running");
    world.run();
    assert_eq!(world.outcome(restore), "succeeded");
}

#[test]
fn a_guest_that_shuts_itself_down_stays_down() {
    let mut world = running();
    let vm = world.get::<Vm>("web");
    agent::shut_down_guest(&mut world, &vm);
    world.run();
    assert_eq!(state(&world), (Run::Stopped, VmState::Stopped));
    world.verb("web", vm::start).unwrap();
    world.run();
    assert_eq!(state(&world), (Run::Running, VmState::Running));
}

#[test]
fn with_the_policy_always_the_spec_goes_on_wanting_it() {
    let mut world = running();
    world.set::<Vm>("web", &json!({"restart": "always"})).unwrap();
    world.run();
    let vm = world.get::<Vm>("web");
    agent::shut_down_guest(&mut world, &vm);
    world.settle();
    assert_eq!(world.get::<Vm>("web").spec.run, Run::Running);
}

/// The guest does not listen to the power button.
fn ignore_stop(world: &mut World, action: Action) {
    let vm = world.get::<Vm>("web");
    let generation = vm.meta.generation;
    let error = Error::new(Code::Timeout, "the guest did not stop within 5 s");
    let order = if action == Action::Restart { vm.status.orders.restart } else { 0 };
    let failure = Failure { action, generation, order, error };
    let mut runtime = Runtime {
        failure: Some(failure),
        observed_generation: generation,
        ..vm.status.runtime.unwrap()
    };
    runtime.done.restart = vm.status.orders.restart;
    world.report(&world.key::<Vm>("web"), "runtime", &runtime);
}

#[test]
fn a_stop_that_timed_out_fails_and_the_guest_runs_on() {
    let mut world = running();
    let task = world.verb("web", |request, vm| vm::stop(request, vm, &stop(false))).unwrap();
    world.settle();
    ignore_stop(&mut world, Action::Stop);
    world.run();
    assert_eq!(state(&world), (Run::Running, VmState::Running));
    assert_eq!(world.outcome(task), "failed: the guest did not stop within 5 s");
    assert!(world.events().contains("ana task.failed: stop of VM \"web\" failed"));
    let again = world.verb("web", |request, vm| vm::stop(request, vm, &stop(true))).unwrap();
    world.run();
    assert_eq!(world.outcome(again), "succeeded");
}

#[test]
fn a_restart_that_timed_out_fails_too() {
    let mut world = running();
    let task = world.verb("web", |request, vm| vm::restart(request, vm, &stop(false))).unwrap();
    world.settle();
    ignore_stop(&mut world, Action::Restart);
    world.run();
    assert_eq!(world.outcome(task), "failed: the guest did not stop within 5 s");
    assert_eq!(state(&world), (Run::Running, VmState::Running));
}

#[test]
fn force_joins_a_stop_that_is_under_way() {
    let mut world = running();
    let gentle = world.verb("web", |request, vm| vm::stop(request, vm, &stop(false))).unwrap();
    let forced = world.verb("web", |request, vm| vm::stop(request, vm, &stop(true))).unwrap();
    assert!(world.get::<Vm>("web").status.orders.stop.force);
    world.run();
    assert_eq!(world.outcome(gentle), "succeeded");
    assert_eq!(world.outcome(forced), "succeeded");
}

#[test]
fn run_can_be_written_like_any_field() {
    let mut world = running();
    world.set::<Vm>("web", &json!({"run": "stopped"})).unwrap();
    world.run();
    assert_eq!(state(&world), (Run::Stopped, VmState::Stopped));
    check(
        world.set::<Vm>("web", &json!({"run": "paused"})),
        &expect![[r#"invalid spec.run: only a running VM can be paused"#]],
    );
}
