//! A VM's life: launch, verbs, ends, deletion.

use std::time::Duration;

use novacron_control::admission::Resource;
use novacron_control::vm;
use novacron_model::request::StopRequest;
use novacron_model::task::TaskState;
use novacron_model::vm::{ExitCause, RestartPolicy, Run, VmSpec, VmState};
use novacron_model::volume::VolumeState;
use novacron_model::{Bytes, Object, Seconds, Vm, Volume};
use tokio::time::sleep;
use uuid::Uuid;

use crate::stage::{Stage, spec};

#[tokio::test(start_paused = true)]
async fn a_launched_vm_runs() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    assert_eq!(stage.machine.world.guests(), [uid]);
    let runtime = stage.runtime("web");
    assert!(runtime.started.is_some() && runtime.handle.is_some(), "{runtime:?}");
    assert_eq!((runtime.restarts, runtime.exit), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_is_not_to_run_gets_its_disks_and_rests() {
    let stage = Stage::new().await;
    let spec = VmSpec { run: Run::Stopped, ..spec() };
    let task = stage.hand.create::<Vm>("web", spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    stage.wait_state("web", VmState::Stopped).await;
    assert_eq!(stage.log(task), ["waiting for its disks"]);
    assert_eq!(stage.machine.pools.volumes().len(), 1);
    let agent = stage.agent.as_ref().unwrap();
    stage.wait_until("the agent to rest", |_| agent.busy() == 0).await;
    assert!(stage.machine.world.guests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_listens_stops_at_the_power_button() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::Always).await;
    let task = stage.stop("web", 60, false).await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let runtime = stage.runtime("web");
    assert_eq!(runtime.state, VmState::Stopped);
    assert_eq!(runtime.exit.map(|exit| exit.cause), Some(ExitCause::Requested));
    assert_eq!((runtime.handle, runtime.pid, stage.witness.presses(uid)), (None, None, 1));
    assert_eq!(stage.log(task), ["waiting for the guest to stop"]);
    assert!(stage.machine.world.guests().is_empty());
    let task = stage.start("web").await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    assert_eq!(stage.witness.starts(uid), 2);
}

#[tokio::test(start_paused = true)]
async fn a_deaf_guest_runs_on_unless_it_may_be_forced() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    stage.machine.world.deafen(uid);
    let pid = stage.pid("web");
    let task = stage.stop("web", 30, false).await;
    assert_eq!(stage.outcome(task).await, TaskState::Failed);
    stage.wait_state("web", VmState::Running).await;
    assert_eq!(stage.pid("web"), pid);
    assert!(stage.witness.presses(uid) > 1, "pressed again while there was time");

    let task = stage.stop("web", 30, true).await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    assert_eq!(stage.runtime("web").state, VmState::Stopped);
    assert!(stage.machine.world.guests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn force_without_time_cuts_the_power_at_once() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    stage.machine.world.deafen(uid);
    // In the midst of a patient stop.
    stage.stop("web", 3600, false).await;
    stage.wait_until("the button", |stage| stage.witness.presses(uid) > 0).await;
    let task = stage.stop("web", 0, true).await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    assert_eq!(stage.runtime("web").exit.map(|exit| exit.cause), Some(ExitCause::Requested));
}

#[tokio::test(start_paused = true)]
async fn a_start_during_a_stop_wins_in_the_end() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    stage.machine.world.deafen(uid);
    stage.stop("web", 3600, false).await;
    stage.wait_until("the button", |stage| stage.witness.presses(uid) > 0).await;
    let task = stage.start("web").await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    // The guest obeys late.
    stage.machine.world.power_off(uid);
    stage.wait_until("another start", |stage| stage.witness.starts(uid) == 2).await;
    stage.wait_state("web", VmState::Running).await;
}

#[tokio::test(start_paused = true)]
async fn each_order_is_performed_once() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    let first = stage.pid("web");
    let body = StopRequest { timeout: Some(Seconds(10)), force: true };
    let restart = |request: &mut novacron_control::Request<'_>, vm: &Object<Vm>| {
        vm::restart(request, vm, &body)
    };
    let task = stage.hand.act::<Vm>("web", restart).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    assert_ne!(stage.pid("web"), first);
    assert_eq!(stage.log(task), ["waiting for the guest to stop", "starting the guest"]);
    let task = stage.hand.act::<Vm>("web", vm::reset).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    sleep(Duration::from_mins(2)).await;
    assert_eq!((stage.witness.starts(uid), stage.witness.resets(uid)), (2, 1));
    assert_eq!(stage.runtime("web").restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_the_guest_ignores_fails_and_changes_nothing() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    stage.machine.world.deafen(uid);
    let body = StopRequest { timeout: Some(Seconds(10)), force: false };
    let restart = |request: &mut novacron_control::Request<'_>, vm: &Object<Vm>| {
        vm::restart(request, vm, &body)
    };
    let task = stage.hand.act::<Vm>("web", restart).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Failed);
    stage.wait_state("web", VmState::Running).await;
    assert_eq!(stage.witness.starts(uid), 1);
}

