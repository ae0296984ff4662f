//! Clones of volumes and VMs: what is refused, what waits, what stays until a copy is ready.

use expect_test::{Expect, expect};
use novacron_control::{DeleteOptions, vm};
use novacron_model::request::{CloneRequest, RestoreRequest, StopRequest};
use novacron_model::vm::Run;
use novacron_model::{Bytes, Error, Image, Name, Snapshot, Vm, Volume};
use novacron_store::CommitError;
use serde_json::{Value, json};
use uuid::Uuid;

use super::agent;
use super::world::{World, says};

/// A stopped VM `web` with root disk and a volume `data`, and a volume `spare`.
fn world() -> World {
    let mut world = World::single();
    world.image("debian", Some(3));
    world.create::<Volume>("data", json!({"size": 1 << 30})).unwrap();
    world.create::<Volume>("spare", json!({"size": 1 << 30, "format": "raw"})).unwrap();
    let nics = json!([{"ports": [{"host": 8080, "guest": 80}]}]);
    let disks = json!([{"name": "root"}, {"name": "data", "volume": "data", "bus": "sata"}]);
    let cloud_init = json!({"hostname": "web.example", "password": "x"});
    let spec = json!({"image": "debian", "nics": nics, "disks": disks, "protected": true,
        "cloud_init": cloud_init, "notes": "the shop"});
    world.create::<Vm>("web", spec).unwrap();
    world.run();
    world
}

fn start(world: &mut World) {
    world.verb("web", vm::start).unwrap();
    world.run();
}

fn clone(world: &mut World, name: &str, snapshot: Option<&str>) -> Result<Option<Uuid>, Error> {
    let snapshot = snapshot.map(|name| Name::new(name).unwrap());
    let body = CloneRequest { name: Name::new(name).unwrap(), snapshot, run: Run::Stopped };
    world.verb("web", |request, vm| vm::clone(request, vm, &body))
}

fn copy(world: &mut World, name: &str, spec: Value) -> Result<Option<Uuid>, Error> {
    world.create::<Volume>(name, spec)
}

fn check<T: std::fmt::Debug>(result: Result<T, Error>, expect: &Expect) {
    expect.assert_eq(&says(result));
}

