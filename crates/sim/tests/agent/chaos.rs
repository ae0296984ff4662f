//! Random days, each from a seed: users, crashes and full disks at once; then everything heals and
//! the world must be what the specs say.

use std::time::Duration;

use novacron_control::{Admitted, Request, vm};
use novacron_model::request::StopRequest;
use novacron_model::task::TaskState;
use novacron_model::vm::{RestartPolicy, Run, VmSpec, VmState};
use novacron_model::{Object, Seconds, Task, Vm, Volume};
use novacron_store::{Store, object};
use tokio::time::sleep;

use crate::stage::{Stage, spec};

const NAMES: [&str; 3] = ["a", "b", "c"];
const STEPS: u64 = 60;

/// More with `NOVACRON_SEEDS=1000`.
fn seeds() -> u64 {
    std::env::var("NOVACRON_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(25)
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_the_world_becomes_what_the_specs_say() {
    for seed in 0..seeds() {
        let mut stage = Stage::new().await;
        let mut dice = Dice(seed);
        for _ in 0..STEPS {
            step(&mut stage, &mut dice).await;
            sleep(Duration::from_millis(dice.roll(dice.clone().weight()))).await;
            check_always(&stage, seed);
        }
        heal(&mut stage);
        check_healed(&stage, seed).await;
    }
}

async fn step(stage: &mut Stage, dice: &mut Dice) {
    let name = NAMES[usize::try_from(dice.roll(3)).unwrap()];
    let uid = stage.hand.get::<Vm>(name).unwrap().map(|vm| vm.meta.uid);
    let world = stage.machine.world.clone();
    match (dice.roll(20), uid) {
        (0..=3, _) => create(stage, dice, name).await,
        (4..=5, _) => act(stage, name, vm::start).await,
        (6..=8, _) => {
            let force = dice.roll(2) == 0;
            let body = StopRequest { timeout: Some(Seconds(dice.roll(20))), force };
            act(stage, name, |request, vm| vm::stop(request, vm, &body)).await;
        }
        (9, _) => {
            let body = StopRequest { timeout: Some(Seconds(5)), force: dice.roll(2) == 0 };
            act(stage, name, |request, vm| vm::restart(request, vm, &body)).await;
        }
        (10, _) => act(stage, name, vm::pause).await,
        (11, _) => act(stage, name, vm::resume).await,
        (12, _) => drop(stage.hand.delete::<Vm>(name, true).await),
        (13, Some(uid)) => world.crash(uid),
        (14, Some(uid)) => world.power_off(uid),
        (15, Some(uid)) => world.deafen(uid),
        (16, Some(uid)) => world.fill_disk(uid),
        (17, _) => stage.store.set_full(dice.roll(3) == 0),
        (18, _) if dice.roll(4) == 0 => {
            stage.kill_agent().await;
            world.reboot();
            stage.start_agent();
        }
        _ => {
            stage.kill_agent().await;
            stage.start_agent();
        }
    }
}

async fn create(stage: &Stage, dice: &mut Dice, name: &str) {
    let policies = [RestartPolicy::OnFailure, RestartPolicy::Always, RestartPolicy::Never];
    let restart = policies[usize::try_from(dice.roll(3)).unwrap()];
    let run = if dice.roll(4) == 0 { Run::Stopped } else { Run::Running };
    // Refused while the name is taken.
    drop(stage.hand.create::<Vm>(name, VmSpec { run, restart, ..spec() }).await);
}

async fn act(
    stage: &Stage,
    name: &str,
    verb: impl FnMut(&mut Request<'_>, &Object<Vm>) -> novacron_model::Result<Admitted>,
) {
    // Refused when there is no such VM, or when its state forbids it.
    drop(stage.hand.act::<Vm>(name, verb).await);
}

/// What holds at every moment.
fn check_always(stage: &Stage, seed: u64) {
    assert_eq!(stage.witness.violations(), Vec::<String>::new(), "seed {seed}");
    let vms = vms(stage);
    for uid in stage.machine.world.guests() {
        assert!(vms.iter().any(|vm| vm.meta.uid == uid), "seed {seed}: {uid} runs for nobody");
    }
}

fn heal(stage: &mut Stage) {
    stage.store.set_full(false);
    if stage.agent.is_none() {
        stage.start_agent();
    }
}

async fn check_healed(stage: &Stage, seed: u64) {
    let what = format!("the world of seed {seed} to settle");
    stage.wait_until(&what, |stage| vms(stage).iter().all(settled) && no_open_task(stage)).await;
    // Nothing moves any more, but what retries.
    sleep(Duration::from_secs(5)).await;
    stage.wait_until(&what, |stage| vms(stage).iter().all(settled) && no_open_task(stage)).await;
    let live = stage.machine.world.guests();
    for vm in vms(stage) {
        let runtime = vm.status.runtime.clone().unwrap_or_default();
        let runs = matches!(runtime.state, VmState::Running | VmState::Paused);
        assert_eq!(live.contains(&vm.meta.uid), runs, "seed {seed}: {vm:#?}");
        assert_eq!(runtime.pid.is_some(), runs, "seed {seed}: {vm:#?}");
        let made = stage.hand.get::<Volume>(&format!("{}-root", vm.name())).unwrap().unwrap();
        assert_eq!(stage.machine.pools.made(made.meta.uid), 1, "seed {seed}: made once");
    }
    assert_eq!(stage.machine.pools.volumes().len(), vms(stage).len(), "seed {seed}");
    check_always(stage, seed);
}

fn settled(vm: &Object<Vm>) -> bool {
    let Some(runtime) = &vm.status.runtime else { return false };
    let gave_up = runtime.state == VmState::Failed && runtime.retry_at.is_none();
    let as_wanted = match vm.spec.run {
        Run::Running => {
            let halted = runtime.state == VmState::Paused && runtime.reason.is_some();
            runtime.state == VmState::Running || halted || gave_up
        }
        Run::Paused => runtime.state == VmState::Paused || gave_up,
        Run::Stopped => matches!(runtime.state, VmState::Stopped | VmState::Failed),
    };
    let followed = runtime.observed_generation >= vm.meta.generation;
    vm.meta.deleting.is_none() && followed && as_wanted
}

fn no_open_task(stage: &Stage) -> bool {
    let at = stage.store.snapshot();
    let tasks = object::list::<Task>(&at, None);
    tasks.iter().all(|task| task.status.state != TaskState::Running)
}

fn vms(stage: &Stage) -> Vec<Object<Vm>> {
    object::list::<Vm>(&stage.store.snapshot(), None)
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// Mostly short pauses, sometimes long ones.
    fn weight(mut self) -> u64 {
        [5, 20, 200, 30_000][usize::try_from(self.roll(4)).unwrap()]
    }
}