#[tokio::test(start_paused = true)]
async fn a_paused_guest_can_be_resumed_and_stopped() {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    let pid = stage.pid("web");
    for (verb, state) in [(vm::pause as Verb, VmState::Paused), (vm::resume, VmState::Running)] {
        let task = stage.hand.act::<Vm>("web", verb).await.unwrap().unwrap();
        assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
        assert_eq!((stage.runtime("web").state, stage.pid("web")), (state, pid));
    }
    stage.hand.act::<Vm>("web", vm::pause).await.unwrap();
    stage.wait_state("web", VmState::Paused).await;
    // It is woken, for a halted guest does not hear the button.
    let task = stage.stop("web", 60, false).await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
}

type Verb = fn(
    &mut novacron_control::Request<'_>,
    &Object<Vm>,
) -> novacron_model::Result<novacron_control::Admitted>;

#[tokio::test(start_paused = true)]
async fn a_full_disk_halts_the_guest_until_it_is_resumed() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    let pid = stage.pid("web");
    stage.machine.world.fill_disk(uid);
    stage.wait_state("web", VmState::Paused).await;
    let reason = stage.runtime("web").reason.unwrap_or_default();
    assert!(reason.contains("full"), "{reason}");
    sleep(Duration::from_mins(1)).await;
    assert_eq!(stage.runtime("web").state, VmState::Paused, "nobody resumes it by himself");
    let task = stage.hand.act::<Vm>("web", vm::resume).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    assert_eq!((stage.runtime("web").reason, stage.pid("web")), (None, pid));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_shuts_itself_down_stays_down() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    stage.machine.world.power_off(uid);
    stage.wait_state("web", VmState::Stopped).await;
    assert_eq!(stage.runtime("web").exit.map(|exit| exit.cause), Some(ExitCause::Guest));
    stage.wait_until("the spec to follow", |s| s.vm("web").spec.run == Run::Stopped).await;
    sleep(Duration::from_mins(10)).await;
    assert_eq!(stage.witness.starts(uid), 1);
}

#[tokio::test(start_paused = true)]
async fn always_means_always() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::Always).await;
    stage.machine.world.power_off(uid);
    stage.wait_until("another start", |stage| stage.witness.starts(uid) == 2).await;
    stage.wait_state("web", VmState::Running).await;
    assert_eq!(stage.vm("web").spec.run, Run::Running);
}

#[tokio::test(start_paused = true)]
async fn a_crashed_guest_is_restarted_with_growing_pauses() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    let mut pauses = Vec::new();
    for n in 1..=8 {
        let begun = tokio::time::Instant::now();
        stage.machine.world.crash(uid);
        stage.wait_until("a restart", |stage| stage.witness.starts(uid) == n + 1).await;
        pauses.push(begun.elapsed().as_secs());
        stage.wait_state("web", VmState::Running).await;
        assert_eq!(stage.runtime("web").restarts, n);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    let exit = stage.runtime("web").exit.unwrap();
    assert_eq!(exit.cause, ExitCause::Crash);
    sleep(Duration::from_secs(700)).await;
    stage.machine.world.panic(uid);
    let begun = tokio::time::Instant::now();
    stage.wait_until("a restart", |stage| stage.witness.starts(uid) == 10).await;
    assert_eq!(begun.elapsed().as_secs(), 1, "ten steady minutes are forgiving");
}

