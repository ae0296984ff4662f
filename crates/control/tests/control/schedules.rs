//! Snapshots by schedule: taken when due, caught up once, kept as many as wanted.

use std::collections::BTreeMap;

use expect_test::expect;
use novacron_control::{plan_all, vm};
use novacron_model::request::RestoreRequest;
use novacron_model::snapshot::SnapshotState;
use novacron_model::vm::schedule::{Cadence, ScheduledRun};
use novacron_model::{Code, Error, Name, Snapshot, Time, Vm};
use novacron_store::Key;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::agent;
use super::world::{World, says, word};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A stopped VM at eight in the morning of Friday, 2027-01-15.
fn world(schedule: &Value) -> World {
    let mut world = World::single();
    let disks = json!([{"name": "root", "size": 1 << 30}]);
    world.create::<Vm>("web", json!({"disks": disks, "snapshots": schedule})).unwrap();
    world.run_driven();
    world
}

/// The controller is woken when it has asked to be, and by nothing else.
fn until(world: &mut World, time: &str) {
    let end: Time = time.parse().unwrap();
    let family = Key::from(world.key::<Vm>("web"));
    loop {
        let wake = plan_all(&world.at(), &family, world.now).wake;
        let Some(wake) = wake.filter(|wake| *wake <= end) else { break };
        world.now = wake;
        world.plan(&family);
        world.run_driven();
    }
    world.now = end;
}

/// The daemon comes up at this time, after having been down.
fn asleep_until(world: &mut World, time: &str) {
    world.now = time.parse().unwrap();
    world.run();
}

fn run(world: &World, cadence: Cadence) -> ScheduledRun {
    let runs = world.get::<Vm>("web").status.schedule.unwrap().runs;
    runs.into_iter().find(|run| run.cadence == cadence).unwrap()
}

fn snapshots(world: &World) -> String {
    let line = |snapshot: novacron_model::Object<Snapshot>| {
        format!("{} {}\n", snapshot.name(), word(snapshot.status.state))
    };
    world.list::<Snapshot>().into_iter().map(line).collect()
}

/// The node says what came of a snapshot.
fn taken(world: &mut World, name: &str, error: Option<&Error>) {
    let data = json!({"taken": world.now.to_string(), "error": error});
    world.report(&world.key::<Snapshot>(name), "data", &data);
}

