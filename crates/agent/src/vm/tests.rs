//! Decisions, one sentence each.

mod fitting;

use std::time::Duration;

use novacron_host::hypervisor::Plug;
use novacron_host::{Handle, Observed, Phase, Stop};
use novacron_model::meta::Meta;
use novacron_model::node::Hold;
use novacron_model::task::Action;
use novacron_model::vm::{
    Exit, ExitCause, Orders, OrdersDone, Placement, RestartPolicy, Run, Runtime, StopOrder, VmSpec,
    VmState, VmStatus,
};
use novacron_model::{Bytes, Error, Name, Object, Seconds, Time, Vm};
use uuid::Uuid;

use super::decide::{at_rest, decide};
use super::outcome::after;
use super::view::{
    Decision, Demand, Disks, Effect, Guest, Memory, Nic, Pressed, SnapshotWork, Step, Unready, View,
};

const NOW: Time = Time(1_000_000_000);

/// A VM and all that its actor sees.
#[derive(Clone)]
struct Scene {
    vm: Object<Vm>,
    runtime: Runtime,
    guest: Option<Guest>,
    unready: Vec<Unready>,
    snapshots: Vec<SnapshotWork>,
    nics: Vec<Nic>,
    memory: Memory,
    uptime: Duration,
    boot: &'static str,
    hold: Option<Hold>,
}

impl Scene {
    fn view(&self) -> View<'_> {
        View {
            node: "n1",
            boot_id: self.boot,
            vm: &self.vm,
            runtime: &self.runtime,
            guest: self.guest.as_ref(),
            last_words: None,
            unready: &self.unready,
            snapshots: &self.snapshots,
            nics: &self.nics,
            hold: self.hold.as_ref(),
            memory: &self.memory,
            now: NOW,
            uptime: self.uptime,
        }
    }

    fn decide(&self) -> Decision {
        decide(&self.view())
    }

    fn step(&self) -> Step {
        self.decide().then
    }

    fn state(&self) -> VmState {
        self.decide().runtime.state
    }
}

/// New, wanted, nothing done yet.
fn new() -> Scene {
    let meta = Meta {
        name: "web".into(),
        project: None,
        uid: Uuid::from_u128(7),
        owner: String::new(),
        revision: 1,
        generation: 1,
        created: NOW,
        deleting: None,
        labels: std::collections::BTreeMap::new(),
        annotations: std::collections::BTreeMap::new(),
    };
    let spec = VmSpec { run: Run::Running, cpus: 1, memory: Bytes::mib(64), ..VmSpec::default() };
    let node = Name::new("n1").ok();
    let placement = Some(Placement { node, epoch: 3, ..Placement::default() });
    let status = VmStatus { placement, ..VmStatus::default() };
    Scene {
        vm: Object { meta, spec, status },
        runtime: Runtime::default(),
        guest: None,
        unready: Vec::new(),
        snapshots: Vec::new(),
        nics: Vec::new(),
        memory: Memory::default(),
        uptime: Duration::from_secs(1000),
        boot: "boot-1",
        hold: None,
    }
}

fn unready(state: Disks) -> Vec<Unready> {
    vec![Unready { disk: Name::new("root").unwrap(), state }]
}

fn handle(epoch: u64) -> Handle {
    Handle {
        driver: "sim".into(),
        uid: Uuid::from_u128(7),
        epoch,
        pid: 42,
        start_ticks: 9,
        boot_id: "boot-1".into(),
    }
}

fn guest(phase: Phase) -> Guest {
    let observed = Observed { phase, started: Some(NOW), reason: None, agent: None };
    Guest { handle: handle(3), observed }
}

/// Runs, and everybody knows.
fn running() -> Scene {
    let runtime = Runtime {
        state: VmState::Running,
        since: NOW,
        observed_generation: 1,
        epoch: 3,
        handle: serde_json::to_value(handle(3)).ok(),
        pid: Some(42),
        started: Some(NOW),
        ..Runtime::default()
    };
    Scene { runtime, guest: Some(guest(Phase::Running)), ..new() }
}

