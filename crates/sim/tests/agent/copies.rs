//! Copies of volumes: nobody writes into what is being read, and no end of the daemon loses one.

use std::time::Duration;

use novacron_control::vm;
use novacron_model::request::CloneRequest;
use novacron_model::task::TaskState;
use novacron_model::vm::{RestartPolicy, Run, Runtime, VmState};
use novacron_model::volume::{VolumeSource, VolumeSpec, VolumeState};
use novacron_model::{Name, Object, Project, Snapshot, Vm, Volume, key};
use novacron_store::{Store, Txn, object};
use tokio::time::sleep;
use uuid::Uuid;

use crate::stage::Stage;

/// A stopped VM `web` with one disk.
async fn stopped() -> Stage {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    let task = stage.stop("web", 0, true).await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    stage
}

async fn clone(stage: &Stage, snapshot: Option<&str>, run: Run) -> Uuid {
    let snapshot = snapshot.map(|name| Name::new(name).unwrap());
    let body = CloneRequest { name: Name::new("web2").unwrap(), snapshot, run };
    let clone = |request: &mut novacron_control::Request<'_>, vm: &Object<Vm>| {
        vm::clone(request, vm, &body)
    };
    stage.hand.act::<Vm>("web", clone).await.unwrap().unwrap()
}

fn volume(stage: &Stage, name: &str) -> Object<Volume> {
    stage.hand.get::<Volume>(name).unwrap().unwrap()
}

async fn being_read(stage: &Stage) {
    let uid = volume(stage, "web-root").meta.uid;
    stage.wait_until("the copy to begin", |stage| stage.machine.pools.is_read(uid)).await;
}