#[test]
fn the_newest_are_kept_and_the_first_is_taken_at_the_next_time() {
    let mut world = world(&json!({"daily": 2, "weekly": 1, "at": "02:00"}));
    expect![[r#""#]].assert_eq(&snapshots(&world));
    assert_eq!(run(&world, Cadence::Daily).next.to_string(), "2027-01-16T02:00:00Z");
    until(&mut world, "2027-01-16T01:59:59Z");
    expect![[r#""#]].assert_eq(&snapshots(&world));
    until(&mut world, "2027-01-16T02:00:00Z");
    expect![[r#"
        web.auto-daily-20270116 ready
    "#]]
    .assert_eq(&snapshots(&world));
    until(&mut world, "2027-01-20T12:00:00Z");
    expect![[r#"
        web.auto-daily-20270119 ready
        web.auto-daily-20270120 ready
        web.auto-weekly-20270118 ready
    "#]]
    .assert_eq(&snapshots(&world));
    let daily = run(&world, Cadence::Daily);
    assert_eq!(daily.last.as_deref(), Some("web.auto-daily-20270120"));
    assert_eq!((daily.open, daily.error), (false, None));
    let snapshot = world.get::<Snapshot>("web.auto-daily-20270120");
    assert_eq!(snapshot.meta.owner, "schedule");
    assert_eq!(snapshot.meta.labels["schedule"], "daily");
}

#[test]
fn missed_times_are_made_up_for_once() {
    let mut world = world(&json!({"hourly": 24, "daily": 7, "weekly": 4, "monthly": 12}));
    asleep_until(&mut world, "2027-03-09T10:30:00Z");
    expect![[r#"
        web.auto-daily-20270309 ready
        web.auto-hourly-20270309-10 ready
        web.auto-monthly-20270301 ready
        web.auto-weekly-20270308 ready
    "#]]
    .assert_eq(&snapshots(&world));
    assert_eq!(run(&world, Cadence::Daily).next.to_string(), "2027-03-10T00:00:00Z");
}

#[test]
fn a_snapshot_that_waits_for_its_node_is_that_of_all_missed_times() {
    let mut world = world(&json!({"daily": 7}));
    for day in 16..20 {
        world.now = format!("2027-01-{day}T00:00:00Z").parse().unwrap();
        world.settle();
    }
    expect![[r#"
        web.auto-daily-20270116 creating
    "#]]
    .assert_eq(&snapshots(&world));
    world.run();
    expect![[r#"
        web.auto-daily-20270116 ready
    "#]]
    .assert_eq(&snapshots(&world));
    until(&mut world, "2027-01-20T00:00:00Z");
    expect![[r#"
        web.auto-daily-20270116 ready
        web.auto-daily-20270120 ready
    "#]]
    .assert_eq(&snapshots(&world));
}

#[test]
fn none_goes_before_the_new_one_is_there() {
    let mut world = world(&json!({"daily": 1}));
    until(&mut world, "2027-01-16T08:00:00Z");
    world.now = "2027-01-17T00:00:00Z".parse().unwrap();
    world.settle();
    expect![[r#"
        web.auto-daily-20270116 ready
        web.auto-daily-20270117 creating
    "#]]
    .assert_eq(&snapshots(&world));
    taken(&mut world, "web.auto-daily-20270117", None);
    world.drive();
    expect![[r#"
        web.auto-daily-20270116 deleting
        web.auto-daily-20270117 ready
    "#]]
    .assert_eq(&snapshots(&world));
}

#[test]
fn what_is_being_restored_stays_until_it_is_done() {
    let mut world = world(&json!({"daily": 1}));
    until(&mut world, "2027-01-16T08:00:00Z");
    let body = RestoreRequest { snapshot: Name::new("auto-daily-20270116").unwrap(), stop: false };
    world.now = "2027-01-17T00:00:00Z".parse().unwrap();
    world.verb("web", |request, vm| vm::restore(request, vm, &body)).unwrap();
    world.settle();
    taken(&mut world, "web.auto-daily-20270117", None);
    world.settle();
    expect![[r#"
        web.auto-daily-20270116 ready
        web.auto-daily-20270117 ready
    "#]]
    .assert_eq(&snapshots(&world));
    world.run();
    expect![[r#"
        web.auto-daily-20270117 ready
    "#]]
    .assert_eq(&snapshots(&world));
}

#[test]
fn a_failed_run_is_told_once_and_tried_again_after_growing_pauses() {
    let mut world = world(&json!({"daily": 7}));
    let before = world.events().lines().count();
    world.now = "2027-01-16T00:00:00Z".parse().unwrap();
    for pause in [60, 300, 900, 3600, 3600] {
        world.settle();
        let full = Error::new(Code::StorageFull, "the pool is full");
        taken(&mut world, "web.auto-daily-20270116", Some(&full));
        world.run();
        expect![[r#""#]].assert_eq(&snapshots(&world));
        let run = run(&world, Cadence::Daily);
        assert_eq!(run.retry_at.unwrap().since(world.now), pause * 1000);
        world.now = Time(run.retry_at.unwrap().0 - 1);
        world.settle();
        expect![[r#""#]].assert_eq(&snapshots(&world));
        world.now = run.retry_at.unwrap();
    }
    world.run();
    expect![[r#"
        web.auto-daily-20270116 ready
    "#]]
    .assert_eq(&snapshots(&world));
    let run = run(&world, Cadence::Daily);
    assert_eq!((run.error, run.retry_at, run.attempts, run.open), (None, None, 0, false));
    let events: Vec<_> = world.events().lines().skip(before).map(str::to_owned).collect();
    let failures = events.iter().filter(|event| event.contains("schedule.failed"));
    expect![[r#"schedule schedule.failed: no daily snapshot of VM "web": the pool is full; it is tried again"#]].assert_eq(&failures.cloned().collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_run_that_cannot_help_waits_for_the_next_time() {
    let mut world = world(&json!({"hourly": 7}));
    world.now = "2027-01-15T09:00:00Z".parse().unwrap();
    world.settle();
    let raw = Error::unsupported("disk \"root\" is raw and cannot hold snapshots");
    taken(&mut world, "web.auto-hourly-20270115-09", Some(&raw));
    world.run();
    let first = run(&world, Cadence::Hourly);
    assert_eq!((first.open, first.retry_at), (false, None));
    assert!(first.error.unwrap().message.contains("raw"));
    until(&mut world, "2027-01-15T10:00:00Z");
    expect![[r#"
        web.auto-hourly-20270115-10 ready
    "#]]
    .assert_eq(&snapshots(&world));
}

#[test]
fn a_clock_that_goes_back_does_no_harm() {
    let mut world = world(&json!({"daily": 2}));
    until(&mut world, "2027-01-20T12:00:00Z");
    let before = snapshots(&world);
    asleep_until(&mut world, "2027-01-19T23:59:00Z");
    asleep_until(&mut world, "2027-01-11T12:00:00Z");
    assert_eq!(snapshots(&world), before);
    until(&mut world, "2027-01-12T12:00:00Z");
    expect![[r#"
        web.auto-daily-20270112 ready
        web.auto-daily-20270120 ready
    "#]]
    .assert_eq(&snapshots(&world));
    // Far ahead for a moment.
    asleep_until(&mut world, "2099-01-01T12:00:00Z");
    asleep_until(&mut world, "2027-01-20T12:00:00Z");
    until(&mut world, "2027-01-21T12:00:00Z");
    expect![[r#"
        web.auto-daily-20270120 ready
        web.auto-daily-20270121 ready
    "#]]
    .assert_eq(&snapshots(&world));
}

#[test]
fn only_its_own_are_let_go() {
    let mut world = world(&json!({"daily": 3}));
    world.create::<Snapshot>("web.mine", json!({"vm": "web"})).unwrap();
    world.run();
    until(&mut world, "2027-01-18T12:00:00Z");
    let kept = world.get::<Snapshot>("web.auto-daily-20270116");
    let mut free = kept.clone();
    free.meta.labels.clear();
    world
        .ask(|request| <Snapshot as novacron_control::Resource>::update(request, &kept, free))
        .unwrap();
    world.set::<Vm>("web", &json!({"snapshots": {"daily": 1}})).unwrap();
    world.run_driven();
    expect![[r#"
        web.auto-daily-20270116 ready
        web.auto-daily-20270118 ready
        web.mine ready
    "#]]
    .assert_eq(&snapshots(&world));
    world.set::<Vm>("web", &json!({"snapshots": null})).unwrap();
    world.run_driven();
    until(&mut world, "2027-01-25T12:00:00Z");
    expect![[r#"
        web.auto-daily-20270116 ready
        web.auto-daily-20270118 ready
        web.mine ready
    "#]]
    .assert_eq(&snapshots(&world));
    assert_eq!(world.get::<Vm>("web").status.schedule, None);
    world.delete::<Vm>("web", true).unwrap();
    world.run_driven();
    expect![[r#""#]].assert_eq(&snapshots(&world));
}

#[test]
fn a_snapshot_that_was_taken_away_is_not_taken_again() {
    let mut world = world(&json!({"daily": 3}));
    world.now = "2027-01-16T00:00:00Z".parse().unwrap();
    world.settle();
    world.delete::<Snapshot>("web.auto-daily-20270116", false).unwrap();
    world.run_driven();
    expect![[r#""#]].assert_eq(&snapshots(&world));
    until(&mut world, "2027-01-17T00:00:00Z");
    expect![[r#"
        web.auto-daily-20270117 ready
    "#]]
    .assert_eq(&snapshots(&world));
}

#[test]
fn another_time_of_day_makes_no_second_one_of_the_day() {
    let mut world = world(&json!({"daily": 3, "at": "02:00"}));
    until(&mut world, "2027-01-16T03:00:00Z");
    world.set::<Vm>("web", &json!({"snapshots": {"daily": 3, "at": "04:00"}})).unwrap();
    world.run_driven();
    until(&mut world, "2027-01-17T05:00:00Z");
    expect![[r#"
        web.auto-daily-20270116 ready
        web.auto-daily-20270117 ready
    "#]]
    .assert_eq(&snapshots(&world));
    assert_eq!(run(&world, Cadence::Daily).next.to_string(), "2027-01-18T04:00:00Z");
}

#[test]
fn another_time_of_day_takes_nothing_at_once() {
    let mut world = world(&json!({"daily": 3, "weekly": 1}));
    world
        .set::<Vm>("web", &json!({"snapshots": {"daily": 3, "weekly": 1, "at": "02:00"}}))
        .unwrap();
    world.run_driven();
    expect![[r#""#]].assert_eq(&snapshots(&world));
    assert_eq!(run(&world, Cadence::Daily).next.to_string(), "2027-01-16T02:00:00Z");
    until(&mut world, "2027-01-16T02:00:00Z");
    expect![[r#"
        web.auto-daily-20270116 ready
    "#]]
    .assert_eq(&snapshots(&world));
}

#[test]
fn a_schedule_that_is_set_anew_knows_the_snapshot_of_its_period() {
    let mut world = world(&json!({"daily": 3, "at": "02:00"}));
    until(&mut world, "2027-01-16T03:00:00Z");
    world.set::<Vm>("web", &json!({"snapshots": null})).unwrap();
    world.run_driven();
    world.set::<Vm>("web", &json!({"snapshots": {"daily": 3, "at": "04:00"}})).unwrap();
    world.run_driven();
    until(&mut world, "2027-01-16T05:00:00Z");
    let daily = run(&world, Cadence::Daily);
    assert_eq!(daily.last.as_deref(), Some("web.auto-daily-20270116"));
    assert_eq!(daily.last_taken.unwrap().to_string(), "2027-01-16T02:00:00Z");
}

#[test]
fn one_that_failed_for_an_older_schedule_makes_room() {
    let mut world = world(&json!({"daily": 3}));
    world.now = "2027-01-16T00:00:00Z".parse().unwrap();
    world.settle();
    world.set::<Vm>("web", &json!({"snapshots": {"weekly": 1}})).unwrap();
    world.settle();
    taken(&mut world, "web.auto-daily-20270116", Some(&Error::unavailable("no")));
    world.run();
    expect![[r#"
        web.auto-daily-20270116 failed
    "#]]
    .assert_eq(&snapshots(&world));
    world.set::<Vm>("web", &json!({"snapshots": {"daily": 3, "at": "04:00"}})).unwrap();
    world.run();
    until(&mut world, "2027-01-16T04:00:00Z");
    expect![[r#"
        web.auto-daily-20270116 ready
    "#]]
    .assert_eq(&snapshots(&world));
}

#[test]
fn schedules_that_make_no_sense_are_refused() {
    let mut world = world(&Value::Null);
    let mut refused = |schedule: Value| {
        says(world.set::<Vm>("web", &json!({"snapshots": schedule})).map(|()| "taken"))
    };
    expect!["invalid spec.snapshots: the schedule takes no snapshots; say how many to keep, such as 7 daily ones, or leave the schedule out"].assert_eq(&refused(json!({"at": "02:00"})));
    expect!["invalid spec.snapshots.daily: at most 1000 daily snapshots can be kept"]
        .assert_eq(&refused(json!({"daily": 1001})));
    assert_eq!(world.get::<Vm>("web").spec.snapshots, None);
}

#[derive(Debug, Clone)]
enum Turn {
    /// Seconds; the clock may go back.
    Pass(i64),
    /// Wakes come, agents work.
    Run,
    /// Planners only.
    Settle,
    Fail(usize),
    Delete(usize),
    Keep(Value),
}

fn turn() -> impl Strategy<Value = Turn> {
    let schedule = (0_u32..4, 0_u32..4, 0_u32..3, 0_u32..3, 0_u32..24).prop_map(
        |(hourly, daily, weekly, monthly, hour)| {
            let at = format!("{hour:02}:15");
            json!({"hourly": hourly, "daily": daily, "weekly": weekly, "monthly": monthly, "at": at})
        },
    );
    prop_oneof![
        4 => (0_i64..3 * HOUR).prop_map(Turn::Pass),
        3 => (0_i64..3 * DAY).prop_map(Turn::Pass),
        1 => (0_i64..90 * DAY).prop_map(Turn::Pass),
        1 => (-20 * DAY..0).prop_map(Turn::Pass),
        4 => Just(Turn::Run),
        3 => Just(Turn::Settle),
        1 => (0_usize..8).prop_map(Turn::Fail),
        1 => (0_usize..8).prop_map(Turn::Delete),
        1 => schedule.prop_map(Turn::Keep),
    ]
}

fn perform(world: &mut World, turn: Turn) {
    match turn {
        Turn::Pass(seconds) => world.pass(seconds),
        Turn::Run => world.run(),
        Turn::Settle => world.settle(),
        Turn::Fail(n) => {
            let open = |snapshot: &novacron_model::Object<Snapshot>| {
                snapshot.status.state == SnapshotState::Creating
            };
            let creating = world.list::<Snapshot>().into_iter().filter(open).nth(n);
            if let Some(snapshot) = creating {
                taken(world, snapshot.name(), Some(&Error::unavailable("no")));
            }
        }
        Turn::Delete(n) => {
            if let Some(snapshot) = agent::pick::<Snapshot>(world, n) {
                let _ = world.delete::<Snapshot>(snapshot.name(), false);
            }
        }
        // One without any counts is refused.
        Turn::Keep(schedule) => drop(world.set::<Vm>("web", &json!({"snapshots": schedule}))),
    }
}

/// How many of each kind are in a state.
fn count(world: &World, state: SnapshotState) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for snapshot in world.list::<Snapshot>() {
        if snapshot.status.state == state {
            *counts.entry(snapshot.meta.labels["schedule"].clone()).or_default() += 1;
        }
    }
    counts
}

proptest! {
    #[test]
    fn whatever_happens_there_is_one_at_a_time_and_no_more_than_wanted_are_left(
        turns in proptest::collection::vec(turn(), 1..60)
    ) {
        let mut world = world(&json!({"hourly": 2, "daily": 2, "weekly": 1, "monthly": 1}));
        for turn in turns {
            let passes = matches!(turn, Turn::Pass(_));
            let before = world.list::<Snapshot>();
            perform(&mut world, turn);
            let new = world.list::<Snapshot>().into_iter().filter(|snapshot| {
                before.iter().all(|old| old.meta.uid != snapshot.meta.uid)
            });
            let new: Vec<_> = new.map(|snapshot| snapshot.meta.labels["schedule"].clone()).collect();
            prop_assert!(!passes || new.is_empty());
            for (cadence, open) in count(&world, SnapshotState::Creating) {
                prop_assert!(open <= 1, "{open} {cadence} at once: {}", snapshots(&world));
            }
            for cadence in ["hourly", "daily", "weekly", "monthly"] {
                let made = new.iter().filter(|new| *new == cadence).count();
                prop_assert!(made <= 1, "{made} {cadence} in one turn");
            }
        }
        world.run();
        let schedule = world.get::<Vm>("web").spec.snapshots.unwrap();
        for cadence in Cadence::ALL {
            let ready = count(&world, SnapshotState::Ready).get(cadence.as_str()).copied();
            let keep = usize::try_from(schedule.keep(cadence)).unwrap();
            prop_assert!(keep == 0 || ready.unwrap_or(0) <= keep, "{}", snapshots(&world));
        }
        // It goes on: after the next time everybody has a newer one.
        let now = world.now;
        world.pass(32 * DAY);
        world.run();
        for run in world.get::<Vm>("web").status.schedule.unwrap().runs {
            prop_assert!(run.due > now && !run.open && run.next > world.now, "{run:?}");
            prop_assert_eq!(run.error, None);
        }
    }
}
