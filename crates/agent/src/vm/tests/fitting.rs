//! What a live guest is given next, and what is left alone meanwhile.

use novacron_model::vm::{Disk, LiveChange};

use super::*;

fn disk(name: &str) -> Disk {
    serde_json::from_value(serde_json::json!({"name": name, "volume": name})).unwrap()
}

/// A guest without disks, which is to have these.
fn wants(names: &[&str]) -> Scene {
    let mut scene = running();
    scene.runtime.hardware = Some(scene.vm.spec.hardware());
    scene.vm.spec.disks = names.iter().map(|name| disk(name)).collect();
    scene
}

fn attach(name: &str) -> Step {
    Step::Do(Effect::Change(LiveChange::Attach(disk(name))))
}

fn detach(name: &str) -> Step {
    Step::Do(Effect::Change(LiveChange::Detach(disk(name))))
}

/// The scene after the next step, which has this end; and what the step was.
fn tried(scene: &Scene, error: Option<&str>) -> (Step, Scene) {
    let Decision { runtime, then } = scene.decide();
    let scene = Scene { runtime, ..scene.clone() };
    let Step::Do(effect) = &then else { panic!("nothing to do: {then:?}") };
    let error = error.map(Error::conflict);
    let (runtime, memory) = after(&scene.view(), effect, error.as_ref());
    (then, Scene { runtime, memory, ..scene })
}

#[test]
fn an_attachment_that_fails_is_taken_back_and_holds_up_only_other_disks() {
    let (step, scene) = tried(&wants(&["data", "logs"]), Some("no slot is free"));
    assert_eq!(step, attach("data"));
    let (step, mut scene) = tried(&scene, Some("the guest does not listen"));
    assert_eq!(step, detach("data"));
    assert_eq!(scene.step(), wait(10));
    assert_eq!(scene.runtime.plugging, Some(disk("data")), "it may be open");
    let work = SnapshotWork { name: "web.a".into(), uid: Uuid::from_u128(1), delete: false };
    scene.snapshots = vec![work.clone()];
    assert_eq!(scene.step(), Step::Do(Effect::Snapshot(work)));
    scene.snapshots.clear();
    // What the guest was asked to give up it may give up later: not attached before that.
    scene.vm.meta.generation += 1;
    assert_eq!(scene.step(), wait(10));
    scene.uptime += Duration::from_secs(10);
    let (step, scene) = tried(&scene, None);
    assert_eq!((step, scene.step()), (detach("data"), attach("data")));
    let forgotten = Scene { memory: Memory::default(), ..tried(&scene, Some("no slot")).1 };
    assert_eq!(forgotten.step(), detach("data"), "by the next daemon, too");
}

#[test]
fn what_was_taken_back_makes_way_for_others() {
    let (_, scene) = tried(&wants(&["data", "logs"]), Some("no slot is free"));
    let (step, scene) = tried(&scene, None);
    assert_eq!((step, scene.step()), (detach("data"), attach("logs")));
    assert_eq!(scene.runtime.refused[0].error.message, "no slot is free");
}

#[test]
fn a_disk_that_may_have_come_and_is_wanted_no_more_goes_like_any_other() {
    let mut scene = wants(&[]);
    scene.runtime.plugging = Some(disk("data"));
    let (step, scene) = tried(&scene, Some("the guest does not let go"));
    assert_eq!(step, detach("data"));
    assert_eq!(scene.runtime.refused[0].device, "data", "whoever waits is told");
    assert_eq!(scene.step(), wait(10));
    let again = Scene { uptime: scene.uptime + Duration::from_secs(10), ..scene };
    let (step, scene) = tried(&again, None);
    assert_eq!((step, scene.step()), (detach("data"), Step::Wait(None)));
    assert!(scene.runtime.hardware.unwrap().disks.is_empty());
}

#[test]
fn a_disk_that_does_not_come_keeps_no_other_from_coming() {
    let state = Disks::Failed("volume \"bad\": full".into());
    let bad = Unready { disk: Name::new("bad").unwrap(), state };
    let (step, scene) = tried(&Scene { unready: vec![bad], ..wants(&["bad", "good"]) }, None);
    assert_eq!((step, scene.step()), (attach("good"), Step::Wait(None)));
    let refused = &scene.runtime.refused[0];
    assert_eq!((&*refused.device, &*refused.error.message), ("bad", "volume \"bad\": full"));
}

#[test]
fn what_is_refused_again_and_again_is_tried_ever_less() {
    let mut scene = wants(&["data"]);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let (step, refused) = tried(&scene, Some("no slot is free"));
        assert_eq!(step, attach("data"));
        scene = tried(&refused, None).1;
        let Step::Wait(Some(pause)) = scene.step() else { panic!("{:?}", scene.step()) };
        pauses.push(pause.as_secs());
        scene.uptime += pause;
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
    scene.uptime -= Duration::from_secs(1);
    scene.vm.meta.generation += 1;
    assert_eq!(scene.step(), attach("data"), "the user has said something new");
}

#[test]
fn a_nic_that_cannot_be_plugged_in_holds_up_nothing() {
    let out = Nic { mac: "02:00:00:00:00:01".into(), bridge: None, plug: Plug::Out };
    let (step, scene) = tried(&Scene { nics: vec![out], ..wants(&["data"]) }, Some("full"));
    assert_eq!(step, Step::Do(Effect::Plug));
    let (step, mut scene) = tried(&scene, None);
    assert_eq!((step, scene.step()), (attach("data"), wait(10)));
    scene.uptime += Duration::from_secs(10);
    assert_eq!(scene.step(), Step::Do(Effect::Plug));
}