/// A user wants it down.
fn to_stop(timeout: u64, force: bool) -> Scene {
    let mut scene = running();
    scene.vm.spec.run = Run::Stopped;
    scene.vm.meta.generation = 2;
    scene.vm.status.orders.stop = StopOrder { timeout: Seconds(timeout), force };
    scene
}

fn pressed(scene: &mut Scene, first: u64, last: u64) {
    let demand = scene.view().demand();
    let ago = |seconds| scene.uptime.saturating_sub(Duration::from_secs(seconds));
    scene.memory.pressed = Some(Pressed { demand, first: ago(first), last: ago(last) });
}

/// Its process is gone without a word.
fn vanished() -> Scene {
    Scene { guest: None, ..running() }
}

fn destroy() -> Step {
    Step::Do(Effect::Destroy)
}

fn wait(seconds: u64) -> Step {
    Step::Wait(Some(Duration::from_secs(seconds)))
}

#[test]
fn a_new_vm_starts_once_its_disks_are_there() {
    let mut scene = new();
    scene.unready = unready(Disks::Waiting("waiting for volume \"web-root\"".into()));
    assert_eq!((scene.state(), scene.step()), (VmState::Creating, Step::Wait(None)));
    scene.unready.clear();
    let start = Step::Do(Effect::Start { paused: false });
    assert_eq!((scene.state(), scene.step()), (VmState::Starting, start));
}

#[test]
fn a_disk_that_failed_fails_the_vm_and_its_task() {
    let scene = Scene { unready: unready(Disks::Failed("volume \"x\": full".into())), ..new() };
    let Decision { runtime, then } = scene.decide();
    assert_eq!((runtime.state, runtime.observed_generation), (VmState::Failed, 1));
    assert_eq!((runtime.reason.as_deref(), then), (Some("volume \"x\": full"), Step::Wait(None)));
    // Later the disk is there.
    let scene = Scene { runtime, unready: Vec::new(), ..scene };
    assert_eq!(scene.step(), Step::Do(Effect::Start { paused: false }));
}

#[test]
fn a_started_guest_is_followed_only_when_it_is_seen() {
    let mut scene = Scene { guest: Some(guest(Phase::Running)), ..new() };
    scene.runtime.state = VmState::Starting;
    let Decision { runtime, then } = scene.decide();
    assert_eq!((runtime.state, runtime.observed_generation), (VmState::Running, 1));
    assert_eq!((runtime.pid, runtime.epoch, then), (Some(42), 3, Step::Wait(None)));
}

#[test]
fn an_older_epoch_has_no_rights() {
    let mut scene = running();
    scene.vm.status.placement.as_mut().unwrap().epoch = 4;
    assert_eq!(scene.step(), destroy());
    let mut scene = running();
    scene.vm.status.placement.as_mut().unwrap().epoch = 2;
    assert_eq!(scene.step(), Step::Leave, "a stale view decides nothing");
}

#[test]
fn what_lies_on_another_node_is_left_alone() {
    let mut scene = new();
    scene.vm.status.placement.as_mut().unwrap().node = Name::new("n2").ok();
    assert_eq!(scene.step(), Step::Leave);
    scene.vm.meta.deleting = Some(NOW);
    assert_eq!(scene.step(), Step::Leave);
}

#[test]
fn a_deleted_vm_loses_its_process_and_then_its_traces() {
    let mut scene = running();
    scene.vm.meta.deleting = Some(NOW);
    assert_eq!(scene.step(), destroy());
    scene.guest = None;
    assert_eq!(scene.step(), Step::Do(Effect::CleanUp));
}

#[test]
fn a_stop_presses_the_button_and_waits() {
    let mut scene = to_stop(60, false);
    let press = Step::Do(Effect::Press(Stop::PowerButton));
    assert_eq!((scene.state(), scene.step()), (VmState::Stopping, press));
    assert_eq!(scene.decide().runtime.observed_generation, 1, "not followed yet");
    pressed(&mut scene, 3, 3);
    assert_eq!(scene.step(), wait(7));
}

