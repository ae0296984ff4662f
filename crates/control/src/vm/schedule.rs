//! The controller of a VM's snapshot schedule: takes what is due, once, and lets go what is beyond
//! what is kept.
//!
//! ```text
//!            due ─▶ open ─▶ taken ─▶ the oldest of its own go
//!                   │  ▲
//!           failed ─┘  └─ again after a pause, until the next one is due
//! ```
//!
//! A snapshot is created by admission, as for a user, in the transaction that opens its run, and is
//! named by its period: a crash at any line finds the run open or not begun, and one period never
//! has two. Times that were missed are followed by one run, not by many. Only snapshots that this
//! controller owns and that still carry its label are let go: who takes the label off keeps one.

use novacron_model::request::{Draft, DraftMeta};
use novacron_model::snapshot::{SnapshotSpec, SnapshotState};
use novacron_model::vm::VmSpec;
use novacron_model::vm::schedule::{Cadence, ScheduleStatus, ScheduledRun, SnapshotSchedule};
use novacron_model::{
    Code, Error, Level, Name, Object, Project, Result, Seconds, Secret, Snapshot, Time, Vm, key,
};
use novacron_store::{Key, Snapshot as At, Txn, object};
use uuid::Uuid;

use super::node;
use crate::admission::{Home, Request, Resource, unchanged, unchanged_record};
use crate::index;
use crate::journal::{self, Note, SCHEDULE, called};
use crate::plan::Plan;
use crate::published::Published;
use crate::{copying, placing};

/// Status section with what came of the schedule.
const SECTION: &str = "schedule";
/// Carried by the schedule's snapshots; its value is the cadence.
const LABEL: &str = "schedule";
/// Pauses before a failed run is tried again; the last one from then on.
const PAUSES: [Seconds; 4] = [Seconds(60), Seconds(300), Seconds(900), Seconds(3600)];

/// What a spec asks for can be done.
pub(super) fn check(spec: &VmSpec) -> Result<()> {
    spec.snapshots.as_ref().map_or(Ok(()), SnapshotSchedule::check)
}

struct Scene<'a> {
    at: &'a At,
    family: &'a str,
    vm: &'a Object<Vm>,
    home: Home,
    now: Time,
    schedule: SnapshotSchedule,
    /// All of the VM's.
    snapshots: Vec<Object<Snapshot>>,
}

/// What is to be done beside noting the state of a run.
enum Deed {
    Nothing,
    /// Take a snapshot of this name, without the VM's.
    Take(String),
    /// A failed one makes room for the next try.
    Remove(Box<Object<Snapshot>>),
}

pub(super) fn plan(at: &At, family: &str, vm: &Object<Vm>, now: Time) -> Result<Plan> {
    let section = Key::from(key::section(family, SECTION));
    let Some(schedule) = vm.spec.snapshots else {
        let left = at.get(section.as_str()).is_some();
        let txn = if left { Txn::new().delete(section) } else { Txn::new() };
        return Ok(Plan::commit(txn));
    };
    if node(vm).is_none() || vm.status.runtime.is_none() {
        return Ok(Plan::default());
    }
    let snapshots = object::indexed::<Snapshot>(at, index::VM, &vm.meta.uid.to_string());
    let home = Home::of(at, vm)?;
    let scene = Scene { at, family, vm, home, now, schedule, snapshots };
    if let Some(txn) = scene.follow()? {
        return Ok(Plan::commit(txn));
    }
    if let Some(txn) = scene.prune()? {
        return Ok(Plan::commit(txn));
    }
    let runs = vm.status.schedule.iter().flat_map(|status| &status.runs);
    let times = runs.flat_map(|run| [Some(run.next), run.retry_at]).flatten();
    let wake = times.filter(|time| *time > now).min();
    Ok(wake.map(Plan::wake).unwrap_or_default())
}

