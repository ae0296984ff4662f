//! Snapshots by schedule on a whole node, over days.

use std::time::Duration;

use novacron_control::Resource;
use novacron_model::snapshot::{Consistency, SnapshotState};
use novacron_model::vm::schedule::{ScheduledRun, SnapshotSchedule};
use novacron_model::vm::{RestartPolicy, Vm};
use novacron_model::{Object, Snapshot};
use novacron_store::object;

use crate::stage::Stage;

const DAY: Duration = Duration::from_hours(24);

async fn keep_daily(stage: &Stage, daily: u32) {
    let schedule = SnapshotSchedule { daily, ..SnapshotSchedule::default() };
    let keep = |request: &mut novacron_control::Request<'_>, vm: &Object<Vm>| {
        let mut new = vm.clone();
        new.spec.snapshots = Some(schedule);
        Vm::update(request, vm, new)
    };
    stage.hand.act::<Vm>("web", keep).await.unwrap();
    stage.wait_until("a schedule", |stage| daily_run(stage).is_some()).await;
}

fn daily_run(stage: &Stage) -> Option<ScheduledRun> {
    stage.vm("web").status.schedule?.runs.pop()
}

fn snapshots(stage: &Stage) -> Vec<Object<Snapshot>> {
    object::list::<Snapshot>(&novacron_store::Store::snapshot(&*stage.store), None)
}

/// The clock jumps to the moment at which the next run is due.
async fn until_due(stage: &Stage) -> novacron_model::Time {
    let due = daily_run(stage).unwrap().next;
    tokio::time::advance(Duration::from_millis(due.since(stage.hand.clock.now()))).await;
    due
}

/// The run of `due` has ended well, and the oldest have gone.
async fn settled(stage: &Stage, due: novacron_model::Time, kept: usize) {
    stage
        .wait_until("the day's snapshot", |stage| {
            let run = daily_run(stage).unwrap();
            run.due >= due && !run.open && run.error.is_none() && snapshots(stage).len() == kept
        })
        .await;
    for snapshot in snapshots(stage) {
        assert_eq!(snapshot.status.state, SnapshotState::Ready);
        let data = snapshot.status.data.unwrap();
        assert_eq!(data.consistency, Some(Consistency::Filesystem));
    }
}

#[tokio::test(start_paused = true)]
async fn wherever_the_daemon_dies_each_day_has_its_snapshot() {
    let mut stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    keep_daily(&stage, 3).await;
    for day in 0_usize..60 {
        let due = until_due(&stage).await;
        tokio::time::sleep(Duration::from_millis(day as u64 * 7)).await;
        stage.kill_agent().await;
        stage.restart_planners();
        stage.start_agent();
        settled(&stage, due, (day + 1).min(3)).await;
        assert!(stage.machine.world.frozen().is_empty());
    }
    let mut names: Vec<_> = snapshots(&stage).iter().map(|it| it.name().to_owned()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_was_down_for_days_takes_one() {
    let mut stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    keep_daily(&stage, 7).await;
    let due = until_due(&stage).await;
    settled(&stage, due, 1).await;
    stage.kill_agent().await;
    stage.kill_planners();
    tokio::time::advance(DAY * 9).await;
    stage.restart_planners();
    stage.start_agent();
    settled(&stage, due.plus(novacron_model::Seconds(9 * 24 * 3600)), 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_full_puts_the_snapshot_off() {
    let stage = Stage::new().await;
    stage.launch("web", RestartPolicy::OnFailure).await;
    keep_daily(&stage, 2).await;
    stage.store.set_full(true);
    let due = until_due(&stage).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(snapshots(&stage).is_empty());
    stage.store.set_full(false);
    settled(&stage, due, 1).await;
}
