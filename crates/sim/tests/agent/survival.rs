//! What must survive: guests the daemon, wishes the host's boot, everything a full disk.

use std::time::Duration;

use novacron_control::vm;
use novacron_model::task::TaskState;
use novacron_model::vm::{ExitCause, RestartPolicy, VmState};
use novacron_model::{Object, Vm};
use tokio::time::sleep;

use crate::stage::{Stage, spec};

#[tokio::test(start_paused = true)]
async fn a_guest_outlives_the_daemon_and_is_adopted() {
    let mut stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    let before = stage.runtime("web");
    stage.agent.take().unwrap().shutdown().await;
    assert_eq!(stage.machine.world.guests(), [uid]);
    sleep(Duration::from_hours(1)).await;
    stage.start_agent();
    stage.machine.world.power_off(uid);
    stage.wait_state("web", VmState::Stopped).await;
    assert_eq!(stage.witness.starts(uid), 1);
    assert_eq!(stage.runtime("web").exit.map(|exit| exit.cause), Some(ExitCause::Guest));
    assert!(before.pid.is_some());
}

#[tokio::test(start_paused = true)]
async fn wherever_the_daemon_dies_no_guest_is_doubled_or_lost() {
    // The whole way from request to running takes less than this many milliseconds.
    for dies_after in 0..60 {
        let mut stage = Stage::new().await;
        stage.hand.create::<Vm>("web", spec()).await.unwrap();
        sleep(Duration::from_millis(dies_after)).await;
        stage.kill_agent().await;
        let live = stage.machine.world.guests();
        stage.start_agent();
        stage.wait_state("web", VmState::Running).await;
        let uid = stage.vm("web").meta.uid;
        assert_eq!(stage.machine.world.guests(), [uid]);
        assert_eq!(stage.witness.starts(uid), 1, "killed after {dies_after} ms, live: {live:?}");
        assert_eq!(stage.witness.violations(), Vec::<String>::new());
        assert_eq!(stage.machine.pools.volumes().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn wherever_the_daemon_dies_a_restart_happens_once() {
    for dies_after in 0..40 {
        let mut stage = Stage::new().await;
        let uid = stage.launch("web", RestartPolicy::OnFailure).await;
        let restart = |request: &mut novacron_control::Request<'_>, vm: &Object<Vm>| {
            vm::restart(request, vm, &novacron_model::request::StopRequest::default())
        };
        let task = stage.hand.act::<Vm>("web", restart).await.unwrap().unwrap();
        sleep(Duration::from_millis(dies_after)).await;
        stage.kill_agent().await;
        stage.start_agent();
        assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
        sleep(Duration::from_secs(30)).await;
        assert_eq!(stage.witness.starts(uid), 2, "killed after {dies_after} ms");
        assert_eq!(stage.runtime("web").state, VmState::Running);
    }
}

#[tokio::test(start_paused = true)]
async fn wherever_the_daemon_dies_a_guest_that_shut_itself_down_stays_down() {
    for dies_after in 0..30 {
        let mut stage = Stage::new().await;
        let uid = stage.launch("web", RestartPolicy::OnFailure).await;
        stage.machine.world.power_off(uid);
        sleep(Duration::from_millis(dies_after)).await;
        stage.kill_agent().await;
        stage.start_agent();
        stage.wait_state("web", VmState::Stopped).await;
        sleep(Duration::from_secs(90)).await;
        assert_eq!(stage.witness.starts(uid), 1, "killed after {dies_after} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_forgets_its_guests_is_caught() {
    let mut doubled = 0;
    for dies_after in 0..60 {
        let mut stage = Stage::with(|witness| witness.blind = true).await;
        stage.hand.create::<Vm>("web", spec()).await.unwrap();
        sleep(Duration::from_millis(dies_after)).await;
        stage.kill_agent().await;
        stage.start_agent();
        stage.wait_state("web", VmState::Running).await;
        doubled += stage.witness.violations().len();
    }
    assert!(doubled > 0, "the oracle is blind");
}

#[tokio::test(start_paused = true)]
async fn after_a_boot_of_the_host_wanted_vms_start_again() {
    let mut stage = Stage::new().await;
    let web = stage.launch("web", RestartPolicy::Never).await;
    let db = stage.launch("db", RestartPolicy::OnFailure).await;
    let task = stage.stop("db", 60, true).await;
    assert_eq!(stage.outcome(task).await, TaskState::Succeeded);
    stage.kill_agent().await;
    stage.machine.world.reboot();
    stage.start_agent();
    stage.wait_until("a start", |stage| stage.witness.starts(web) == 2).await;
    stage.wait_state("web", VmState::Running).await;
    let runtime = stage.runtime("web");
    assert_eq!(runtime.exit.map(|exit| exit.cause), Some(ExitCause::HostBoot));
    assert_eq!((runtime.restarts, stage.witness.starts(db)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_full_store_kills_no_guest() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    let pid = stage.pid("web");
    stage.store.set_full(true);
    stage.machine.world.fill_disk(uid);
    sleep(Duration::from_mins(5)).await;
    assert_eq!(stage.machine.world.guests(), [uid]);
    assert_eq!(stage.runtime("web").state, VmState::Running, "nothing could be reported");
    stage.store.set_full(false);
    stage.wait_state("web", VmState::Paused).await;
    assert_eq!(stage.pid("web"), pid);
}

#[tokio::test(start_paused = true)]
async fn what_a_full_store_hid_is_followed_later() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::OnFailure).await;
    stage.store.set_full(true);
    stage.machine.world.crash(uid);
    sleep(Duration::from_mins(2)).await;
    stage.store.set_full(false);
    stage.wait_until("a restart", |stage| stage.witness.starts(uid) == 2).await;
    stage.wait_state("web", VmState::Running).await;
    assert_eq!(stage.runtime("web").exit.map(|exit| exit.cause), Some(ExitCause::Crash));
}

#[tokio::test(start_paused = true)]
async fn a_failed_disk_is_told_and_made_good() {
    let stage = Stage::new().await;
    stage.machine.pools.set_full(true);
    let task = stage.hand.create::<Vm>("web", spec()).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Failed);
    let reason = stage.runtime("web").reason.unwrap_or_default();
    assert!(reason.contains("web-root") && reason.contains("full"), "{reason}");
    stage.machine.pools.set_full(false);
    stage.wait_state("web", VmState::Running).await;
}
