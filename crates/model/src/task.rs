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
    /// For verbs that are orders (restart, reset, restore): the order's number.
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
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskStatus {
    /// Derived from the rest.
    #[serde(default)]
    pub state: TaskState,
    /// Writer: the task controller, once, at the end.
    #[serde(default)]
    pub outcome: Option<Outcome>,
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

/// How far a running task has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Live {
    /// What happens now: `downloading`, `converting`, `waiting for the guest to stop`.
    pub step: String,
    /// Units done and in all (bytes, mostly); both zero when unknown.
    #[serde(default)]
    pub done: u64,
    #[serde(default)]
    pub total: u64,
}
