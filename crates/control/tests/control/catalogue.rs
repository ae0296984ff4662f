//! Entries of the catalogue: imported with whoever uses them first, and waited for.

use expect_test::expect;
use novacron_control::{self as control, Resource, task};
use novacron_model::image::{ImageSource, ImageState};
use novacron_model::request::{Draft, DraftMeta};
use novacron_model::vm::VmState;
use novacron_model::{Bytes, Image, Task, Vm, Volume};
use novacron_store::CommitError;
use serde_json::{Value, json};

use crate::world::{World, says};

fn report(world: &mut World, content: &Value) {
    world.report(&world.key::<Image>("debian-12"), "content", content);
    world.run_driven();
}

fn arrives(world: &mut World, kind: &str, virtual_size: Bytes) {
    let ready = world.now.to_string();
    report(world, &json!({"kind": kind, "ready": ready, "virtual_size": virtual_size}));
}

fn fails(world: &mut World) {
    let error = json!({"code": "unavailable", "message": "cannot reach the source of debian/12"});
    report(world, &json!({"kind": "disk", "error": error}));
}

/// State and reason of a VM.
fn state(world: &World, name: &str) -> (VmState, String) {
    let status = world.get::<Vm>(name).status;
    (status.state, status.reason.unwrap_or_default())
}

