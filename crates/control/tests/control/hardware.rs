//! The machine of a VM: what is refused, what waits for a restart, what is given back and when.

use expect_test::expect;
use novacron_control::DeleteOptions;
use novacron_control::vm;
use novacron_model::Vm;
use novacron_model::request::{AttachRequest, DetachRequest, StopRequest};
use serde_json::{Value, json};

use super::world::{World, says};

const GIB: i64 = 1 << 30;

/// A running VM `web` with 2 CPUs, 2 GiB and host port 8080, and an ISO `dvd`.
fn world() -> World {
    let mut world = World::single();
    world.image("debian", Some(3));
    world.image_of_kind("dvd", "iso", novacron_model::Bytes(0));
    let nics = json!([{"ports": [{"host": 8080, "guest": 80}]}]);
    world.create::<Vm>("web", json!({"image": "debian", "nics": nics, "run": "running"})).unwrap();
    world.run();
    world
}

fn pending(world: &World) -> Vec<String> {
    world.get::<Vm>("web").status.pending.into_iter().map(|pending| pending.text).collect()
}

fn share(world: &World) -> Vec<i64> {
    let counters = world.counters();
    let of_node = counters.into_iter().filter(|(name, _)| name.ends_with("/n1"));
    of_node.map(|(_, count)| count).collect()
}

fn set(world: &mut World, change: &Value) {
    world.set::<Vm>("web", change).unwrap();
    world.run();
}

fn stop(world: &mut World) {
    world.verb("web", |request, vm| vm::stop(request, vm, &StopRequest::default())).unwrap();
    world.run();
}

#[test]
fn what_a_live_guest_cannot_take_waits_for_its_restart() {
    let mut world = world();
    assert_eq!(share(&world), [2000, 2 * GIB, 1]);
    set(&mut world, &json!({"cpus": 4, "memory": GIB}));
    assert_eq!(pending(&world), ["CPUs 2 → 4", "memory 2 → 1 GiB"]);
    // It may grow into more CPUs at any moment, and keeps its memory until then.
    assert_eq!(share(&world), [4000, 2 * GIB, 1]);
    world.verb("web", |request, vm| vm::restart(request, vm, &StopRequest::default())).unwrap();
    world.run();
    assert!(pending(&world).is_empty());
    assert_eq!(share(&world), [4000, GIB, 1]);
}

