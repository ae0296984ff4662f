//! The shell around the decisions: look, decide, report, act once, again.

use std::sync::Arc;
use std::time::Duration;

use novacron_host::Handle;
use novacron_model::task::step;
use novacron_model::vm::{LiveChange, Runtime, VmState};
use novacron_model::{Error, Object, Result, Vm};
use novacron_store::{CommitError, Precondition, Snapshot, object};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::bridges;
use super::decide::decide;
use super::effect::{self, Scene};
use super::happened;
use super::look::{self, Sight};
use super::machine;
use super::outcome;
use super::probe::Probe;
use super::view::{Decision, Effect, Guest, Memory, Nic, SnapshotWork, Step, Unready, View};
use crate::actors::Seat;
use crate::hold;
use crate::node::Node;
use crate::report;

const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Owns one guest for as long as there is something to do about it.
struct Actor {
    node: Arc<Node>,
    seat: Seat,
    /// Whose guest this is; another VM may take the name later.
    uid: Option<Uuid>,
    /// What is true as far as this actor knows. The store may lag behind while it is full.
    runtime: Runtime,
    memory: Memory,
    /// Of the process that was started last, until it is reported.
    fresh: Option<Handle>,
    probe: Probe,
    born: Instant,
    /// Grows while something fails again and again.
    pause: Duration,
}

/// What one look at the world has found.
struct Seen {
    guest: Option<Guest>,
    last_words: Option<String>,
    unready: Vec<Unready>,
    snapshots: Vec<SnapshotWork>,
    nics: Vec<Nic>,
}

/// What comes after one turn.
enum Next {
    Again,
    /// Sleep until a hint comes or the time is up.
    Wait(Option<Duration>),
    /// Something failed: not so fast.
    Pause,
    Leave,
}

pub(crate) async fn run(node: Arc<Node>, seat: Seat) {
    let mut actor = Actor {
        node,
        seat,
        uid: None,
        runtime: Runtime::default(),
        memory: Memory::default(),
        fresh: None,
        probe: Probe::default(),
        born: Instant::now(),
        pause: PAUSE_MIN,
    };
    while !actor.node.ending.is_cancelled() {
        actor.seat.look();
        let next = actor.turn().await.unwrap_or_else(|error| {
            tracing::warn!(vm = %actor.seat.family(), %error, "VM not followed; trying again");
            Next::Pause
        });
        if !matches!(next, Next::Pause) {
            actor.pause = PAUSE_MIN;
        }
        match next {
            Next::Wait(time) => actor.wait(time).await,
            Next::Pause => {
                let pause = actor.pause;
                actor.pause = (pause * 2).min(PAUSE_MAX);
                actor.wait(Some(pause)).await;
            }
            Next::Leave if actor.seat.leave() => return,
            Next::Leave | Next::Again => {}
        }
    }
}

impl Actor {
    async fn turn(&mut self) -> Result<Next> {
        let node = self.node.clone();
        let at = node.store.snapshot();
        let family = self.seat.family().clone();
        let vm = object::by_key::<Vm>(&at, family.as_str())?;
        let Some(vm) = vm.filter(|_| !report::is_cleaned(&at, &family)) else {
            self.clear_board();
            self.uid.inspect(|uid| node.vm_logs.forget(*uid));
            return Ok(Next::Leave);
        };
        self.take_on(&vm);
        let seen = self.see(&at, &vm).await?;
        let (before, memory) = (self.runtime.clone(), self.memory.clone());
        let hold = hold::of(&node, &at);
        let mut view = Self::view(&node, self.born.elapsed(), &vm, &seen, &before, &memory);
        view.hold = hold.as_ref();
        let Decision { runtime, then } = decide(&view);
        let silent = matches!(then, Step::Leave | Step::Do(Effect::CleanUp));
        if !silent && vm.meta.deleting.is_none() {
            if let Err(error) = self.report(&at, &vm, &runtime, &then).await {
                report::warn(&family, &error);
                return Ok(Next::Pause);
            }
            self.runtime = runtime.clone();
        }
        self.show(&vm);
        let effect = match then {
            Step::Leave => {
                self.clear_board();
                return Ok(Next::Leave);
            }
            // What it waits for stays on the board: a later actor goes on from there.
            Step::Wait(None) if seen.guest.is_none() => return Ok(Next::Leave),
            Step::Wait(time) => return Ok(Next::Wait(time)),
            Step::Do(effect) => effect,
        };
        let handle = seen.guest.as_ref().map(|guest| &guest.handle);
        let runtime_now = &runtime;
        let scene =
            Scene { node: &node, at: &at, family: &family, vm: &vm, runtime: runtime_now, handle };
        node.vm_logs.write(vm.meta.uid, &format!("{effect}"));
        let done = effect::perform(scene, &effect).await;
        let error = done.as_ref().err();
        if let Ok(Some(handle)) = &done {
            self.fresh = Some(handle.clone());
        }
        (view.runtime, view.now) = (&runtime, node.now());
        let (runtime, memory) = outcome::after(&view, &effect, error);
        (self.runtime, self.memory) = (runtime, memory);
        Ok(self.after(&effect, error))
    }

