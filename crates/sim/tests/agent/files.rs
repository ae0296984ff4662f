//! Images, uploads and snapshots.

use futures::StreamExt;
use novacron_control::vm;
use novacron_model::image::{ImageSource, ImageSpec, ImageState};
use novacron_model::request::RestoreRequest;
use novacron_model::snapshot::{Consistency, SnapshotSpec, SnapshotState};
use novacron_model::task::TaskState;
use novacron_model::vm::{RestartPolicy, VmState};
use novacron_model::{Error, Image, Name, Object, Result, Snapshot, Task, Vm};

use crate::stage::Stage;

fn image(source: ImageSource) -> ImageSpec {
    let pool = Name::new("default").unwrap();
    ImageSpec { source, sha256: None, pool, os: String::new() }
}

fn state(stage: &Stage, name: &str) -> ImageState {
    stage.hand.get::<Image>(name).unwrap().unwrap().status.state
}

fn chunks(count: u8) -> impl Iterator<Item = Result<bytes::Bytes>> {
    (0..count).map(|n| Ok(bytes::Bytes::from(vec![n; 1000])))
}

#[tokio::test(start_paused = true)]
async fn an_image_is_fetched_with_progress() {
    let stage = Stage::new().await;
    let spec = image(ImageSource::Url("https://images.example/debian.qcow2".into()));
    let task = stage.hand.create::<Image>("debian", spec).await.unwrap().unwrap();
    let agent = stage.agent.as_ref().unwrap();
    let uid = stage.hand.get::<Image>("debian").unwrap().unwrap().meta.uid;
    stage.wait_until("progress", |_| agent.live(uid).is_some_and(|live| live.done > 0)).await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    assert_eq!((state(&stage, "debian"), agent.live(uid)), (ImageState::Ready, None));
    assert_eq!(stage.log(task), ["downloading", "converting"]);
}

#[tokio::test(start_paused = true)]
async fn an_import_that_fails_says_why() {
    let stage = Stage::new().await;
    let spec = image(ImageSource::Url("https://images.example/missing".into()));
    let task = stage.hand.create::<Image>("gone", spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Failed);
    stage.wait_gone::<Image>("gone").await;
    let task = stage.hand.get::<Task>(&task.to_string()).unwrap().unwrap();
    assert!(task.status.outcome.unwrap().error.unwrap().message.contains("404"));
}