#[test]
fn the_button_is_pressed_again_through_the_agent_if_it_answers() {
    let mut scene = to_stop(60, false);
    pressed(&mut scene, 20, 10);
    assert_eq!(scene.step(), Step::Do(Effect::Press(Stop::PowerButton)));
    scene.runtime.agent = Some(novacron_model::vm::GuestAgent::default());
    assert_eq!(scene.step(), Step::Do(Effect::Press(Stop::Agent)));
}

#[test]
fn when_the_time_is_up_force_decides() {
    let mut scene = to_stop(60, true);
    pressed(&mut scene, 60, 5);
    let Decision { runtime, then } = scene.decide();
    assert_eq!(
        (runtime.exit.map(|exit| exit.cause), then),
        (Some(ExitCause::Requested), destroy())
    );

    let mut scene = to_stop(60, false);
    pressed(&mut scene, 60, 5);
    let Decision { runtime, then } = scene.decide();
    assert_eq!((runtime.state, then), (VmState::Running, Step::Wait(None)));
    let failure = runtime.failure.clone().unwrap();
    assert_eq!((failure.action, failure.generation), (Action::Stop, 2));
    assert_eq!(runtime.observed_generation, 2);
    // And that is all: nobody presses again.
    let scene = Scene { runtime, ..scene };
    assert_eq!(scene.step(), Step::Wait(None));
    assert_eq!(
        scene.decide().runtime.reason.as_deref(),
        Some("the guest did not stop within 60 s")
    );
}

#[test]
fn force_without_time_does_not_even_press() {
    assert_eq!(to_stop(0, true).step(), destroy());
}

#[test]
fn a_later_stop_is_a_new_demand() {
    let mut scene = to_stop(60, false);
    let demand = Demand { generation: 1, ..scene.view().demand() };
    let long_ago = Duration::ZERO;
    scene.memory.pressed = Some(Pressed { demand, first: long_ago, last: long_ago });
    assert_eq!(scene.step(), Step::Do(Effect::Press(Stop::PowerButton)));
}

#[test]
fn a_paused_guest_is_woken_once_before_the_button() {
    let mut scene = to_stop(60, false);
    scene.guest = Some(guest(Phase::Paused));
    assert_eq!(scene.step(), Step::Do(Effect::Resume));
    let (_, memory) = after(&scene.view(), &Effect::Resume, Some(&Error::internal("no")));
    scene.memory = memory;
    assert_eq!(scene.step(), Step::Do(Effect::Press(Stop::PowerButton)));
}

#[test]
fn the_cause_of_an_end_is_written_down_before_the_process_goes() {
    let mut scene = running();
    scene.guest = Some(guest(Phase::ShutDown));
    let Decision { runtime, then } = scene.decide();
    assert_eq!(then, destroy());
    assert_eq!(runtime.exit.as_ref().map(|exit| exit.cause), Some(ExitCause::Guest));
    assert!(runtime.handle.is_some() && runtime.started.is_none());
    // The daemon dies here; another one finds the process, or no longer.
    let found = Scene { runtime: runtime.clone(), ..scene.clone() };
    assert_eq!(found.step(), destroy());
    let gone = Scene { runtime, guest: None, ..scene };
    assert_eq!((gone.state(), gone.step()), (VmState::Stopped, Step::Wait(None)));
}

#[test]
fn a_shutdown_by_the_guest_stays_unless_always() {
    let exit =
        Exit { cause: ExitCause::Guest, time: NOW, generation: 1, detail: None, refused: None };
    let mut scene = new();
    scene.runtime = Runtime {
        state: VmState::Stopping,
        observed_generation: 1,
        exit: Some(exit),
        ..Runtime::default()
    };
    assert_eq!((scene.state(), scene.step()), (VmState::Stopped, Step::Wait(None)));
    scene.vm.spec.restart = RestartPolicy::Always;
    let Decision { runtime, then } = scene.decide();
    assert_eq!((runtime.retry_at, then), (Some(NOW.plus(Seconds(1))), wait(1)));
}