#[test]
fn a_vm_waits_for_the_image_that_it_brings() {
    let mut world = World::single();
    let task = world.create::<Vm>("web", json!({"image": "debian/12", "run": "running"})).unwrap();
    world.run_driven();
    let image = world.get::<Image>("debian-12");
    assert_eq!(image.spec.source, ImageSource::Catalogue("debian/12".into()));
    assert!(image.status.location.is_some(), "a node imports it");
    let vm = world.get::<Vm>("web");
    assert_eq!(vm.spec.image.as_ref().unwrap().as_str(), "debian-12", "stored is the name");
    let waiting = (VmState::Pending, r#"waiting for image "debian-12""#.to_owned());
    assert_eq!(state(&world, "web"), waiting);
    assert_eq!(world.outcome(task), "running");
    let target = world.task(task).spec;
    assert_eq!(control::coming::awaited_by(&world.at(), &target), Some(image.meta.uid));

    arrives(&mut world, "disk", Bytes::gib(12));
    assert_eq!(state(&world, "web").0, VmState::Running);
    assert_eq!(world.outcome(task), "succeeded");
    assert_eq!(world.get::<Volume>("web-root").spec.size, Bytes::gib(12), "as large as the image");
}

#[test]
fn two_vms_at_once_bring_one_image() {
    let mut world = World::single();
    let draft = |name: &str| Draft::<Vm> {
        meta: DraftMeta { name: name.into(), ..DraftMeta::default() },
        spec: serde_json::from_value(json!({"image": "debian/12"})).unwrap(),
    };
    // Both are admitted on the same snapshot.
    let one = world.admit(|request| Vm::create(request, draft("one"))).unwrap();
    let two = world.admit(|request| Vm::create(request, draft("two"))).unwrap();
    world.commit(&one.txn).unwrap();
    assert!(matches!(world.commit(&two.txn), Err(CommitError::Precondition { .. })));
    world.ask(|request| Vm::create(request, draft("two"))).unwrap();
    let imports = world.list::<Image>().len();
    assert_eq!((imports, world.list::<Task>().len()), (1, 3), "one import, two creations");
    arrives(&mut world, "disk", Bytes::gib(2));
    for name in ["one", "two"] {
        assert_eq!(state(&world, name).0, VmState::Stopped);
    }
}

#[test]
fn a_failed_import_is_told_and_whoever_waits_goes_on_with_the_next() {
    let mut world = World::single();
    let spec = json!({"image": "debian/12", "run": "running"});
    let task = world.create::<Vm>("web", spec.clone()).unwrap();
    let disk = world.create::<Volume>("data", json!({"image": "debian/12"})).unwrap();
    world.run_driven();
    fails(&mut world);
    let reason = "cannot reach the source of debian/12".to_owned();
    assert_eq!(state(&world, "web"), (VmState::Pending, reason));
    for task in [task, disk] {
        let error = world.task(task).status.outcome.unwrap().error.unwrap();
        assert_eq!(error.hint.unwrap(), "`novacron image import debian/12` tries again");
    }
    let mut data = world.get::<Volume>("data");
    Volume::complete(&world.at(), &mut data);
    assert_eq!(data.status.reason.unwrap(), "cannot reach the source of debian/12");
    let failed = world.get::<Image>("debian-12");

    // Another file under its name, or another try, is the same image to its users.
    let again = world.create::<Vm>("again", spec).unwrap();
    assert_eq!(world.get::<Image>("debian-12").status.state, ImageState::Importing);
    world.run_driven();
    fails(&mut world);
    assert!(world.outcome(again).starts_with("failed"));
    world.create::<Image>("debian-12", json!({"source": {"upload": {}}})).unwrap();
    world.run_driven();
    assert_eq!(world.get::<Image>("debian-12").meta.uid, failed.meta.uid);
    assert_eq!(state(&world, "web").1, r#"waiting for image "debian-12""#);
    arrives(&mut world, "disk", Bytes::gib(2));
    assert_eq!(state(&world, "web").0, VmState::Running);
    assert_eq!(state(&world, "again").0, VmState::Running);
    assert_eq!(world.get::<Volume>("data").spec.size, Bytes::gib(2));
    assert!(world.get::<Volume>("data").status.location.is_some());
    let users = says(world.delete::<Image>("debian-12", false));
    assert!(users.contains("is used by"), "{users}");
}

#[test]
fn what_turns_out_to_have_no_disk_boots_without_one() {
    let mut world = World::single();
    let bare = json!({"image": "debian/12", "run": "running"});
    let sized = json!({"image": "debian/12", "disks": [{"name": "root", "size": 1_u64 << 30}]});
    let task = world.create::<Vm>("bare", bare).unwrap();
    world.create::<Vm>("sized", sized).unwrap();
    world.run_driven();
    arrives(&mut world, "bundle", Bytes(0));
    assert_eq!(state(&world, "bare").0, VmState::Running);
    assert_eq!(world.outcome(task), "succeeded");
    assert!(world.get::<Vm>("bare").spec.disks.is_empty());
    assert!(world.find::<Volume>("bare-root").is_none());
    let blank = world.get::<Volume>("sized-root").spec;
    assert_eq!((blank.image, blank.size), (None, Bytes::gib(1)));
}

#[test]
fn what_cannot_start_from_the_image_that_came_says_so() {
    let mut world = World::single();
    let small = json!({"image": "debian/12", "disks": [{"name": "root", "size": 1_u64 << 30}]});
    let task = world.create::<Vm>("web", small).unwrap();
    world.run_driven();
    arrives(&mut world, "disk", Bytes::gib(2));
    let why = r#"1 GiB is less than the 2 GiB of image "debian-12""#.to_owned();
    assert_eq!(state(&world, "web"), (VmState::Pending, why));
    assert!(world.outcome(task).starts_with("failed"));
    world.delete::<Vm>("web", false).unwrap();
    world.run_driven();
    assert!(world.find::<Vm>("web").is_none() && world.find::<Volume>("web-root").is_none());
}

#[test]
fn an_import_that_is_waited_for_is_not_cancelled() {
    let mut world = World::single();
    let import = json!({"source": {"catalogue": "debian/12"}});
    let task = world.create::<Image>("debian-12", import).unwrap();
    world.create::<Vm>("web", json!({"image": "debian-12"})).unwrap();
    let task = world.task(task);
    expect![[
        r#"conflict image "debian-12" is used by VM "web", volume "web-root"; delete them first"#
    ]]
    .assert_eq(&says(world.ask(|request| task::cancel(request, &task))));
}

#[test]
fn an_entry_that_the_catalogue_lacks_is_refused() {
    let mut world = World::single();
    let refused = world.ask(|request| {
        request.published.entries = Some(Vec::new());
        let meta = DraftMeta { name: "web".into(), ..DraftMeta::default() };
        let spec = serde_json::from_value(json!({"image": "debian/99"})).unwrap();
        Vm::create(request, Draft { meta, spec })
    });
    expect![[
        r#"invalid spec.image: the catalogue has no "debian/99"; `novacron image catalogue` lists what there is"#
    ]]
    .assert_eq(&says(refused));
}
