//! Tasks: what was asked for and takes time, and how it ended.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::meta::{Kind, NameRule, ObjectRef, Scope};
use crate::units::Time;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task;

impl Kind for Task {
    const KIND: &'static str = "task";
    const PLURAL: &'static str = "tasks";
    const SCOPE: Scope = Scope::Project;
    const NAMES: NameRule = NameRule::Uid;
    type Spec = TaskSpec;
    type Status = TaskStatus;

    fn summarize(_meta: &crate::Meta, _spec: &TaskSpec, status: &mut TaskStatus) {
        status.state = status.outcome.as_ref().map_or(TaskState::Running, |outcome| outcome.state);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskSpec {
    pub action: Action,
    pub target: ObjectRef,
    /// The target's generation that this task waits for.
    #[serde(default)]
    pub generation: u64,
    /// For verbs that are orders (restart, reset, restore): the order's number. For attach and
    /// detach, whose target is the volume: the VM's generation.
    #[serde(default)]
    pub order: u64,
    /// A user asked to end it early.
    #[serde(default)]
    pub cancel: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Create,
    Start,
    Stop,
    Restart,
    Reset,
    Pause,
    Resume,
    Delete,
    Import,
    Snapshot,
    Restore,
    Attach,
    Detach,
    /// Of a volume; it grows while its guest runs, too.
    Resize,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskStatus {
    /// Derived from the rest.
    #[serde(default)]
    pub state: TaskState,
    /// Writer: the task controller, once, at the end.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// What was done, oldest first, at most 64 lines. Writers: admission, with the task; then the
    /// agent of the target's node, with the report that ends its work, until when see `live`.
    #[serde(default)]
    pub log: Vec<LogLine>,
    /// Flows from the agent while the task runs; never stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    #[default]
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    pub state: TaskState,
    pub finished: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// How many lines the log of a task keeps: its newest.
pub const LOG_LINES: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    pub time: Time,
    pub text: String,
}

/// How far a running task has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Live {
    /// What happens now: `downloading`, `converting`, `waiting for the guest to stop`.
    pub step: String,
    /// Which of the `of` steps of such a task this is, from 1; both zero when it is none of them.
    #[serde(default)]
    pub number: u32,
    #[serde(default)]
    pub of: u32,
    /// Units done and in all (bytes, mostly); both zero when unknown.
    #[serde(default)]
    pub done: u64,
    #[serde(default)]
    pub total: u64,
    /// What was done up to now, oldest first, at most 64 lines.
    #[serde(default)]
    pub log: Vec<LogLine>,
}

impl Live {
    /// Without a place among others, which the API knows, and a log, which the agent keeps.
    pub fn at(step: &str, done: u64, total: u64) -> Self {
        Self { step: step.to_owned(), done, total, ..Self::default() }
    }
}

/// What agents and hosts call the steps of their work.
pub mod step {
    pub const WAIT_FOR_DISKS: &str = "waiting for its disks";
    pub const START: &str = "starting the guest";
    pub const STOP: &str = "waiting for the guest to stop";
    pub const CLEAN_UP: &str = "cleaning up";
    pub const MAKE_DISK: &str = "making the disk";
    pub const COPY_DISK: &str = "copying the disk";
    pub const GROW_DISK: &str = "growing the disk";
    pub const TAKE_SNAPSHOT: &str = "taking";
    pub const DELETE_SNAPSHOT: &str = "deleting";
    pub const DOWNLOAD: &str = "downloading";
    pub const RECEIVE: &str = "receiving";
    pub const CHECK: &str = "checking";
    pub const CONVERT: &str = "converting";
    pub const UNPACK: &str = "unpacking";
}

impl TaskSpec {
    /// The steps that such a task usually goes through, in order; empty where there is but one.
    pub fn steps(&self) -> &'static [&'static str] {
        match (self.action, self.target.kind.as_str()) {
            (Action::Create, "vm") => &[step::WAIT_FOR_DISKS, step::START],
            (Action::Restart, _) => &[step::STOP, step::START],
            (Action::Import, _) => &[step::DOWNLOAD, step::CHECK, step::CONVERT],
            _ => &[],
        }
    }

    /// `live` with its step's place among [`Self::steps`]. What arrives from a client stands where a
    /// download would, what is unpacked where a disk is converted, and who waits for a disk may wait
    /// for a copy.
    pub fn place(&self, mut live: Live) -> Live {
        let known = match live.step.as_str() {
            step::RECEIVE => step::DOWNLOAD,
            step::UNPACK => step::CONVERT,
            step::COPY_DISK => step::WAIT_FOR_DISKS,
            other => other,
        };
        let steps = self.steps();
        if let Some(index) = steps.iter().position(|step| *step == known) {
            live.number = u32::try_from(index + 1).unwrap_or(0);
            live.of = u32::try_from(steps.len()).unwrap_or(0);
        }
        live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(action: Action, kind: &str, step: &str) -> (u32, u32) {
        let (name, uid) = (String::new(), uuid::Uuid::nil());
        let target = ObjectRef { kind: kind.into(), project: None, name, uid };
        let spec = TaskSpec { action, target, generation: 1, order: 0, cancel: false };
        let live = spec.place(Live::at(step, 1, 2));
        (live.number, live.of)
    }

    #[test]
    fn steps_know_their_place() {
        assert_eq!(place(Action::Create, "vm", step::START), (2, 2));
        assert_eq!(place(Action::Import, "image", step::RECEIVE), (1, 3));
        assert_eq!(place(Action::Import, "image", step::UNPACK), (3, 3));
        assert_eq!(place(Action::Create, "vm", step::COPY_DISK), (1, 2));
        assert_eq!(place(Action::Stop, "vm", step::STOP), (0, 0));
        assert_eq!(place(Action::Create, "vm", "thinking"), (0, 0));
    }
}