#[test]
fn a_crash_is_answered_by_policy() {
    let Decision { runtime, then } = vanished().decide();
    assert_eq!(runtime.exit.as_ref().map(|exit| exit.cause), Some(ExitCause::Crash));
    assert_eq!((runtime.state, runtime.handle.clone(), then), (VmState::Failed, None, wait(1)));
    // The pause is over.
    let due = Runtime { retry_at: Some(NOW), ..runtime };
    let Decision { runtime, then } = Scene { runtime: due, ..vanished() }.decide();
    assert_eq!((runtime.restarts, then), (1, Step::Do(Effect::Start { paused: false })));

    let mut never = vanished();
    never.vm.spec.restart = RestartPolicy::Never;
    let Decision { runtime, then } = never.decide();
    assert_eq!((runtime.state, then), (VmState::Failed, Step::Wait(None)));
    let down = Scene { runtime, ..never };
    assert_eq!(down.step(), Step::Wait(None), "it stays down");
    assert!({
        let mut vm = down.vm.clone();
        vm.status.runtime = Some(down.runtime.clone());
        at_rest(&vm)
    });
}

#[test]
fn a_boot_of_the_host_is_no_crash() {
    let mut scene = Scene { boot: "boot-2", ..vanished() };
    scene.vm.spec.restart = RestartPolicy::Never;
    let Decision { runtime, then } = scene.decide();
    assert_eq!(runtime.exit.map(|exit| exit.cause), Some(ExitCause::HostBoot));
    assert_eq!((runtime.restarts, then), (0, Step::Do(Effect::Start { paused: false })));
}

#[test]
fn a_user_who_asks_again_need_not_wait() {
    let mut scene = new();
    scene.runtime = Runtime {
        state: VmState::Failed,
        observed_generation: 1,
        restarts: 5,
        retry_at: Some(NOW.plus(Seconds(30))),
        ..Runtime::default()
    };
    assert_eq!(scene.step(), wait(30));
    scene.vm.meta.generation = 2;
    let Decision { runtime, then } = scene.decide();
    assert_eq!((runtime.restarts, then), (0, Step::Do(Effect::Start { paused: false })));
}

#[test]
fn a_start_that_failed_is_told_and_retried() {
    let scene = new();
    let error = Error::conflict("port 8080 on 127.0.0.1 is in use on the host");
    let effect = Effect::Start { paused: false };
    let (runtime, _) = after(&scene.view(), &effect, Some(&error));
    assert_eq!((runtime.state, runtime.observed_generation), (VmState::Failed, 1));
    assert_eq!(runtime.reason.as_deref(), Some("port 8080 on 127.0.0.1 is in use on the host"));
    assert_eq!(Scene { runtime, ..scene }.step(), wait(1));
}

#[test]
fn a_restart_is_noted_before_the_new_process() {
    let mut scene = running();
    scene.vm.meta.generation = 2;
    scene.vm.status.orders = Orders { restart: 1, ..Orders::default() };
    assert_eq!(scene.step(), Step::Do(Effect::Press(Stop::PowerButton)));
    scene.guest = Some(guest(Phase::ShutDown));
    let Decision { runtime, .. } = scene.decide();
    assert_eq!(runtime.exit.as_ref().map(|exit| exit.cause), Some(ExitCause::Requested));
    let scene = Scene { runtime, guest: None, ..scene };
    let Decision { runtime, then } = scene.decide();
    assert_eq!((runtime.done.restart, then), (1, Step::Do(Effect::Start { paused: false })));
    // The daemon died after the start: the new process is adopted, not restarted.
    let scene = Scene { runtime, guest: Some(guest(Phase::Running)), ..scene };
    assert_eq!((scene.state(), scene.step()), (VmState::Running, Step::Wait(None)));
}

#[test]
fn a_reset_is_done_once() {
    let mut scene = running();
    scene.vm.meta.generation = 2;
    scene.vm.status.orders = Orders { reset: 1, ..Orders::default() };
    assert_eq!(scene.step(), Step::Do(Effect::Reset));
    let (runtime, _) = after(&scene.view(), &Effect::Reset, None);
    assert_eq!(runtime.done, OrdersDone { reset: 1, ..OrdersDone::default() });
    assert_eq!(Scene { runtime, ..scene }.step(), Step::Wait(None));
}