impl Scene<'_> {
    /// Brings all runs up to date; one deed at a time.
    fn follow(&self) -> Result<Option<Txn>> {
        let before = self.vm.status.schedule.clone().unwrap_or_default();
        let mut runs = Vec::new();
        let mut txn = None;
        for cadence in Cadence::ALL.into_iter().filter(|each| self.schedule.keep(*each) > 0) {
            let old = before.runs.iter().find(|run| run.cadence == cadence).cloned();
            if txn.is_some() {
                runs.extend(old);
                continue;
            }
            let mut run = old.unwrap_or_else(|| self.first(cadence));
            match self.step(&mut run) {
                Deed::Nothing => {}
                Deed::Take(name) => txn = Some(self.take(&mut run, &name)?),
                Deed::Remove(snapshot) => txn = Some(self.remove(&snapshot)?),
            }
            runs.push(run);
        }
        let status = ScheduleStatus { runs };
        if self.vm.status.schedule.as_ref() == Some(&status) && txn.is_none() {
            return Ok(None);
        }
        let mut txn = txn.unwrap_or_default();
        unchanged(&mut txn, Some(self.home.uid), self.vm);
        unchanged_record(&mut txn, self.at, &key::section(self.family, SECTION));
        self.tell(&mut txn, &before, &status)?;
        object::put_section(&mut txn, self.at, self.family, SECTION, &status, Vec::new())?;
        Ok(Some(txn))
    }

    /// A schedule that is new begins with the next time, not with one that has passed.
    fn first(&self, cadence: Cadence) -> ScheduledRun {
        let due = cadence.due(self.schedule.at, self.now);
        ScheduledRun {
            cadence,
            due,
            next: cadence.after(self.schedule.at, due),
            open: false,
            taking: None,
            attempts: 0,
            retry_at: None,
            last: None,
            last_taken: None,
            error: None,
        }
    }

    /// One look at a run. Decides only.
    fn step(&self, run: &mut ScheduledRun) -> Deed {
        let (cadence, at) = (run.cadence, self.schedule.at);
        let newest = cadence.due(at, self.now);
        if cadence.due(at, run.due) > cadence.after(at, newest) {
            // The clock was far ahead: what it made up does not hold up what is due.
            run.due = newest;
        }
        if newest > run.due {
            run.due = newest;
            // Of another time of day than before: what has passed by the new one was not missed.
            let changed = self.now < run.next;
            // One that is still being taken is that of the missed times, too.
            if run.taking.is_none() && !changed {
                (run.open, run.attempts, run.retry_at) = (true, 0, None);
            }
        }
        run.next = cadence.after(at, run.due);
        if !run.open {
            return Deed::Nothing;
        }
        let Some(name) = run.taking.clone() else { return self.begin(run) };
        let found = self.find(&name);
        match found.map(|snapshot| (snapshot, snapshot.status.state)) {
            Some((_, SnapshotState::Creating | SnapshotState::Deleting)) => Deed::Nothing,
            Some((snapshot, SnapshotState::Ready)) => {
                self.taken(run, snapshot);
                Self::close(run);
                Deed::Nothing
            }
            Some((snapshot, SnapshotState::Failed)) => {
                let error = snapshot.status.data.as_ref().and_then(|data| data.error.clone());
                let error = error.unwrap_or_else(|| Error::unavailable("it failed"));
                self.fail(run, error);
                Deed::Remove(Box::new(snapshot.clone()))
            }
            // A user has taken it away.
            None => {
                Self::close(run);
                Deed::Nothing
            }
        }
    }

    fn begin(&self, run: &mut ScheduledRun) -> Deed {
        // A clock that was ahead may have put it off for longer than any pause is.
        let latest = self.now.plus(PAUSES[PAUSES.len() - 1]);
        if run.retry_at.is_some_and(|retry| self.now < retry && retry <= latest) {
            return Deed::Nothing;
        }
        let under_way = |snapshot: &&Object<Snapshot>| {
            carries(snapshot, run.cadence) && snapshot.status.state == SnapshotState::Creating
        };
        if let Some(snapshot) = self.snapshots.iter().find(under_way) {
            // Begun for a schedule that was another one meanwhile.
            run.taking = Some(snapshot.meta.name.clone());
            return Deed::Nothing;
        }
        let name = run.cadence.snapshot_name(run.due);
        match self.find(&format!("{}.{name}", self.vm.name())) {
            None => Deed::Take(name),
            Some(left) if left.meta.deleting.is_some() => Deed::Nothing,
            // It failed while nobody waited for it: the schedule was another one meanwhile.
            Some(left) if carries(left, run.cadence) && failed(left) => {
                Deed::Remove(Box::new(left.clone()))
            }
            // This period has its snapshot.
            Some(left) => {
                if carries(left, run.cadence) {
                    self.taken(run, left);
                }
                Self::close(run);
                Deed::Nothing
            }
        }
    }

    fn taken(&self, run: &mut ScheduledRun, snapshot: &Object<Snapshot>) {
        let data = snapshot.status.data.as_ref();
        run.last_taken = Some(data.and_then(|data| data.taken).unwrap_or(self.now));
        run.last = Some(snapshot.meta.name.clone());
    }

    fn close(run: &mut ScheduledRun) {
        (run.open, run.taking, run.error) = (false, None, None);
        (run.attempts, run.retry_at) = (0, None);
    }

    /// Tried again after a pause, unless trying cannot help.
    fn fail(&self, run: &mut ScheduledRun, error: Error) {
        run.taking = None;
        let hopeless = matches!(error.code, Code::Unsupported | Code::Invalid);
        run.error = Some(error);
        run.open = !hopeless;
        let tries = usize::try_from(run.attempts.max(1) - 1).unwrap_or(usize::MAX);
        let pause = PAUSES[tries.min(PAUSES.len() - 1)];
        run.retry_at = run.open.then(|| self.now.plus(pause));
    }

    fn find(&self, name: &str) -> Option<&Object<Snapshot>> {
        self.snapshots.iter().find(|snapshot| snapshot.meta.name == name)
    }

    /// The snapshot and its task; or nothing of them, if admission refuses, and a failed run.
    fn take(&self, run: &mut ScheduledRun, name: &str) -> Result<Txn> {
        let project = object::expect::<Project>(self.at, None, self.home.name.as_str())?;
        run.attempts = run.attempts.saturating_add(1);
        let mut count = 0;
        let mut fresh_uid = || {
            count += 1;
            self.uid(run, count)
        };
        let mut request = request(self.at, self.now, &project, &mut fresh_uid);
        let meta = DraftMeta {
            name: format!("{}.{name}", self.vm.name()),
            labels: [(LABEL.to_owned(), run.cadence.to_string())].into(),
            ..DraftMeta::default()
        };
        let spec = SnapshotSpec { vm: Name::new(self.vm.name())?, parent: None };
        let full = meta.name.clone();
        match Snapshot::create(&mut request, Draft { meta, spec }) {
            Ok(admitted) => {
                (run.taking, run.retry_at) = (Some(full), None);
                Ok(admitted.txn)
            }
            Err(error) => {
                self.fail(run, error);
                Ok(Txn::new())
            }
        }
    }

    /// Ids are made of what tells this try from all others: planners know no randomness.
    fn uid(&self, run: &ScheduledRun, count: u8) -> Uuid {
        let mut tail = [0; 10];
        let attempts = run.attempts.to_be_bytes();
        tail[0] = ((run.cadence as u8) << 2) | (count & 0b11);
        tail[1] = attempts[3];
        tail[2..].copy_from_slice(&self.vm.meta.uid.as_bytes()[8..]);
        // The run itself: two may be begun in one millisecond.
        let minutes = (run.due.0 / 60_000).to_be_bytes();
        tail[6..].iter_mut().zip(&minutes[4..]).for_each(|(byte, minute)| *byte ^= minute);
        let millis = u64::try_from(self.now.0).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }

    fn remove(&self, snapshot: &Object<Snapshot>) -> Result<Txn> {
        let project = object::expect::<Project>(self.at, None, self.home.name.as_str())?;
        let mut none = Uuid::nil;
        let request = request(self.at, self.now, &project, &mut none);
        let mut txn = Txn::new();
        placing::mark(&request, &mut txn, snapshot)?;
        Ok(txn)
    }

    /// The oldest of those that the schedule has taken and that are whole, but for the newest ones.
    fn prune(&self) -> Result<Option<Txn>> {
        for cadence in Cadence::ALL {
            let keep = usize::try_from(self.schedule.keep(cadence)).unwrap_or(usize::MAX);
            if keep == 0 {
                continue;
            }
            let ready = |snapshot: &&Object<Snapshot>| {
                carries(snapshot, cadence) && snapshot.status.state == SnapshotState::Ready
            };
            let mut own: Vec<_> = self.snapshots.iter().filter(ready).collect();
            // What bears a time to come was taken before the clock went back.
            let next = cadence.after(self.schedule.at, cadence.due(self.schedule.at, self.now));
            own.sort_by_key(|snapshot| {
                let created = snapshot.meta.created;
                (created < next, created, snapshot.meta.name.clone())
            });
            let beyond = own.len().saturating_sub(keep);
            let gone = own.into_iter().take(beyond).find(|snapshot| !self.is_in_use(snapshot));
            let Some(gone) = gone else { continue };
            let mut txn = self.remove(gone)?;
            copying::none_from(self.at, &mut txn, gone)?;
            unchanged(&mut txn, Some(self.home.uid), self.vm);
            // A restore that is asked for meanwhile keeps it.
            unchanged_record(&mut txn, self.at, &key::section(self.family, super::ORDERS));
            let text = format!(
                "{} goes: VM \"{}\" keeps {keep} {cadence} snapshots",
                called(&gone.reference()),
                self.vm.name()
            );
            self.note(&mut txn, Level::Info, "snapshot.expired", &gone.reference(), text)?;
            return Ok(Some(txn));
        }
        Ok(None)
    }

    fn is_in_use(&self, snapshot: &Object<Snapshot>) -> bool {
        let copied = copying::none_from(self.at, &mut Txn::new(), snapshot).is_err();
        copied || self.is_restored(snapshot)
    }

    fn is_restored(&self, snapshot: &Object<Snapshot>) -> bool {
        let orders = &self.vm.status.orders;
        let done = self.vm.status.runtime.as_ref().map_or(0, |runtime| runtime.done.restore);
        orders.restore > done && orders.restore_from.as_deref() == Some(snapshot.name())
    }

    /// An event for each run whose first try has failed.
    fn tell(&self, txn: &mut Txn, before: &ScheduleStatus, after: &ScheduleStatus) -> Result<()> {
        for run in &after.runs {
            let old = before.runs.iter().find(|old| old.cadence == run.cadence);
            let new = run.attempts == 1 && old.is_none_or(|old| old.error != run.error);
            let Some(error) = run.error.as_ref().filter(|_| new) else { continue };
            let again = match run.retry_at {
                Some(_) => "it is tried again",
                None => "the next one is tried when it is due",
            };
            let vm = self.vm.reference();
            let text = format!("no {} snapshot of {}: {error}; {again}", run.cadence, called(&vm));
            self.note(txn, Level::Warning, "schedule.failed", &vm, text)?;
        }
        Ok(())
    }

    fn note(
        &self,
        txn: &mut Txn,
        level: Level,
        kind: &str,
        about: &novacron_model::ObjectRef,
        text: String,
    ) -> Result<()> {
        let object = Some(about.clone());
        journal::note(txn, self.now, Note { actor: SCHEDULE, level, kind, object, text })
    }
}

/// Whether it is the schedule's own, and nobody has asked to keep it.
fn carries(snapshot: &Object<Snapshot>, cadence: Cadence) -> bool {
    let label = snapshot.meta.labels.get(LABEL);
    snapshot.meta.owner == SCHEDULE && label.is_some_and(|label| label == cadence.as_str())
}

fn failed(snapshot: &Object<Snapshot>) -> bool {
    snapshot.status.state == SnapshotState::Failed
}

fn request<'a>(
    at: &'a At,
    now: Time,
    project: &'a Object<Project>,
    fresh_uid: &'a mut (dyn FnMut() -> Uuid + Send),
) -> Request<'a> {
    Request {
        at,
        now,
        actor: SCHEDULE,
        fresh_uid,
        // Snapshots have no secrets.
        seal: &|secret: &Secret| Ok(secret.clone()),
        project: Some(project),
        published: Published::default(),
    }
}
