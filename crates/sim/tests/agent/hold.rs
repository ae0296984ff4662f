//! A host goes: its guests are shut down, stay down, and are there again after the boot.

use novacron_control::node::{start_guests, stop_guests};
use novacron_control::vm;
use novacron_model::request::StopRequest;
use novacron_model::vm::{ExitCause, RestartPolicy, Run, VmState};
use novacron_model::{Node, Seconds};

use crate::stage::Stage;

async fn hold(stage: &Stage, force: bool) {
    let body = StopRequest { timeout: Some(Seconds(90)), force };
    stage.hand.act::<Node>("n1", |request, node| stop_guests(request, node, &body)).await.unwrap();
}

/// Three guests under each policy, and one VM that is stopped.
async fn populated() -> Stage {
    let stage = Stage::new().await;
    stage.launch("a", RestartPolicy::Never).await;
    stage.launch("b", RestartPolicy::OnFailure).await;
    stage.launch("c", RestartPolicy::Always).await;
    stage.launch("off", RestartPolicy::Always).await;
    let task = stage.stop("off", 60, true).await;
    stage.outcome(task).await;
    stage
}

async fn all_down(stage: &Stage) {
    for name in ["a", "b", "c"] {
        stage.wait_until("held", |stage| stage.runtime(name).held).await;
        assert_eq!(stage.vm(name).spec.run, Run::Running, "what it should do stays");
        let exit = stage.runtime(name).exit;
        assert_eq!(exit.map(|exit| exit.cause), Some(ExitCause::Requested));
    }
    assert!(stage.machine.world.guests().is_empty());
}

async fn all_up(stage: &Stage) {
    for name in ["a", "b", "c"] {
        stage.wait_state(name, VmState::Running).await;
        assert_eq!(stage.runtime(name).restarts, 0);
    }
    assert_eq!(stage.machine.world.guests().len(), 3);
    assert_eq!(stage.runtime("off").state, VmState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn guests_are_down_over_restarts_of_the_daemon_and_up_after_the_boot() {
    let mut stage = populated().await;
    hold(&stage, false).await;
    stage.kill_agent().await;
    stage.start_agent();
    all_down(&stage).await;
    stage.kill_agent().await;
    stage.start_agent();
    let refused = stage.hand.act("off", vm::start).await.unwrap_err();
    assert!(refused.message.contains("n1"), "{refused:?}");
    assert!(refused.hint.unwrap().contains("start-guests"));
    all_down(&stage).await;

    stage.kill_agent().await;
    stage.machine.world.reboot();
    stage.start_agent();
    all_up(&stage).await;
}

#[tokio::test(start_paused = true)]
async fn guests_start_when_told_to_also_in_the_midst_of_going_down() {
    let stage = populated().await;
    for _ in 0..3 {
        hold(&stage, false).await;
        all_down(&stage).await;
        stage.hand.act::<Node>("n1", start_guests).await.unwrap();
        all_up(&stage).await;
    }
    hold(&stage, false).await;
    stage.wait_until("the button", |stage| stage.runtime("b").state != VmState::Running).await;
    stage.hand.act::<Node>("n1", start_guests).await.unwrap();
    all_up(&stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_deaf_guest_runs_on_unless_its_power_may_be_cut() {
    let stage = populated().await;
    let deaf = stage.vm("b").meta.uid;
    stage.machine.world.deafen(deaf);
    hold(&stage, false).await;
    stage.wait_until("given up", |stage| stage.runtime("b").done.hold == 1).await;
    assert_eq!(stage.machine.world.guests(), [deaf]);
    assert_eq!(stage.vm("b").spec.run, Run::Running);
    hold(&stage, true).await;
    all_down(&stage).await;
}