#[test]
fn pause_is_tried_once_for_each_wish() {
    let mut scene = running();
    (scene.vm.spec.run, scene.vm.meta.generation) = (Run::Paused, 2);
    assert_eq!(scene.step(), Step::Do(Effect::Pause));
    let error = Error::unsupported("driver x cannot pause");
    let (runtime, memory) = after(&scene.view(), &Effect::Pause, Some(&error));
    let scene = Scene { runtime, memory, ..scene };
    let Decision { runtime, then } = scene.decide();
    assert_eq!((runtime.state, then), (VmState::Running, Step::Wait(None)));
    assert_eq!(runtime.reason.as_deref(), Some("driver x cannot pause"));
    assert_eq!(runtime.failure.map(|failure| failure.action), Some(Action::Pause));
}

#[test]
fn a_full_disk_is_no_pause_of_the_users() {
    let mut scene = running();
    let mut halted = guest(Phase::PausedOnIoError);
    halted.observed.reason = Some("paused: the pool's disk is full".into());
    scene.guest = Some(halted);
    let Decision { runtime, then } = scene.decide();
    assert_eq!((runtime.state, then), (VmState::Paused, Step::Wait(None)));
    assert_eq!(runtime.reason.as_deref(), Some("paused: the pool's disk is full"));
    // Only the user's `resume` ends it, and one try is one try.
    scene.vm.meta.generation = 2;
    assert_eq!(scene.step(), Step::Do(Effect::Resume));
    let (runtime, memory) = after(&scene.view(), &Effect::Resume, None);
    let scene = Scene { runtime, memory, ..scene };
    assert_eq!((scene.state(), scene.step()), (VmState::Paused, Step::Wait(None)));
}

#[test]
fn a_guest_that_obeys_an_overtaken_stop_is_started_again() {
    let mut scene = running();
    scene.vm.meta.generation = 3;
    pressed(&mut scene, 20, 20);
    scene.guest = Some(guest(Phase::ShutDown));
    let cause = |scene: &Scene| scene.decide().runtime.exit.map(|exit| exit.cause);
    assert_eq!(cause(&scene), Some(ExitCause::Requested));
    pressed(&mut scene, 400, 400);
    assert_eq!(cause(&scene), Some(ExitCause::Guest));
}

#[test]
fn restore_comes_before_anything_else_and_only_when_down() {
    let mut scene = vanished();
    scene.vm.spec.run = Run::Stopped;
    scene.runtime = Runtime { state: VmState::Stopped, ..Runtime::default() };
    let restore_from = Some("web.before".to_owned());
    scene.vm.status.orders = Orders { restore: 1, restore_from, ..Orders::default() };
    let restore = Effect::Restore { snapshot: "web.before".into() };
    assert_eq!(scene.step(), Step::Do(restore.clone()));
    let (runtime, _) = after(&scene.view(), &restore, None);
    assert_eq!(Scene { runtime, ..scene.clone() }.step(), Step::Wait(None));
    let live = Scene { guest: Some(guest(Phase::Running)), ..scene };
    assert_eq!(live.step(), Step::Do(Effect::Press(Stop::PowerButton)));
}

#[test]
fn snapshots_are_worked_on_up_or_down() {
    let work = SnapshotWork { name: "web.a".into(), uid: Uuid::from_u128(1), delete: false };
    for scene in [running(), vanished()] {
        let mut scene = Scene { snapshots: vec![work.clone()], ..scene };
        scene.unready.clear();
        assert_eq!(scene.step(), Step::Do(Effect::Snapshot(work.clone())));
    }
}

#[test]
fn a_snapshot_that_cannot_be_deleted_holds_up_nothing() {
    let work = SnapshotWork { name: "web.a".into(), uid: Uuid::from_u128(1), delete: true };
    let taken = SnapshotWork { delete: false, ..work.clone() };
    let both = Scene { snapshots: vec![work.clone(), taken.clone()], ..running() };
    assert_eq!(both.step(), Step::Do(Effect::Snapshot(taken)));
    let snapshots = vec![work.clone()];
    let start = Scene { snapshots: snapshots.clone(), ..new() };
    assert_eq!(start.step(), Step::Do(Effect::Start { paused: false }));
    let mut pause = Scene { snapshots: snapshots.clone(), ..running() };
    pause.vm.spec.run = Run::Paused;
    assert_eq!(pause.step(), Step::Do(Effect::Pause));
    let full = Scene { guest: Some(guest(Phase::PausedOnIoError)), snapshots, ..running() };
    assert_eq!((full.state(), full.step()), (VmState::Paused, Step::Do(Effect::Snapshot(work))));
}

