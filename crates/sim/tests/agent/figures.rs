//! What guests use: measured while they run, kept for an hour, never stored.

use std::time::Duration;

use novacron_model::Time;
use novacron_model::figures::{POINTS, STEP, TREND};
use novacron_model::vm::{RestartPolicy, VmState};
use novacron_store::Store;
use tokio::time::sleep;

use crate::stage::Stage;

fn now(stage: &Stage) -> Time {
    stage.hand.clock.now()
}

#[tokio::test(start_paused = true)]
async fn a_guest_is_measured_while_it_runs_and_its_end_is_no_line_of_zeros() {
    let stage = Stage::new().await;
    let begin = now(&stage);
    let uid = stage.launch("web", RestartPolicy::Never).await;
    let agent = stage.agent.clone().unwrap();
    stage
        .wait_until("a rate", |_| {
            agent.reading(uid).now.is_some_and(|now| now.cpu.is_some_and(|cpu| cpu.0 > 0))
        })
        .await;
    let revision = stage.store.snapshot().revision();
    sleep(Duration::from_mins(20)).await;
    let reading = agent.reading(uid);
    let now_used = reading.now.unwrap();
    assert!(now_used.disk_read.is_some() && now_used.network_sent.is_some(), "{now_used:?}");
    assert!(now_used.cpu.unwrap().0 <= 1000, "one CPU has no more to give");
    assert_eq!(reading.trend.len(), TREND);
    assert!(reading.trend.iter().all(Option::is_some), "no gap: {:?}", reading.trend);
    let unstored = stage.store.snapshot().revision() == revision;
    assert!(unstored, "figures are not for the store");
    stage.stop("web", 60, true).await;
    stage.wait_state("web", VmState::Stopped).await;
    let stopped = now(&stage);
    assert_eq!(agent.reading(uid).now, None);
    sleep(Duration::from_mins(10)).await;
    let points = agent.hour(uid, begin).points;
    let last = points.last().unwrap().time;
    assert!(last <= stopped, "{last} after {stopped}");
    assert!(points.len() >= 20 * 60 / usize::try_from(STEP).unwrap());
    sleep(Duration::from_mins(70)).await;
    assert!(agent.hour(uid, begin).points.is_empty(), "an hour later nothing is left");
    assert_eq!(agent.node_hour(begin).points.len(), POINTS, "the node goes on");
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_of_the_agent_the_hour_begins_anew() {
    let mut stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::Never).await;
    sleep(Duration::from_mins(5)).await;
    stage.kill_agent().await;
    sleep(Duration::from_mins(5)).await;
    let begin = now(&stage);
    stage.start_agent();
    let agent = stage.agent.clone().unwrap();
    stage
        .wait_until("a rate", |_| agent.reading(uid).now.is_some_and(|now| now.cpu.is_some()))
        .await;
    let points = agent.hour(uid, Time(0)).points;
    let first = points.first().unwrap().time;
    assert!(first.0 >= begin.0 - i64::try_from(STEP).unwrap() * 1000, "{first} before {begin}");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_vm_leaves_nothing_behind() {
    let stage = Stage::new().await;
    let uid = stage.launch("web", RestartPolicy::Never).await;
    let agent = stage.agent.clone().unwrap();
    stage.wait_until("a measurement", |_| agent.reading(uid).now.is_some()).await;
    stage.hand.delete::<novacron_model::Vm>("web", true).await.unwrap();
    stage.wait_gone::<novacron_model::Vm>("web").await;
    assert!(agent.hour(uid, Time(0)).points.is_empty());
}