#[tokio::test(start_paused = true)]
async fn an_import_goes_on_after_the_daemon_died_and_ends_with_its_image() {
    let mut stage = Stage::new().await;
    let spec = image(ImageSource::Url("https://images.example/debian.qcow2".into()));
    stage.hand.create::<Image>("debian", spec.clone()).await.unwrap();
    stage.hand.create::<Image>("doomed", spec).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    stage.kill_agent().await;
    stage.start_agent();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    stage.hand.delete::<Image>("doomed", false).await.unwrap();
    stage.wait_gone::<Image>("doomed").await;
    stage.wait_until("the image", |stage| state(stage, "debian") == ImageState::Ready).await;
    assert_eq!(stage.machine.pools.images().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_was_cut_can_be_sent_again() {
    let stage = Stage::new().await;
    let spec = image(ImageSource::Upload {});
    let task = stage.hand.create::<Image>("mine", spec).await.unwrap().unwrap();
    stage
        .wait_until("a node", |stage| {
            stage.hand.get::<Image>("mine").unwrap().unwrap().status.location.is_some()
        })
        .await;
    let agent = stage.agent.as_ref().unwrap();
    let mine = stage.hand.get::<Image>("mine").unwrap().unwrap();
    let cut = Err(Error::unavailable("the client went away"));
    let content = futures::stream::iter(chunks(3).chain([cut])).boxed();
    assert!(agent.upload(&mine, Some(5000), content).await.is_err());
    assert_eq!(state(&stage, "mine"), ImageState::Importing);

    let content = futures::stream::iter(chunks(5)).boxed();
    agent.upload(&mine, Some(5000), content).await.unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let mine = stage.hand.get::<Image>("mine").unwrap().unwrap();
    assert_eq!(mine.status.content.as_ref().map(|content| content.size.0), Some(5000));
    let content = futures::stream::iter(chunks(5)).boxed();
    assert!(agent.upload(&mine, Some(5000), content).await.is_err(), "an image never changes");
}

#[tokio::test(start_paused = true)]
async fn an_upload_in_parts_goes_on_and_ends_once() {
    let stage = Stage::new().await;
    let task = stage.hand.create::<Image>("mine", image(ImageSource::Upload {})).await.unwrap();
    stage
        .wait_until("a node", |stage| {
            stage.hand.get::<Image>("mine").unwrap().unwrap().status.location.is_some()
        })
        .await;
    let agent = stage.agent.as_ref().unwrap();
    let mine = stage.hand.get::<Image>("mine").unwrap().unwrap();
    let cut = Err(Error::unavailable("the client went away"));
    let content = futures::stream::iter(chunks(3).chain([cut])).boxed();
    assert!(agent.upload_part(&mine, (0, 5000), content).await.is_err());
    assert_eq!(agent.uploaded(&mine).await.unwrap().offset.0, 3000);
    // A connection that is dead and does not know it gives way to the next.
    let dead = futures::stream::pending().boxed();
    let (former, next) = tokio::join!(agent.upload_part(&mine, (3000, 5000), dead), async {
        tokio::task::yield_now().await;
        let content = futures::stream::iter(chunks(2)).boxed();
        agent.upload_part(&mine, (3000, 5000), content).await
    });
    assert!(former.unwrap_err().message.contains("another connection"));
    assert!(next.unwrap().complete);
    assert_eq!(stage.outcome(task.unwrap()).await, TaskState::Succeeded);
    let mine = stage.hand.get::<Image>("mine").unwrap().unwrap();
    assert_eq!(mine.status.content.as_ref().map(|content| content.size.0), Some(5000));
    // Its client has not heard of the end and asks.
    assert!(agent.uploaded(&mine).await.unwrap().complete);
    let nothing = || futures::stream::empty().boxed();
    assert!(agent.upload_part(&mine, (5000, 5000), nothing()).await.unwrap().complete);
    assert!(agent.upload_part(&mine, (0, 5000), nothing()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_taken_restored_and_deleted() {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    let spec = SnapshotSpec { vm: Name::new("web").unwrap(), parent: None };
    let task = stage.hand.create::<Snapshot>("web.before", spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let taken = stage.hand.get::<Snapshot>("web.before").unwrap().unwrap();
    assert_eq!(taken.status.state, SnapshotState::Ready);
    assert_eq!(taken.status.data.map(|data| data.volumes.len()), Some(1));

    stage.stop("web", 60, true).await;
    stage.wait_state("web", VmState::Stopped).await;
    let body = RestoreRequest { snapshot: Name::new("before").unwrap(), stop: false };
    let restore = |request: &mut novacron_control::Request<'_>, vm: &Object<Vm>| {
        vm::restore(request, vm, &body)
    };
    let task = stage.hand.act::<Vm>("web", restore).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    assert_eq!(stage.runtime("web").failure, None);

    stage.hand.delete::<Snapshot>("web.before", false).await.unwrap();
    stage.wait_gone::<Snapshot>("web.before").await;
    let agent = stage.agent.as_ref().unwrap();
    stage.wait_until("the agent to rest", |_| agent.busy() == 0).await;
}

/// What a new snapshot of `web` shows, and why it does not show more.
async fn taken(stage: &Stage, name: &str) -> (Option<Consistency>, String) {
    let spec = SnapshotSpec { vm: Name::new("web").unwrap(), parent: None };
    let task = stage.hand.create::<Snapshot>(name, spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let data = stage.hand.get::<Snapshot>(name).unwrap().unwrap().status.data.unwrap();
    (data.consistency, data.crash_reason.unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_says_whether_the_guest_was_frozen() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::Never).await;
    let world = &stage.machine.world;
    let whole = (Some(Consistency::Filesystem), String::new());
    assert_eq!(taken(&stage, "web.frozen").await, whole);
    world.hang_agent(uid, true);
    let (consistency, why) = taken(&stage, "web.hangs").await;
    assert_eq!(consistency, Some(Consistency::Crash));
    assert!(why.contains("did not freeze"), "{why}");
    assert!(world.frozen().is_empty());
    stage.hand.act::<Vm>("web", vm::pause).await.unwrap();
    stage.wait_state("web", VmState::Paused).await;
    let (consistency, why) = taken(&stage, "web.paused").await;
    assert_eq!(consistency, Some(Consistency::Crash));
    assert!(why.contains("paused"), "{why}");

    stage.hand.act::<Vm>("web", vm::resume).await.unwrap();
    stage.wait_state("web", VmState::Running).await;
    world.crash(uid);
    stage.wait_state("web", VmState::Failed).await;
    let (consistency, why) = taken(&stage, "web.crashed").await;
    assert_eq!(consistency, Some(Consistency::Crash));
    assert!(why.contains("did not shut itself down"), "{why}");
    stage.start("web").await;
    stage.wait_state("web", VmState::Running).await;
    stage.stop("web", 60, false).await;
    stage.wait_state("web", VmState::Stopped).await;
    assert_eq!(taken(&stage, "web.down").await, whole);
}

#[tokio::test(start_paused = true)]
async fn wherever_the_daemon_dies_a_snapshot_is_taken_and_no_guest_stays_frozen() {
    let mut stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    for dies_after in 0..40 {
        let name = format!("web.s{dies_after}");
        let spec = SnapshotSpec { vm: Name::new("web").unwrap(), parent: None };
        let task = stage.hand.create::<Snapshot>(&name, spec).await.unwrap().unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(dies_after)).await;
        stage.kill_agent().await;
        stage.start_agent();
        assert_eq!(stage.outcome(task).await, TaskState::Succeeded, "{dies_after} ms");
        let data = stage.hand.get::<Snapshot>(&name).unwrap().unwrap().status.data.unwrap();
        assert_eq!(data.consistency, Some(Consistency::Filesystem), "{dies_after} ms");
        stage.wait_until("a thaw", |stage| stage.machine.world.frozen().is_empty()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_running_vm_is_restored_between_a_stop_and_a_start() {
    let mut stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    let spec = SnapshotSpec { vm: Name::new("web").unwrap(), parent: None };
    let task = stage.hand.create::<Snapshot>("web.before", spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let body = RestoreRequest { snapshot: Name::new("before").unwrap(), stop: true };
    // Wherever the daemon dies, the order is carried out once.
    for (round, dies_after) in (1_u32..).zip([0, 1, 5, 20, 60, 200]) {
        let restore = |request: &mut novacron_control::Request<'_>, vm: &Object<Vm>| {
            vm::restore(request, vm, &body)
        };
        let task = stage.hand.act::<Vm>("web", restore).await.unwrap().unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(dies_after)).await;
        stage.kill_agent().await;
        stage.start_agent();
        assert_eq!(stage.outcome(task).await, TaskState::Succeeded, "{dies_after} ms");
        stage.wait_state("web", VmState::Running).await;
        assert_eq!(stage.runtime("web").done.restore, u64::from(round));
        assert_eq!(stage.witness.starts(uid), round + 1, "{dies_after} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_does_not_stop_is_not_restored_and_runs_on() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    let spec = SnapshotSpec { vm: Name::new("web").unwrap(), parent: None };
    let task = stage.hand.create::<Snapshot>("web.before", spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    stage.machine.world.deafen(uid);
    let body = RestoreRequest { snapshot: Name::new("before").unwrap(), stop: true };
    let restore = |request: &mut novacron_control::Request<'_>, vm: &Object<Vm>| {
        vm::restore(request, vm, &body)
    };
    let task = stage.hand.act::<Vm>("web", restore).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Failed);
    stage.wait_state("web", VmState::Running).await;
    assert_eq!(stage.witness.starts(uid), 1);
}