#[test]
fn a_back_off_that_is_due_is_counted_once() {
    for disks in [Disks::Failed("gone".into()), Disks::Waiting("not there yet".into())] {
        let mut scene = Scene { unready: unready(disks), ..vanished() };
        scene.runtime = scene.decide().runtime;
        scene.runtime.retry_at = Some(NOW);
        scene.runtime = scene.decide().runtime;
        assert_eq!((scene.runtime.restarts, scene.runtime.retry_at), (1, None));
        assert_eq!(scene.decide().runtime, scene.runtime, "the next look finds nothing to say");
    }
}

#[test]
fn deciding_twice_about_the_same_world_changes_nothing() {
    let scenes = [new(), running(), vanished(), to_stop(60, true), to_stop(0, true)];
    for scene in scenes {
        let first = scene.decide();
        let again = Scene { runtime: first.runtime.clone(), ..scene.clone() }.decide();
        assert_eq!(first.runtime, again.runtime, "{:?}", scene.runtime.state);
    }
}

/// The host is about to go.
fn hold(number: u64, force: bool) -> Hold {
    let stop = StopOrder { timeout: Seconds(90), force };
    Hold { number, boot_id: "boot-1".into(), since: NOW, stop, released: false }
}

#[test]
fn a_held_guest_is_shut_down_kept_down_and_started_again_whatever_its_policy() {
    for policy in [RestartPolicy::Never, RestartPolicy::OnFailure, RestartPolicy::Always] {
        let mut scene = Scene { hold: Some(hold(1, false)), ..running() };
        scene.vm.spec.restart = policy;
        assert_eq!(scene.state(), VmState::Stopping);
        assert_eq!(scene.step(), Step::Do(Effect::Press(Stop::PowerButton)));
        scene.guest = Some(guest(Phase::ShutDown));
        let Decision { runtime, then } = scene.decide();
        assert_eq!(runtime.exit.as_ref().map(|exit| exit.cause), Some(ExitCause::Requested));
        assert_eq!(then, destroy());
        let mut scene = Scene { runtime, guest: None, ..scene };
        let Decision { runtime, then } = scene.decide();
        assert_eq!((runtime.state, runtime.held, then), (VmState::Stopped, true, Step::Wait(None)));
        assert!(runtime.reason.as_ref().is_some_and(|reason| reason.contains("n1")));
        scene.vm.status.runtime = Some(runtime.clone());
        assert!(!at_rest(&scene.vm), "whoever lists it looks at it again");
        scene.runtime = runtime.clone();
        assert_eq!(scene.decide().runtime, runtime, "the next look finds nothing to say");
        let released = Scene { hold: None, boot: "boot-2", ..scene.clone() };
        let Decision { runtime, then } = released.decide();
        assert_eq!((runtime.held, then), (false, Step::Do(Effect::Start { paused: false })));
        assert_eq!(runtime.restarts, 0);
    }
}

#[test]
fn a_held_guest_that_does_not_listen_runs_on_unless_forced() {
    let pressed = |scene: &Scene| {
        Some(Pressed {
            demand: scene.view().demand(),
            first: Duration::from_mins(15),
            last: Duration::from_secs(985),
        })
    };
    let mut deaf = Scene { hold: Some(hold(1, false)), ..running() };
    deaf.memory.pressed = pressed(&deaf);
    let Decision { runtime, then } = deaf.decide();
    assert_eq!((runtime.state, runtime.done.hold, then), (VmState::Running, 1, Step::Wait(None)));
    deaf.runtime = runtime;
    assert_eq!((deaf.state(), deaf.step()), (VmState::Running, Step::Wait(None)), "left alone");
    // It obeys after all.
    let late = Scene { guest: Some(guest(Phase::ShutDown)), ..deaf.clone() };
    let exit = late.decide().runtime.exit;
    assert_eq!(exit.map(|exit| exit.cause), Some(ExitCause::Requested));
    deaf.hold = Some(hold(2, true));
    assert_eq!(deaf.step(), Step::Do(Effect::Press(Stop::PowerButton)), "asked anew");
    deaf.memory.pressed = pressed(&deaf);
    assert_eq!(deaf.step(), destroy());
}

