//! What a deletion takes along, in which order, and that nothing is left behind.

use expect_test::expect;
use novacron_control::{Resource, task};

use novacron_model::task::Action;
use novacron_model::{Image, Snapshot, Vm, Volume};
use serde_json::json;

use super::agent;
use super::world::World;

fn world() -> World {
    let mut world = World::single();
    world.image("debian", Some(3));
    world.create::<Volume>("data", json!({"size": 1 << 30})).unwrap();
    let disks = json!([{"name": "root"}, {"name": "data", "volume": "data"}]);
    world
        .create::<Vm>("web", json!({"image": "debian", "disks": disks, "run": "running"}))
        .unwrap();
    world.run();
    world.create::<Snapshot>("web.before", json!({"vm": "web"})).unwrap();
    world.run();
    world
}

#[test]
fn the_preview_tells_what_goes_and_what_stays() {
    let world = world();
    let preview = Vm::preview_delete(&world.at(), &world.get("web"));
    let names = |list: &[novacron_model::ObjectRef]| {
        list.iter().map(|each| each.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&preview.goes), ["web-root", "web.before"]);
    assert_eq!(names(&preview.stays), ["data"]);
}

#[test]
fn a_vm_goes_with_its_own_volumes_and_leaves_the_others() {
    let mut world = world();
    let deletion = world.delete::<Vm>("web", true).unwrap();
    assert_eq!(world.outcome(deletion), "running");
    world.run();
    assert_eq!(world.outcome(deletion), "succeeded");
    expect![[r#"
        volume data ready on n1
        image debian ready on n1
    "#]]
    .assert_eq(&world.show());
    world.delete::<Image>("debian", false).unwrap();
    world.run();
    assert!(world.find::<Image>("debian").is_none());
}

#[test]
fn a_vm_is_listed_until_its_disks_are_gone() {
    let mut world = world();
    world.delete::<Vm>("web", true).unwrap();
    world.settle();
    let vm = world.get::<Vm>("web");
    agent::work_on_vm(&mut world, &vm);
    world.settle();
    assert!(world.find::<Vm>("web").is_some(), "its root volume is still there");
    world.run();
    assert!(world.find::<Volume>("web-root").is_none());
    world.create::<Vm>("web", json!({"image": "debian"})).unwrap();
}

#[test]
fn a_pending_vm_goes_at_once() {
    let mut world = World::new(&[]);
    world.create::<Vm>("a", json!({"disks": [{"name": "root", "size": 1 << 30}]})).unwrap();
    world.settle();
    let deletion = world.delete::<Vm>("a", false).unwrap();
    world.settle();
    assert_eq!(world.outcome(deletion), "succeeded");
    assert_eq!(world.show(), "");
}

#[test]
fn asking_twice_is_asking_once() {
    let mut world = world();
    let once = world.delete::<Vm>("web", true).unwrap();
    let twice = world.delete::<Vm>("web", true).unwrap();
    assert_eq!(once, twice);
    let vm = world.get::<Vm>("web");
    let home = world.project().meta.uid;
    assert_eq!(task::open_for(&world.at(), home, &vm, Action::Delete), once);
}

#[test]
fn a_deleted_snapshot_leaves_when_its_node_has_cleaned_up() {
    let mut world = world();
    let deletion = world.delete::<Snapshot>("web.before", false).unwrap();
    world.settle();
    assert_eq!(world.outcome(deletion), "running");
    world.run();
    assert_eq!(world.outcome(deletion), "succeeded");
}

#[test]
fn sections_of_objects_that_are_gone_are_swept() {
    let mut world = World::single();
    let family = world.key::<Vm>("ghost");
    world.report(&family, "runtime", &json!({"state": "running"}));
    world.settle();
    assert!(world.at().family(&family).is_empty());
}

#[test]
fn a_new_object_inherits_nothing_from_one_of_its_name() {
    let mut world = World::single();
    let family = world.key::<Vm>("ghost");
    world.report(&family, "runtime", &json!({"state": "running"}));
    world.create::<Vm>("ghost", json!({})).unwrap();
    assert_eq!(world.get::<Vm>("ghost").status.runtime, None);
}
