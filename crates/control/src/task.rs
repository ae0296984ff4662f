//! Tasks: begun by whatever takes time, judged by a look at their target, ended once, pruned.
//!
//! A task only observes. `task#open` exists from its beginning to its end; it carries the rows by
//! which a change of the target finds the task.

use novacron_model::request::Draft;
use novacron_model::task::{Action, Outcome, TaskSpec, TaskState, TaskStatus};
use novacron_model::{Error, Kind, Level, Meta, Object, Result, Task, Time, key};
use novacron_store::{CounterAdd, Key, Precondition, Snapshot, Txn, object};
use uuid::Uuid;

use crate::admission::{Admitted, DeleteOptions, Home, Request, Resource};
use crate::index::{self, OPEN, row};
use crate::journal::{self, Note, called};
use crate::plan::Plan;

mod cancel;
mod goal;
mod prune;
mod remains;

pub use cancel::cancel;
pub(crate) use prune::{forget_all, oldest};

use goal::Verdict;

/// The task about an object that has not ended, for callers that must name it later.
pub fn open_for<K: Kind>(
    at: &Snapshot,
    project: Uuid,
    object: &Object<K>,
    action: Action,
) -> Option<Uuid> {
    let family = key::object::<K>(Some(project), object.name());
    let prefix = format!("{}/", Task::KIND);
    let waiting = at.indexed(index::WAITS_ON, &family, "");
    let tasks = waiting.iter().filter(|waiting| waiting.as_str().starts_with(&prefix));
    let mut tasks = tasks.filter_map(|task| object::by_key::<Task>(at, task.as_str()).ok()?);
    let found =
        tasks.find(|task| task.spec.target.uid == object.meta.uid && task.spec.action == action);
    found.map(|task| task.meta.uid)
}

/// What a task waits for beside its target.
pub(crate) struct Watched {
    pub order: u64,
    /// Another family whose changes the task is to hear of.
    pub also: Option<String>,
}

/// Creates a task about `target`, which is as it will be after the transaction.
pub(crate) fn begin<K: Kind>(
    request: &mut Request<'_>,
    txn: &mut Txn,
    action: Action,
    target: &Object<K>,
    order: u64,
) -> Result<Uuid> {
    begin_watching(request, txn, action, target, Watched { order, also: None })
}

/// As [`begin`], for a task that has to look at more than its target.
pub(crate) fn begin_watching<K: Kind>(
    request: &mut Request<'_>,
    txn: &mut Txn,
    action: Action,
    target: &Object<K>,
    watched: Watched,
) -> Result<Uuid> {
    let home = request.home()?;
    let uid = (request.fresh_uid)();
    let meta = Meta {
        name: uid.to_string(),
        project: Some(home.name),
        uid,
        owner: request.actor.to_owned(),
        revision: 0,
        generation: 1,
        created: request.now,
        deleting: None,
        labels: std::collections::BTreeMap::new(),
        annotations: std::collections::BTreeMap::new(),
    };
    let generation = target.meta.generation;
    let Watched { order, also } = watched;
    let spec = TaskSpec { action, target: target.reference(), generation, order, cancel: false };
    let task = Object::<Task> { meta, spec, status: TaskStatus::default() };
    object::create(txn, Some(home.uid), &task, vec![row(index::TARGET, &target.meta.uid)])?;
    let family = key::object::<Task>(Some(home.uid), task.name());
    let mut rows = vec![row(index::TASK, OPEN)];
    let own = key::object::<K>(Some(home.uid), target.name());
    rows.extend(std::iter::once(own).chain(also).map(|family| row(index::WAITS_ON, &family)));
    object::put_section(txn, request.at, &family, OPEN, &true, rows)?;
    Ok(uid)
}

/// What was asked for is under way already: its task, and nothing to commit.
pub(crate) fn again<K: Kind>(
    request: &mut Request<'_>,
    target: &Object<K>,
    action: Action,
) -> Result<Admitted> {
    if let Some(task) = open_for(request.at, request.home()?.uid, target, action) {
        return Ok(Admitted::task(Txn::new(), task));
    }
    let mut txn = Txn { frees: true, ..Txn::new() };
    let task = begin(request, &mut txn, action, target, 0)?;
    Ok(Admitted::task(txn, task))
}