#[tokio::test(start_paused = true)]
async fn never_leaves_a_crashed_guest_down_until_a_user_starts_it() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::Never).await;
    stage.machine.world.crash(uid);
    stage.wait_state("web", VmState::Failed).await;
    sleep(Duration::from_mins(10)).await;
    assert_eq!(stage.witness.starts(uid), 1);
    let task = stage.start("web").await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    assert_eq!(stage.witness.starts(uid), 2);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_says_why_and_is_tried_again() {
    let stage = Stage::new().await;
    stage.machine.world.refuse_starts(Some("no memory left"));
    let task = stage.hand.create::<Vm>("web", spec()).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Failed);
    let runtime = stage.runtime("web");
    assert_eq!(runtime.reason.as_deref(), Some("no memory left"));
    assert!(runtime.retry_at.is_some());
    stage.machine.world.refuse_starts(None);
    stage.wait_state("web", VmState::Running).await;
}

#[tokio::test(start_paused = true)]
async fn a_running_vm_is_deleted_only_by_force_and_leaves_nothing() {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::Always).await;
    assert!(stage.hand.delete::<Vm>("web", false).await.is_err());
    let task = stage.hand.delete::<Vm>("web", true).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    stage.wait_gone::<Vm>("web").await;
    stage.wait_gone::<Volume>("web-root").await;
    assert!(stage.machine.world.guests().is_empty());
    assert!(stage.machine.pools.volumes().is_empty());
    let agent = stage.agent.as_ref().unwrap();
    stage.wait_until("the agent to rest", |_| agent.busy() == 0).await;
    // The name is free for another VM, which is another guest.
    let uid: Uuid = stage.launch("web", RestartPolicy::OnFailure).await;
    assert_eq!(stage.machine.world.guests(), [uid]);
}

async fn resize(stage: &Stage, size: Bytes) -> Uuid {
    let grow = |request: &mut novacron_control::Request<'_>, old: &Object<Volume>| {
        let mut new = old.clone();
        new.spec.size = size;
        Volume::update(request, old, new)
    };
    stage.hand.act::<Volume>("web-root", grow).await.unwrap().unwrap()
}

fn root(stage: &Stage) -> Object<Volume> {
    stage.hand.get::<Volume>("web-root").unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_volume_grows_in_use_at_rest_and_once_there_is_room() {
    let mut stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    let uid = root(&stage).meta.uid;
    let has = |stage: &Stage, size: Bytes| {
        let volume = root(stage);
        let data = volume.status.data.unwrap();
        data.size == Some(size) && volume.status.state == VolumeState::Ready
    };
    let small = stage.machine.pools.size(uid);
    let task = resize(&stage, Bytes::gib(40)).await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    assert!(has(&stage, Bytes::gib(40)), "the guest's disk has grown");
    assert_eq!(stage.machine.pools.size(uid), small, "the guest did it, nobody behind its back");

    let task = stage.stop("web", 60, true).await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    stage.machine.pools.set_full(true);
    let task = resize(&stage, Bytes::gib(50)).await;
    assert_eq!(stage.outcome(task).await, TaskState::Failed);
    stage.wait_until("the failure", |stage| root(stage).status.reason.is_some()).await;
    let volume = root(&stage);
    assert_eq!(volume.status.state, VolumeState::Growing);
    assert!(volume.status.reason.unwrap().contains("full"));
    // It keeps nobody from starting, and is made up for by the next daemon.
    let task = stage.start("web").await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    let task = stage.stop("web", 60, true).await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    stage.kill_agent().await;
    stage.machine.pools.set_full(false);
    stage.start_agent();
    stage.wait_until("the disk to grow", |stage| has(stage, Bytes::gib(50))).await;
    assert_eq!(stage.machine.pools.size(uid), Bytes::gib(50));
}