#[test]
fn what_waits_can_be_taken_back() {
    let mut world = world();
    let refused = world.verb("web", vm::revert);
    expect![[r#"conflict nothing of VM "web" waits for a restart"#]].assert_eq(&says(refused));
    set(&mut world, &json!({"cpus": 4, "firmware": "uefi", "notes": "kept"}));
    assert_eq!(pending(&world), ["CPUs 2 → 4", "firmware bios → uefi"]);
    world.verb("web", vm::revert).unwrap();
    world.run();
    assert!(pending(&world).is_empty());
    assert_eq!(share(&world), [2000, 2 * GIB, 1]);
    assert_eq!(world.get::<Vm>("web").spec.notes, "kept");
}

#[test]
fn a_live_guest_holds_its_ports_until_it_has_gone() {
    let mut world = world();
    set(&mut world, &json!({"nics": []}));
    assert_eq!(pending(&world), ["NICs 1 → 0"]);
    let nics = json!([{"ports": [{"host": 8080, "guest": 80}]}]);
    let other = world.create::<Vm>("other", json!({"nics": nics}));
    expect![[
        r#"conflict spec.nics[0].ports[0]: port 8080 on 127.0.0.1 is used by VM "web"; choose another port of the host"#
    ]]
    .assert_eq(&says(other));
    stop(&mut world);
    world.create::<Vm>("other", json!({"nics": nics})).unwrap();
}

#[test]
fn a_guest_that_is_ending_holds_what_it_was_given() {
    let mut world = world();
    set(&mut world, &json!({"nics": [], "memory": GIB}));
    let family = world.key::<Vm>("web");
    let mut runtime = world.get::<Vm>("web").status.runtime.unwrap();
    runtime.state = novacron_model::vm::VmState::Stopping;
    for hardware in [runtime.hardware.clone(), None] {
        runtime.hardware = hardware;
        world.report(&family, "runtime", &runtime);
        world.settle();
        assert_eq!(share(&world), [2000, 2 * GIB, 1]);
        let nics = json!([{"ports": [{"host": 8080, "guest": 80}]}]);
        assert!(says(world.create::<Vm>("other", json!({"nics": nics}))).contains("8080"));
    }
}

#[test]
fn a_drive_that_goes_leaves_the_boot_order() {
    let mut world = world();
    stop(&mut world);
    let name = |name: &str| novacron_model::Name::new(name).unwrap();
    world.create::<novacron_model::Volume>("data", json!({"size": GIB})).unwrap();
    world.run();
    set(&mut world, &json!({"cdroms": [{"name": "cd0"}]}));
    let body = AttachRequest { volume: name("data"), disk: Some(name("cd0")), bus: None };
    let refused = world.verb("web", |request, vm| vm::attach(request, vm, &body));
    assert!(says(refused).contains("two drives are named \"cd0\""));
    let body = AttachRequest { volume: name("data"), disk: None, bus: None };
    world.verb("web", |request, vm| vm::attach(request, vm, &body)).unwrap();
    set(&mut world, &json!({"boot": ["data", "root"]}));
    let body = DetachRequest { volume: name("data") };
    world.verb("web", |request, vm| vm::detach(request, vm, &body)).unwrap();
    assert_eq!(world.get::<Vm>("web").spec.boot, ["root"]);
}

#[test]
fn a_vm_that_is_down_changes_at_once() {
    let mut world = world();
    stop(&mut world);
    set(&mut world, &json!({"cpus": 4, "memory": GIB, "nics": []}));
    assert!(pending(&world).is_empty());
    assert_eq!(share(&world), [4000, GIB, 1]);
}

#[test]
fn odd_machines_are_refused() {
    let mut world = world();
    let mut refused = |change: Value, words: expect_test::Expect| {
        words.assert_eq(&says(world.set::<Vm>("web", &change)));
    };
    refused(
        json!({"cdroms": [{"name": "root"}]}),
        expect![[r#"invalid spec.cdroms[0].name: two drives are named "root""#]],
    );
    refused(
        json!({"cdroms": [{"name": "cd0", "image": "debian"}]}),
        expect![[
            r#"invalid spec.cdroms[0].image: image "debian" is not an ISO image; `novacron image list` shows the kind of each"#
        ]],
    );
    refused(
        json!({"cdroms": [{"name": "cd0", "image": "none"}]}),
        expect![[
            r#"invalid spec.cdroms[0].image: image "none" does not exist; `novacron image list` shows what there is"#
        ]],
    );
    refused(
        json!({"boot": ["cd0"]}),
        expect![[r#"invalid spec.boot[0]: the VM has no drive "cd0"; drives that it has: root"#]],
    );
    refused(
        json!({"boot": ["root", "root"]}),
        expect![[r#"invalid spec.boot[1]: "root" is named twice"#]],
    );
    refused(
        json!({"notes": "x".repeat(9000)}),
        expect![[r#"invalid spec.notes: notes have at most 8192 bytes"#]],
    );
}

#[test]
fn an_iso_in_a_drive_is_kept() {
    let mut world = world();
    set(&mut world, &json!({"cdroms": [{"name": "cd0", "image": "dvd"}]}));
    let refused = world.delete::<novacron_model::Image>("dvd", false);
    assert!(says(refused).contains("VM \"web\""));
    set(&mut world, &json!({"cdroms": [{"name": "cd0"}]}));
    stop(&mut world);
    world.delete::<novacron_model::Image>("dvd", false).unwrap();
}

#[test]
fn a_protected_vm_stays() {
    let mut world = world();
    set(&mut world, &json!({"protected": true}));
    expect![[
        r#"conflict spec.protected: VM "web" is protected against deletion; delete it with --unprotect, if that is meant"#
    ]]
    .assert_eq(&says(world.delete::<Vm>("web", true)));
    set(&mut world, &json!({"protected": false}));
    world.delete::<Vm>("web", true).unwrap();
    world.run();
    assert!(world.find::<Vm>("web").is_none());
}

#[test]
fn a_protected_vm_goes_in_one_step_if_that_is_meant() {
    let mut world = world();
    set(&mut world, &json!({"protected": true}));
    let unprotect = DeleteOptions { unprotect: true, ..DeleteOptions::default() };
    assert!(says(world.delete_with::<Vm>("web", unprotect)).contains("is running"));
    assert!(world.get::<Vm>("web").spec.protected, "a refused deletion changes nothing");
    world.delete_with::<Vm>("web", DeleteOptions { force: true, ..unprotect }).unwrap();
    world.run();
    assert!(world.find::<Vm>("web").is_none());
}