impl Resource for Task {
    fn create(_request: &mut Request<'_>, _draft: Draft<Self>) -> Result<Admitted> {
        Err(Error::unsupported("tasks are not created by hand")
            .hint("whatever takes time makes its task by itself"))
    }

    fn update(
        request: &mut Request<'_>,
        old: &Object<Self>,
        new: Object<Self>,
    ) -> Result<Admitted> {
        if old.spec != new.spec {
            return Err(Error::invalid("spec", "the spec of a task cannot be changed")
                .hint("use `cancel` to end it early"));
        }
        let mut txn = Txn::new();
        request.put_changed(&mut txn, old, &new, None)?;
        Ok(Admitted::done(txn))
    }

    fn delete(
        request: &mut Request<'_>,
        old: &Object<Self>,
        _options: DeleteOptions,
    ) -> Result<Admitted> {
        if old.status.outcome.is_none() {
            let message = format!("task {} is still running", old.name());
            return Err(Error::conflict(message).hint("cancel it, or wait for its end"));
        }
        let home = request.home()?;
        let mut txn = Txn { frees: true, ..Txn::new() };
        object::remove(&mut txn, request.at, Some(home.uid), old);
        txn.counters.push(prune::count(home.uid, -1));
        Ok(Admitted::done(txn))
    }
}

/// Ends a task whose goal is reached or out of reach. The oldest one also prunes.
pub(crate) fn plan(at: &Snapshot, family: &str, now: Time) -> Result<Plan> {
    // Before the task is read: one that this version cannot decode must not keep all others.
    if let Some(txn) = prune::plan(at, family, now) {
        return Ok(Plan::commit(txn));
    }
    let Some(task) = object::by_key::<Task>(at, family)? else { return Ok(Plan::default()) };
    if task.status.outcome.is_some() {
        return Ok(Plan::default());
    }
    let home = Home::of(at, &task)?;
    let outcome = match goal::judge(at, &home, &task)? {
        Verdict::Wait => return Ok(Plan::default()),
        Verdict::Done => Outcome { state: TaskState::Succeeded, finished: now, error: None },
        Verdict::Failed(error) => {
            Outcome { state: TaskState::Failed, finished: now, error: Some(error) }
        }
        Verdict::Cancelled(error) => Outcome { state: TaskState::Cancelled, finished: now, error },
    };
    let mut txn = end(at, &home, family, &task, &outcome)?;
    if outcome.state == TaskState::Failed {
        remains::clear(at, &home, &task, now, &mut txn)?;
    }
    Ok(Plan::commit(txn))
}

fn end(
    at: &Snapshot,
    home: &Home,
    family: &str,
    task: &Object<Task>,
    outcome: &Outcome,
) -> Result<Txn> {
    let open = Key::from(key::section(family, OPEN));
    let mut txn = Txn::new().require(Precondition::Present(open.clone())).delete(open);
    txn.frees = task.spec.action == Action::Delete;
    object::put_section(&mut txn, at, family, "outcome", outcome, Vec::new())?;
    txn.counters.push(prune::count(home.uid, 1));
    if let (TaskState::Failed, Some(error)) = (outcome.state, &outcome.error) {
        let target = &task.spec.target;
        let text =
            format!("{} of {} failed: {error}", goal::noun(task.spec.action), called(target));
        let note = Note {
            actor: &task.meta.owner,
            level: Level::Error,
            kind: "task.failed",
            object: Some(target.clone()),
            text,
        };
        journal::note(&mut txn, outcome.finished, note)?;
    }
    Ok(txn)
}

/// A counter that follows how many ended tasks a project keeps.
fn counter(project: Uuid) -> String {
    format!("tasks/{project}")
}

fn add(project: Uuid, delta: i64) -> CounterAdd {
    CounterAdd { name: counter(project), delta, min: None, max: None }
}