#[test]
fn nothing_starts_while_the_node_holds_its_guests() {
    let asked = Scene { hold: Some(hold(1, false)), ..new() };
    let mut restarted = Scene { hold: Some(hold(1, false)), ..vanished() };
    restarted.runtime.retry_at = Some(NOW);
    restarted.runtime.state = VmState::Failed;
    restarted.runtime.started = None;
    for scene in [asked, restarted] {
        assert_eq!((scene.state(), scene.step()), (VmState::Stopped, Step::Wait(None)));
        let runtime = scene.decide().runtime;
        let released = Scene { hold: None, runtime, ..scene };
        assert_eq!(released.step(), Step::Do(Effect::Start { paused: false }));
    }
    // Told to stop meanwhile, it stays down after the boot.
    let mut stopped = Scene { hold: Some(hold(1, false)), ..new() };
    stopped.runtime = stopped.decide().runtime;
    stopped.vm.spec.run = Run::Stopped;
    stopped.vm.meta.generation = 2;
    stopped.runtime = stopped.decide().runtime;
    let after = Scene { hold: None, ..stopped };
    assert_eq!((after.state(), after.step()), (VmState::Stopped, Step::Wait(None)));
    assert!(!after.runtime.held);
}

#[test]
fn a_patient_stop_does_not_hold_up_a_host_that_goes() {
    let mut scene = Scene { hold: Some(hold(1, true)), ..to_stop(3600, false) };
    scene.memory.pressed = Some(Pressed {
        demand: scene.view().demand(),
        first: Duration::from_mins(15),
        last: Duration::from_secs(985),
    });
    assert_eq!(scene.step(), destroy());
}

#[test]
fn what_was_down_before_the_hold_stays_down_after_it() {
    let exit =
        Exit { cause: ExitCause::Guest, time: NOW, generation: 1, detail: None, refused: None };
    let mut scene = Scene { hold: Some(hold(1, false)), ..new() };
    scene.runtime = Runtime {
        state: VmState::Stopping,
        observed_generation: 1,
        exit: Some(exit),
        ..Runtime::default()
    };
    scene.runtime = scene.decide().runtime;
    assert!(!scene.runtime.held);
    let after = Scene { hold: None, ..scene };
    assert_eq!((after.state(), after.step()), (VmState::Stopped, Step::Wait(None)));
}

#[test]
fn a_nic_that_fell_out_is_plugged_in_where_it_can_be() {
    let nic = |plug| Nic { mac: "52:00".to_owned(), bridge: Some("br0".to_owned()), plug };
    let mut scene = running();
    scene.nics = vec![nic(Plug::In)];
    assert_eq!(scene.step(), Step::Wait(None));
    assert_eq!(scene.decide().runtime.nics[0].unplugged, None);
    scene.nics = vec![nic(Plug::In), nic(Plug::Out)];
    assert_eq!(scene.step(), Step::Do(Effect::Plug));
    scene.nics = vec![nic(Plug::In), nic(Plug::Cut("it is gone".to_owned()))];
    let decision = scene.decide();
    assert_eq!(decision.then, Step::Wait(None), "there is nothing to plug it into");
    assert_eq!(decision.runtime.state, VmState::Running);
    assert_eq!(decision.runtime.reason.as_deref(), Some("NIC 1 is unplugged: it is gone"));
    // NICs that could not be looked at stay as they were told.
    scene.runtime = decision.runtime;
    scene.nics = Vec::new();
    assert_eq!(scene.decide().runtime.nics, scene.runtime.nics);
}