#[tokio::test(start_paused = true)]
async fn a_vm_whose_disk_is_copied_starts_when_that_is_done() {
    let stage = stopped().await;
    clone(&stage, None, Run::Stopped).await;
    being_read(&stage).await;
    let task = stage.start("web").await;
    let says = "volume \"web-root\" is being copied into \"web2-root\"";
    stage
        .wait_until("a reason", |stage| stage.vm("web").status.reason.as_deref() == Some(says))
        .await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    assert_eq!(volume(&stage, "web2-root").status.state, VolumeState::Ready);
    assert_eq!(stage.witness.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_clone_runs_beside_its_source() {
    let stage = stopped().await;
    let task = clone(&stage, None, Run::Running).await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    stage.wait_state("web2", VmState::Running).await;
    assert!(
        stage.log(task).iter().any(|line| line == "starting the guest"),
        "{:?}",
        stage.log(task)
    );
    stage.start("web").await;
    stage.wait_state("web", VmState::Running).await;
    assert_eq!(stage.machine.world.guests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_copied_while_its_vm_runs_and_restarts() {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    let vm = Name::new("web").unwrap();
    let spec = novacron_model::snapshot::SnapshotSpec { vm, parent: None };
    let task = stage.hand.create::<Snapshot>("web.before", spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let cloned = clone(&stage, Some("before"), Run::Running).await;
    stage
        .wait_until("the copy to begin", |stage| {
            stage
                .hand
                .get::<Volume>("web2-root")
                .unwrap()
                .is_some_and(|it| it.status.location.is_some())
        })
        .await;
    let task = stage.stop("web", 0, true).await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let task = stage.start("web").await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    assert_eq!(stage.outcome(cloned).await, TaskState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn wherever_the_daemon_dies_a_running_vm_is_cloned_and_no_snapshot_is_left() {
    for dies_after in (0..40).chain((40..2600).step_by(128)) {
        let mut stage = Stage::new().await;
        let web = stage.launch("web", RestartPolicy::OnFailure).await;
        let task = clone(&stage, None, Run::Running).await;
        sleep(Duration::from_millis(dies_after)).await;
        stage.kill_agent().await;
        stage.start_agent();
        assert_eq!(stage.outcome(task).await, TaskState::Succeeded, "killed after {dies_after} ms");
        stage
            .wait_until("no snapshot", |stage| {
                novacron_store::object::list::<Snapshot>(&stage.store.snapshot(), None).is_empty()
            })
            .await;
        assert_eq!(stage.witness.starts(web), 1);
        assert_eq!(stage.machine.pools.volumes().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_no_longer_wanted_ends_at_once() {
    let stage = stopped().await;
    clone(&stage, None, Run::Stopped).await;
    being_read(&stage).await;
    stage.hand.delete::<Vm>("web2", false).await.unwrap();
    let begun = tokio::time::Instant::now();
    stage.wait_gone::<Volume>("web2-root").await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(stage.machine.pools.volumes(), [volume(&stage, "web-root").meta.uid]);
    stage.hand.delete::<Vm>("web", false).await.unwrap();
    stage.wait_gone::<Vm>("web").await;
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_fails_the_copy_which_is_made_good_later() {
    let stage = stopped().await;
    let task = clone(&stage, None, Run::Stopped).await;
    being_read(&stage).await;
    stage.machine.pools.set_full(true);
    stage
        .wait_until("the failure", |stage| {
            volume(stage, "web2-root").status.state == VolumeState::Failed
        })
        .await;
    assert_eq!(stage.machine.pools.volumes().len(), 1, "nothing half made is left");
    assert!(stage.hand.delete::<Vm>("web", false).await.is_err(), "it is tried again");
    stage.machine.pools.set_full(false);
    stage.wait_until("the copy", |stage| volume(stage, "web2-root").status.copying.is_none()).await;
    stage.wait_state("web2", VmState::Stopped).await;
    let _either = stage.outcome(task).await;
}

/// Requests a clone and a start of its source at once, and kills the daemon at any moment.
#[tokio::test(start_paused = true)]
async fn wherever_the_daemon_dies_the_copy_is_whole_and_nobody_wrote_meanwhile() {
    for dies_after in (0..40).chain((40..2600).step_by(64)) {
        let mut stage = stopped().await;
        clone(&stage, None, Run::Running).await;
        let start = stage.start("web").await;
        sleep(Duration::from_millis(dies_after)).await;
        stage.kill_agent().await;
        stage.start_agent();
        stage.wait_state("web2", VmState::Running).await;
        assert_eq!(stage.outcome(start).await, TaskState::Succeeded);
        let copy = volume(&stage, "web2-root");
        assert_eq!(stage.machine.pools.made(copy.meta.uid), 1, "killed after {dies_after} ms");
        assert_eq!(copy.status.copying, None);
        assert_eq!(stage.witness.violations(), Vec::<String>::new(), "after {dies_after} ms");
        assert_eq!(stage.machine.pools.volumes().len(), 2);
    }
}

/// A report that the guest has ended can be older than its process.
#[tokio::test(start_paused = true)]
async fn a_copy_waits_for_a_guest_that_is_still_there() {
    let mut stage = Stage::new().await;
    let web = stage.launch("web", RestartPolicy::OnFailure).await;
    let of = volume(&stage, "web-root");
    stage.kill_agent().await;
    stage.stop("web", 0, true).await;
    let runtime = Runtime { state: VmState::Stopped, handle: None, ..stage.runtime("web") };
    let at = stage.store.snapshot();
    let project = object::expect::<Project>(&at, None, "default").unwrap().meta.uid;
    let mut txn = Txn::new();
    let family = key::object::<Vm>(Some(project), "web");
    object::put_section(&mut txn, &at, &family, "runtime", &runtime, vec![]).unwrap();
    stage.store.commit(txn).await.unwrap();

    let source = Some(VolumeSource { volume: Name::new("web-root").unwrap(), snapshot: None });
    let spec = VolumeSpec { source, ..of.spec };
    let task = stage.hand.create::<Volume>("copy", spec).await.unwrap().unwrap();
    stage.machine.world.deafen(web);
    stage.start_agent();
    stage
        .wait_until("the copy", |stage| {
            let runs = !stage.machine.world.guests().is_empty();
            assert!(!(runs && stage.machine.pools.is_read(of.meta.uid)), "read while it runs");
            volume(stage, "copy").status.state == VolumeState::Ready
        })
        .await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
}