    async fn see(&mut self, at: &Snapshot, vm: &Object<Vm>) -> Result<Seen> {
        let known = self.fresh.take().or_else(|| look::handle(&self.runtime));
        let (guest, last_words) = match look::guest(&self.node, vm.meta.uid, known).await? {
            Sight::Live(guest) => (Some(*guest), None),
            Sight::Gone { last_words } => (None, last_words),
        };
        self.note_guest(guest.as_ref());
        let family = self.seat.family();
        let unready = machine::unready(&self.node, at, family, vm);
        let snapshots = look::snapshots(at, family, vm)?;
        let nics = match &guest {
            Some(guest) => bridges::nics(&self.node, at, family, vm, &guest.handle).await,
            None => Vec::new(),
        };
        Ok(Seen { guest, last_words, unready, snapshots, nics })
    }

    fn view<'a>(
        node: &'a Node,
        uptime: Duration,
        vm: &'a Object<Vm>,
        seen: &'a Seen,
        runtime: &'a Runtime,
        memory: &'a Memory,
    ) -> View<'a> {
        View {
            node: node.name(),
            boot_id: &node.config.host.boot_id,
            vm,
            runtime,
            guest: seen.guest.as_ref(),
            last_words: seen.last_words.as_deref(),
            unready: &seen.unready,
            snapshots: &seen.snapshots,
            nics: &seen.nics,
            hold: None,
            memory,
            now: node.now(),
            uptime,
        }
    }

    /// Starts from what was reported last, once for each VM.
    fn take_on(&mut self, vm: &Object<Vm>) {
        if self.uid == Some(vm.meta.uid) {
            return;
        }
        self.uid = Some(vm.meta.uid);
        self.runtime = vm.status.runtime.clone().unwrap_or_default();
        self.memory = Memory::default();
        self.seat.know_guest(vm.meta.uid);
    }

    fn note_guest(&mut self, guest: Option<&Guest>) {
        let handle = guest.map(|guest| &guest.handle);
        if let (true, Some(handle), Some(uid)) = (self.probe.follow(handle), handle, self.uid) {
            let text = format!("the guest is process {}", handle.pid);
            self.node.vm_logs.write(uid, &text);
        }
        if let Some(uid) = self.uid {
            self.node.meter.follow(uid, handle);
        }
        let Some(guest) = guest else { return };
        if guest.observed.agent.is_some() && self.runtime.started.is_some() {
            self.runtime.agent.clone_from(&guest.observed.agent);
        }
    }

    /// Commits what has changed, with the events that follow from it.
    async fn report(
        &self,
        at: &Snapshot,
        vm: &Object<Vm>,
        runtime: &Runtime,
        then: &Step,
    ) -> Result<(), CommitError> {
        let stored = vm.status.runtime.as_ref();
        let starts = matches!(then, Step::Do(Effect::Start { .. }));
        let attaches = matches!(then, Step::Do(Effect::Change(LiveChange::Attach(_))));
        if stored == Some(runtime) && !starts && !attaches {
            return Ok(());
        }
        let node = &self.node;
        let unwritable = |error: Error| CommitError::Unknown(error.message);
        let family = self.seat.family();
        let mut txn = report::section(at, family, "runtime", runtime).map_err(unwritable)?;
        if starts || attaches {
            // From here on the guest counts as having its disks, which keeps them; an edit that
            // came in between may have taken one away.
            txn.preconditions.push(Precondition::At(family.clone(), vm.meta.revision));
        }
        if starts {
            // So may an order that all guests of the node are to be down.
            txn.preconditions.push(hold::unchanged(node, at));
        }
        let old = stored.cloned().unwrap_or_default();
        let happenings = happened::between(vm.name(), &old, runtime);
        for happened::Happening { level, kind, text } in &happenings {
            report::add_event(&mut txn, node, vm, *level, kind, text.clone())
                .map_err(unwritable)?;
        }
        if step_of(runtime.state).is_none() {
            report::add_log(&mut txn, node, at, family, vm.meta.uid).map_err(unwritable)?;
        }
        node.commit(txn).await?;
        self.note(&old, runtime, &happenings);
        Ok(())
    }

    /// Writes into the VM's log what was reported.
    fn note(&self, old: &Runtime, new: &Runtime, happenings: &[happened::Happening]) {
        let Some(uid) = self.uid else { return };
        for happening in happenings {
            self.node.vm_logs.write(uid, &happening.text);
        }
        if (old.state, &old.reason) != (new.state, &new.reason) {
            let reason = new.reason.as_ref().map(|reason| format!(": {reason}"));
            let text = format!("{}{}", new.state, reason.unwrap_or_default());
            self.node.vm_logs.write(uid, &text);
        }
    }

    /// Puts on the board what the VM is waiting for.
    fn show(&self, vm: &Object<Vm>) {
        let (board, uid) = (&self.node.board, vm.meta.uid);
        let going_on = match vm.meta.deleting {
            Some(_) => Some(step::CLEAN_UP),
            None => step_of(self.runtime.state),
        };
        match going_on {
            Some(step) => board.step(uid, step),
            None => board.clear(uid),
        }
    }

    /// Nothing is being done here about this VM any more.
    fn clear_board(&self) {
        if let Some(uid) = self.uid {
            self.node.board.clear(uid);
        }
    }

    fn after(&self, effect: &Effect, error: Option<&Error>) -> Next {
        let Some(error) = error else {
            return if *effect == Effect::CleanUp { Next::Leave } else { Next::Again };
        };
        tracing::warn!(vm = %self.seat.family(), ?effect, %error, "could not be done");
        if let Some(uid) = self.uid {
            self.node.board.write(uid, error.to_string());
            self.node.vm_logs.write(uid, &format!("{effect} failed: {error}"));
        }
        match effect {
            Effect::Destroy
            | Effect::CleanUp
            | Effect::Snapshot(_)
            | Effect::Plug
            | Effect::Change(_) => Next::Pause,
            _ => Next::Again,
        }
    }

    /// Until a hint, the guest agent's answer, or the time to look again.
    async fn wait(&mut self, time: Option<Duration>) {
        let node = self.node.clone();
        let observe = node.config.timing.observe;
        let time = time.map_or(observe, |time| time.min(observe));
        tokio::select! {
            () = node.ending.cancelled() => {}
            () = self.seat.woken() => {}
            () = sleep(time) => {}
            agent = self.probe.answer(&node) => {
                if self.runtime.started.is_some() {
                    self.runtime.agent = Some(agent);
                }
            }
        }
    }
}

/// What a VM in this state is waiting for; none if it rests.
fn step_of(state: VmState) -> Option<&'static str> {
    match state {
        VmState::Creating => Some(step::WAIT_FOR_DISKS),
        VmState::Starting => Some(step::START),
        VmState::Stopping => Some(step::STOP),
        _ => None,
    }
}
