//! Where VMs, volumes and images go, and why some wait.

use expect_test::{Expect, expect};
use novacron_control::{coming, related};
use novacron_model::{Bytes, Image, Vm, Volume};
use novacron_store::Key;
use serde_json::json;

use super::world::World;

fn check(world: &World, expect: &Expect) {
    expect.assert_eq(&world.show());
}

#[test]
fn vms_spread_over_nodes_by_memory_left() {
    let mut world = World::new(&[("n1", 8, 9), ("n2", 8, 17)]);
    for name in ["a", "b", "c", "d"] {
        world.create::<Vm>(name, json!({"memory": Bytes::gib(4), "nics": []})).unwrap();
        world.run();
    }
    check(
        &world,
        &expect![[r#"
            vm a stopped on n2
            vm b stopped on n1
            vm c stopped on n2
            vm d stopped on n2
            cpu/n1 = 2000
            cpu/n2 = 6000
            memory/n1 = 4294967296
            memory/n2 = 12884901888
            vms/n1 = 1
            vms/n2 = 3
        "#]],
    );
}

#[test]
fn a_vm_that_fits_nowhere_says_why_and_moves_in_when_there_is_room() {
    let mut world = World::new(&[("n1", 1, 3), ("n2", 8, 3)]);
    world.create::<Vm>("a", json!({"memory": Bytes::gib(2), "cpus": 4, "nics": []})).unwrap();
    world.run();
    world.create::<Vm>("b", json!({"memory": Bytes::gib(1), "cpus": 8, "nics": []})).unwrap();
    let c = world.create::<Vm>("c", json!({"memory": Bytes::gib(2), "nics": []})).unwrap();
    world.run();
    let why = || coming::why_pending(&world.at(), &world.task(c).spec);
    assert!(why().unwrap().starts_with("no node fits: n1: "), "whoever waits is told");
    check(
        &world,
        &expect![[r#"
            vm a stopped on n1
            vm b stopped on n2
            vm c pending: no node fits: n1: it has less than 2 GiB of memory left; n2: it has less than 2 GiB of memory left
            cpu/n1 = 4000
            cpu/n2 = 8000
            memory/n1 = 2147483648
            memory/n2 = 1073741824
            vms/n1 = 1
            vms/n2 = 1
        "#]],
    );
    let gone = Key::from(world.key::<Vm>("a"));
    world.delete::<Vm>("a", true).unwrap();
    world.run();
    assert!(related(&world.at(), &gone).is_empty(), "c has moved in");
    check(
        &world,
        &expect![[r#"
            vm b stopped on n2
            vm c stopped on n1
            cpu/n1 = 2000
            cpu/n2 = 8000
            memory/n1 = 2147483648
            memory/n2 = 1073741824
            vms/n1 = 1
            vms/n2 = 1
        "#]],
    );
}

#[test]
fn without_a_node_everything_waits_for_one() {
    let mut world = World::new(&[]);
    world.create::<Vm>("a", json!({"disks": [{"name": "root", "size": 1 << 30}]})).unwrap();
    world.create::<Volume>("v", json!({"size": 1 << 30})).unwrap();
    world.create::<Image>("i", json!({"source": {"upload": {}}})).unwrap();
    world.run();
    check(
        &world,
        &expect![[r#"
        vm a pending: no node is there yet
        volume a-root creating for a
        volume v creating
        image i importing
    "#]],
    );
    world.add_node("n1", 4, Bytes::gib(8));
    world.run_driven();
    check(
        &world,
        &expect![[r#"
        vm a stopped on n1
        volume a-root ready on n1 for a
        volume v ready on n1
        image i importing on n1
        cpu/n1 = 2000
        memory/n1 = 2147483648
        vms/n1 = 1
    "#]],
    );
}

#[test]
fn a_vm_goes_where_its_disks_are() {
    let mut world = World::new(&[("n1", 8, 9), ("n2", 8, 64)]);
    world.image("debian", Some(3));
    world.create::<Volume>("far", json!({"size": 1 << 30})).unwrap();
    world.run();
    world.create::<Vm>("a", json!({"image": "debian"})).unwrap();
    world.run();
    let disks = json!([{"name": "root"}, {"name": "far", "volume": "far"}]);
    world.create::<Vm>("b", json!({"image": "debian", "disks": disks})).unwrap();
    world.run();
    check(
        &world,
        &expect![[r#"
        vm a stopped on n1
        vm b pending: no node fits: n1: volume "far" is on node "n2"; n2: image "debian" is on node "n1"
        volume a-root ready on n1 for a
        volume b-root creating for b
        volume far ready on n2 for b
        image debian ready on n1
        cpu/n1 = 2000
        memory/n1 = 2147483648
        vms/n1 = 1
    "#]],
    );
}

#[test]
fn capacity_counts_overcommit_and_what_the_host_keeps() {
    let mut world = World::new(&[("n1", 2, 64)]);
    for n in 0..5 {
        world.create::<Vm>(&format!("a{n}"), json!({"cpus": 2, "nics": []})).unwrap();
    }
    world.run();
    check(
        &world,
        &expect![[r#"
        vm a0 stopped on n1
        vm a1 stopped on n1
        vm a2 stopped on n1
        vm a3 stopped on n1
        vm a4 pending: no node fits: n1: it has less than 2 CPUs left
        cpu/n1 = 8000
        memory/n1 = 8589934592
        vms/n1 = 4
    "#]],
    );
}