#[test]
fn a_clone_has_the_machine_and_none_of_what_must_differ() {
    let mut world = world();
    let task = clone(&mut world, "web2", None).unwrap();
    world.run();
    assert_eq!(world.outcome(task), "succeeded");
    let (web, web2) = (world.get::<Vm>("web"), world.get::<Vm>("web2"));
    assert_ne!(web.meta.uid, web2.meta.uid);
    expect![[r#"
        {
          "run": "stopped",
          "cpus": 2,
          "memory": 2147483648,
          "image": "debian",
          "disks": [
            {
              "name": "root",
              "volume": "web2-root",
              "owned": true
            },
            {
              "name": "data",
              "volume": "web2-data",
              "owned": true,
              "bus": "sata"
            }
          ],
          "nics": [
            {
              "network": "user",
              "ports": []
            }
          ],
          "cloud_init": {
            "ssh_keys": [],
            "password": {
              "sealed": "sealed x"
            }
          },
          "restart": "on_failure",
          "preset": "linux",
          "firmware": "bios",
          "tpm": false,
          "cdroms": [],
          "boot": [],
          "protected": false,
          "notes": "the shop"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&web2.spec).unwrap());
    let log: Vec<_> = world.task(task).status.log.into_iter().map(|line| line.text).collect();
    assert_eq!(log, ["port 8080 of the host, to 80, stays with VM \"web\""]);
    let root = world.get::<Volume>("web2-root");
    assert_eq!(
        (root.spec.size.0, root.spec.image.map(|name| name.to_string())),
        (10 << 30, Some("debian".into()))
    );
    assert_eq!(root.status.copying, None, "it is ready");
}

#[test]
fn what_cannot_be_cloned_is_refused() {
    let mut world = world();
    start(&mut world);
    let of = |name: &str| json!({"source": {"volume": name}});
    check(
        copy(&mut world, "x", of("data")),
        &expect![[
            r#"conflict spec.source.volume: VM "web" is running; stop it first, or clone one of its snapshots with --snapshot"#
        ]],
    );
    check(
        copy(&mut world, "x", of("none")),
        &expect![[
            r#"invalid spec.source.volume: volume "none" does not exist; `novacron volume list` shows what there is"#
        ]],
    );
    check(
        copy(&mut world, "x", of("spare")),
        &expect![[r#"invalid spec.format: a copy has the format of its source: raw"#]],
    );
    let small = json!({"source": {"volume": "spare"}, "format": "raw", "size": 1 << 20});
    check(
        copy(&mut world, "x", small),
        &expect![[r#"invalid spec.size: 1 MiB is less than the 1 GiB of volume "spare""#]],
    );
    let other = json!({"source": {"volume": "spare"}, "format": "raw", "image": "debian"});
    check(
        copy(&mut world, "x", other),
        &expect![[
            r#"invalid spec.image: a copy has the image of its source, which need not be named"#
        ]],
    );
    let at = |name: &str, format: &str| json!({"source": {"volume": name, "snapshot": "s"}, "format": format});
    check(
        copy(&mut world, "x", at("spare", "raw")),
        &expect![[r#"conflict spec.source.snapshot: volume "spare" is raw and has no snapshots"#]],
    );
    check(
        copy(&mut world, "x", at("data", "qcow2")),
        &expect![[r#"not_found spec.source.snapshot: snapshot "web.s" does not exist"#]],
    );
    check(
        clone(&mut world, "web2", Some("s")),
        &expect![[r#"not_found snapshot: snapshot "web.s" does not exist"#]],
    );
    check(
        clone(&mut world, "web", Some("s")),
        &expect![[r#"conflict name: VM "web" exists already"#]],
    );
    assert_eq!(world.list::<Volume>().len(), 3);
}

#[test]
fn a_snapshot_of_a_running_vm_is_cloned() {
    let mut world = world();
    start(&mut world);
    world.create::<Snapshot>("web.before", json!({"vm": "web"})).unwrap();
    check(
        clone(&mut world, "web2", Some("before")),
        &expect![[r#"conflict snapshot: snapshot "web.before" is not ready"#]],
    );
    world.run();
    let task = clone(&mut world, "web2", Some("before")).unwrap();
    let copy = world.get::<Volume>("web2-root").meta.uid;
    let spec = world.task(task).spec;
    let awaited = novacron_control::coming::awaited_by(&world.at(), &spec);
    assert_eq!(awaited, Some(copy), "its progress is the task's");
    let kept = expect![[
        r#"conflict snapshot "web.before" is being copied into volume "web2-data", volume "web2-root"; wait until that is ready, or delete it"#
    ]];
    check(world.delete::<Snapshot>("web.before", false), &kept);
    world.run();
    assert_eq!(world.outcome(task), "succeeded");
    world.delete::<Snapshot>("web.before", false).unwrap();
}

#[test]
fn a_running_vm_is_cloned_by_a_snapshot_that_goes_again() {
    for wanted in [true, false] {
        let mut world = world();
        start(&mut world);
        let task = clone(&mut world, "web2", None).unwrap();
        let log: Vec<_> = world.task(task).status.log.into_iter().map(|line| line.text).collect();
        let name = world.list::<Snapshot>()[0].meta.name.clone();
        let said = format!("snapshot \"{name}\" is taken for it and goes afterwards");
        assert_eq!(log.last(), Some(&said));
        world.drive();
        let place = world.get::<Volume>("web2-root").status.location;
        assert_eq!(place, None, "the snapshot is not taken yet");
        let reason = world.get::<Vm>("web2").status.reason;
        assert_eq!(reason, Some(format!("waiting for snapshot \"{name}\"")));
        if !wanted {
            world.delete::<Vm>("web2", false).unwrap();
        }
        world.run_driven();
        assert_eq!(world.outcome(task).starts_with("succeeded"), wanted);
        assert!(world.list::<Snapshot>().is_empty(), "{}", world.show());
        assert_eq!(world.find::<Vm>("web2").is_some(), wanted);
    }
}

#[test]
fn a_clone_whose_snapshot_fails_says_so() {
    let mut world = world();
    start(&mut world);
    let task = clone(&mut world, "web2", None).unwrap();
    let name = world.list::<Snapshot>()[0].meta.name.clone();
    let error = json!({"error": {"code": "storage_full", "message": "full"}});
    world.report(&world.key::<Snapshot>(&name), "data", &error);
    world.run_driven();
    let why = format!("failed: snapshot \"{name}\" cannot be copied: full");
    assert_eq!(world.outcome(task), why);
    world.delete::<Vm>("web2", false).unwrap();
    world.run_driven();
    assert!(world.list::<Snapshot>().is_empty(), "it goes with the clone");
}

#[test]
fn a_raw_disk_of_a_running_vm_is_not_cloned() {
    let mut world = world();
    let disks = json!([{"name": "a", "volume": "spare"}]);
    world.create::<Vm>("flat", json!({"disks": disks, "run": "running"})).unwrap();
    world.run();
    let body = CloneRequest { name: Name::new("x").unwrap(), snapshot: None, run: Run::Stopped };
    let refused = world.verb("flat", |request, vm| vm::clone(request, vm, &body));
    check(
        refused,
        &expect![[
            r#"conflict volume "spare" is raw and has no snapshots; stop its VM, then clone that"#
        ]],
    );
}

#[test]
fn nothing_that_is_being_copied_changes_or_goes() {
    let mut world = world();
    world.create::<Snapshot>("web.before", json!({"vm": "web"})).unwrap();
    world.run();
    copy(&mut world, "copy", json!({"source": {"volume": "data"}})).unwrap();
    let busy = expect![[
        r#"conflict volume "data" is being copied into volume "copy"; wait until that is ready, or delete it"#
    ]];
    let go = DeleteOptions { force: true, unprotect: true };
    check(world.delete_with::<Vm>("web", go), &busy);
    check(world.set::<Volume>("data", &json!({"size": 2_u64 << 30})), &busy);
    let body = RestoreRequest { snapshot: Name::new("before").unwrap(), stop: false };
    check(world.verb("web", |request, vm| vm::restore(request, vm, &body)), &busy);
    copy(&mut world, "copy2", json!({"source": {"volume": "spare"}, "format": "raw"})).unwrap();
    let busy = expect![[
        r#"conflict volume "spare" is being copied into volume "copy2"; wait until that is ready, or delete it"#
    ]];
    check(world.delete::<Volume>("spare", false), &busy);
    // The copy that is no longer wanted gives way.
    world.delete::<Volume>("copy", false).unwrap();
    world.run();
    world.delete_with::<Vm>("web", go).unwrap();
    world.run();
    world.delete::<Volume>("spare", false).unwrap();
    world.run();
    assert_eq!(
        world.list::<Volume>().iter().map(novacron_model::Object::name).collect::<Vec<_>>(),
        ["copy2", "data"]
    );
}

/// Whoever decides on an older state is refused by the store.
#[test]
fn a_deletion_and_a_copy_at_the_same_moment_do_not_both_happen() {
    for copy_first in [true, false] {
        let mut world = world();
        let old = world.get::<Volume>("spare");
        let source = json!({"source": {"volume": "spare"}, "format": "raw"});
        let copy = world.admit(|request| create(request, "copy", source)).unwrap();
        let delete = world.admit(|request| {
            novacron_control::Resource::delete(request, &old, DeleteOptions::default())
        });
        let delete = delete.unwrap();
        let (first, second) = if copy_first { (copy, delete) } else { (delete, copy) };
        world.commit(&first.txn).unwrap();
        let late = world.commit(&second.txn);
        assert!(matches!(late, Err(CommitError::Precondition { .. })), "{late:?}");
    }
}

fn create(
    request: &mut novacron_control::Request<'_>,
    name: &str,
    spec: Value,
) -> Result<novacron_control::Admitted, Error> {
    use novacron_model::request::{Draft, DraftMeta};
    let meta = DraftMeta { name: name.to_owned(), ..DraftMeta::default() };
    let spec = serde_json::from_value(spec).unwrap();
    novacron_control::Resource::create(request, Draft::<Volume> { meta, spec })
}

#[test]
fn a_copy_waits_for_its_source_and_goes_to_its_node() {
    let mut world = World::new(&[("n1", 8, 64), ("n2", 8, 64)]);
    world.create::<Volume>("data", json!({"size": 1 << 30})).unwrap();
    copy(&mut world, "copy", json!({"source": {"volume": "data"}})).unwrap();
    let task = copy(&mut world, "copy2", json!({"source": {"volume": "copy"}})).unwrap();
    world.settle();
    let place = |world: &World, name: &str| {
        world.get::<Volume>(name).status.location.map(|location| location.node)
    };
    let node = place(&world, "data");
    assert!(node.is_some());
    assert_eq!((place(&world, "copy"), place(&world, "copy2")), (None, None));
    let mut waiting = world.get::<Volume>("copy2");
    <Volume as novacron_control::Resource>::complete(&world.at(), &mut waiting);
    assert_eq!(waiting.status.reason.as_deref(), Some("waiting for volume \"copy\""));
    world.run_driven();
    assert_eq!((place(&world, "copy"), place(&world, "copy2")), (node.clone(), node));
    assert_eq!(world.outcome(task), "succeeded");
}

#[test]
fn a_copy_of_what_could_not_be_made_fails() {
    let mut world = world();
    world.create::<Volume>("bad", json!({"size": 1 << 30})).unwrap();
    let task = copy(&mut world, "copy", json!({"source": {"volume": "bad"}})).unwrap();
    let error = json!({"ready": null, "error": {"code": "storage_full", "message": "full"}});
    world.drive();
    world.report(&world.key::<Volume>("bad"), "data", &error);
    world.drive();
    assert_eq!(world.outcome(task), "failed: volume \"bad\" cannot be copied: full");
    check(
        copy(&mut world, "late", json!({"source": {"volume": "bad"}})),
        &expect![[r#"storage_full spec.source.volume: volume "bad" cannot be copied: full"#]],
    );
}

#[test]
fn a_schedule_keeps_the_snapshot_that_is_being_copied() {
    let mut world = world();
    world.set::<Vm>("web", &json!({"snapshots": {"hourly": 1}})).unwrap();
    world.run();
    let hour = |world: &mut World| {
        world.pass(3600);
        world.run();
        world.list::<Snapshot>()
    };
    let first = hour(&mut world).remove(0);
    let short = first.name().split_once('.').unwrap().1.to_owned();
    clone(&mut world, "web2", Some(&short)).unwrap();
    // Its node does nothing for an hour.
    world.pass(3600);
    world.settle();
    let taken: Vec<_> = world.list::<Snapshot>();
    assert_eq!(taken.len(), 2);
    let second = taken.iter().find(|snapshot| snapshot.name() != first.name()).unwrap();
    let data = json!({"taken": world.now.to_string(), "volumes": []});
    world.report(&world.key::<Snapshot>(second.name()), "data", &data);
    world.settle();
    assert!(world.get::<Snapshot>(first.name()).meta.deleting.is_none(), "it is being copied");
    world.run();
    hour(&mut world);
    assert!(world.find::<Snapshot>(first.name()).is_none());
}

#[test]
fn a_clone_that_is_to_run_does() {
    let mut world = world();
    let body = CloneRequest { name: Name::new("web2").unwrap(), snapshot: None, run: Run::Running };
    let task = world.verb("web", |request, vm| vm::clone(request, vm, &body)).unwrap();
    world.run_driven();
    assert_eq!(world.outcome(task), "succeeded");
    let stop = StopRequest { timeout: None, force: true };
    world.verb("web2", |request, vm| vm::stop(request, vm, &stop)).unwrap();
    let body = CloneRequest { run: Run::Paused, ..body };
    let refused = world.verb("web", |request, vm| vm::clone(request, vm, &body));
    check(refused, &expect![[r#"invalid run: a new VM is running or stopped"#]]);
    let _ = agent::work(&mut world);
}

/// An image of a whole VM with the disks `root` and `data`.
fn image_of_a_vm(world: &mut World) {
    world.image_of_kind("whole", "bundle", Bytes::gib(2));
    let machine = json!({
        "name": "old", "cpus": 1, "memory": 1 << 30,
        "disks": [{"name": "root", "size": 2_u64 << 30}, {"name": "data", "size": 1_u64 << 30}],
    });
    let ready = world.now.to_string();
    let content = json!({
        "kind": "bundle", "ready": ready, "virtual_size": 2_u64 << 30, "machine": machine,
    });
    world.report(&world.key::<Image>("whole"), "content", &content);
    world.run();
}

#[test]
fn a_copy_lies_over_the_same_disk_of_its_image() {
    let mut world = world();
    image_of_a_vm(&mut world);
    let spec = json!({"image": "whole", "image_disk": "data"});
    world.create::<Volume>("second", spec).unwrap();
    world.run();
    copy(&mut world, "third", json!({"source": {"volume": "second"}})).unwrap();
    let spec = world.get::<Volume>("third").spec;
    assert_eq!(spec.image_disk.unwrap().as_str(), "data");
    let other = json!({"source": {"volume": "second"}, "image": "whole", "image_disk": "root"});
    check(
        copy(&mut world, "fourth", other),
        &expect!["invalid spec.image: a copy has the image of its source, which need not be named"],
    );
}

#[test]
fn a_vm_of_an_image_that_names_its_disks_gets_no_further_one() {
    let mut world = world();
    image_of_a_vm(&mut world);
    for name in ["mine", "yours"] {
        world.create::<Volume>(name, json!({"size": 1_u64 << 30})).unwrap();
    }
    world.run();
    let disks = json!([{"name": "system", "volume": "mine"}, {"name": "more", "volume": "yours"}]);
    world.create::<Vm>("own", json!({"image": "whole", "disks": disks})).unwrap();
    let disks = world.get::<Vm>("own").spec.disks;
    assert_eq!(disks.iter().map(|disk| disk.name.as_str()).collect::<Vec<_>>(), ["system", "more"]);
}

#[test]
fn what_is_being_copied_is_attached_to_no_guest() {
    let mut world = world();
    world.create::<Volume>("free", json!({"size": 1_u64 << 30})).unwrap();
    world.run();
    copy(&mut world, "taken", json!({"source": {"volume": "free"}})).unwrap();
    let body = novacron_model::request::AttachRequest {
        volume: Name::new("free").unwrap(),
        disk: None,
        bus: None,
    };
    check(
        world.verb("web", |request, vm| vm::attach(request, vm, &body)),
        &expect![[
            r#"conflict volume "free" is being copied into volume "taken"; wait until that is ready, or delete it"#
        ]],
    );
}

#[test]
fn a_snapshot_that_lacks_a_disk_is_not_waited_for() {
    let mut world = world();
    start(&mut world);
    let task = clone(&mut world, "web2", None).unwrap();
    world.settle();
    let snapshot = world.list::<Snapshot>().remove(0);
    let taken = json!({"taken": world.now.to_string(), "volumes": ["another"]});
    world.report(&world.key::<Snapshot>(snapshot.name()), "data", &taken);
    world.run();
    let outcome = world.outcome(task);
    assert!(outcome.contains("does not hold volume \"web-root\""), "{outcome}");
}
