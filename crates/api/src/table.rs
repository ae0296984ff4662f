//! The route table: one line per resource. REST paths, the OpenAPI document and the GraphQL schema
//! are all made from it.

use std::fmt;

use novacron_control::Resource;
use novacron_model::request::{
    AttachRequest, CloneRequest, DetachRequest, RestoreRequest, StopRequest,
};
use novacron_model::{
    Image, JoinToken, Kind, Member, NameRule, Network, Node, Pool, Project, Scope, Snapshot, Task,
    Token, Vm, Volume,
};
use serde_json::Value;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::auth::{Caller, joins, sessions};
use crate::problem;
use crate::resource::idempotency::Claim;
use crate::resource::{Operations, Typed, Written};
use crate::state::Api;

/// Named schemas, as utoipa collects them.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// What may be done with the objects of a kind beside reading them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allows {
    pub create: bool,
    pub update: bool,
    pub delete: bool,
}

const ALL: Allows = Allows { create: true, update: true, delete: true };
const EDIT: Allows = Allows { create: false, update: true, delete: false };
const ISSUE: Allows = Allows { create: true, update: false, delete: true };
const KEEP: Allows = Allows { create: false, update: true, delete: true };
const PRUNE: Allows = Allows { create: false, update: false, delete: true };

/// `POST …/{name}/{verb}`.
#[derive(Debug, Clone, Copy)]
pub struct Verb {
    pub name: &'static str,
    /// One sentence for the documentation.
    pub summary: &'static str,
    /// The body's schema; `None`: no body.
    pub body: Option<Body>,
    pub answer: Answer,
}

/// The type of a verb's body.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    pub name: fn() -> String,
    pub schemas: fn(&mut Schemas),
    /// It has fields without a default.
    pub required: bool,
}

/// What a verb answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 202 and the task that carries it out.
    Task,
    /// 200 and the object as it is now.
    Object,
}

/// One resource.
#[derive(Clone, Copy)]
pub struct Row {
    pub kind: &'static str,
    pub plural: &'static str,
    pub scope: Scope,
    pub names: NameRule,
    pub allows: Allows,
    pub verbs: &'static [Verb],
    pub spec: fn() -> String,
    pub status: fn() -> String,
    pub schemas: fn(&mut Schemas),
    pub ops: &'static dyn Operations,
}

impl Row {
    /// Creates an object. Tokens are made with a secret, everything else by admission alone.
    pub async fn create(
        &self,
        api: &Api,
        caller: &Caller,
        project: Option<&str>,
        body: Value,
        claim: Option<Claim>,
    ) -> problem::Answer<Written> {
        match self.kind {
            Token::KIND => sessions::create_token(api, caller, body, claim).await,
            JoinToken::KIND => joins::create_token(api, caller, body, claim).await,
            _ => self.ops.create(api, caller, project, body, claim).await,
        }
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.plural)
    }
}

/// Every resource, in the order of the documentation.
pub fn rows() -> [Row; 12] {
    [
        row::<Project>(ALL, &[]),
        row::<Vm>(ALL, VM_VERBS),
        row::<Volume>(ALL, &[]),
        row::<Image>(ALL, &[]),
        row::<Network>(ALL, &[]),
        row::<Snapshot>(ALL, &[]),
        row::<Task>(PRUNE, TASK_VERBS),
        row::<Node>(EDIT, NODE_VERBS),
        row::<Member>(KEEP, MEMBER_VERBS),
        row::<JoinToken>(ISSUE, &[]),
        row::<Pool>(ALL, &[]),
        row::<Token>(ALL, &[]),
    ]
}

/// The row of a kind.
///
/// # Panics
/// When there is no such kind: callers pass `Kind::KIND`.
pub fn row_of(kind: &str) -> Row {
    match rows().into_iter().find(|row| row.kind == kind) {
        Some(row) => row,
        None => unreachable!("no kind is called {kind}"),
    }
}

const VM_VERBS: &[Verb] = &[
    verb("start", "Starts the VM.", None, Answer::Task),
    verb("stop", "Asks the guest to shut down.", Some(body::<StopRequest>(false)), Answer::Task),
    verb("restart", "Stops and starts the VM.", Some(body::<StopRequest>(false)), Answer::Task),
    verb("reset", "Presses the reset button.", None, Answer::Task),
    verb("pause", "Halts the guest's CPUs.", None, Answer::Task),
    verb("resume", "Lets a paused guest go on.", None, Answer::Task),
    verb("revert", "Takes back the changes that wait for a restart.", None, Answer::Object),
    verb("restore", "Goes back to a snapshot.", Some(body::<RestoreRequest>(true)), Answer::Task),
    verb(
        "clone",
        "Makes a VM like this one, with copies of its disks.",
        Some(body::<CloneRequest>(true)),
        Answer::Task,
    ),
    verb("attach", "Attaches a volume.", Some(body::<AttachRequest>(true)), Answer::Task),
    verb("detach", "Detaches a volume.", Some(body::<DetachRequest>(true)), Answer::Task),
];

const NODE_VERBS: &[Verb] = &[
    verb(
        "stop-guests",
        "Shuts all guests down until the host's next boot; what their VMs should do stays.",
        Some(body::<StopRequest>(false)),
        Answer::Object,
    ),
    verb("start-guests", "Lets guests start that were kept down.", None, Answer::Object),
];

const MEMBER_VERBS: &[Verb] = &[
    verb("promote", "Lets the member vote whatever the others do.", None, Answer::Object),
    verb("demote", "Takes the member's vote.", None, Answer::Object),
];

const TASK_VERBS: &[Verb] = &[verb("cancel", "Asks the task to end early.", None, Answer::Task)];

const fn verb(
    name: &'static str,
    summary: &'static str,
    body: Option<Body>,
    answer: Answer,
) -> Verb {
    Verb { name, summary, body, answer }
}

const fn body<T: ToSchema>(required: bool) -> Body {
    Body { name: || T::name().into_owned(), schemas: collect::<T>, required }
}

fn row<K: Resource>(allows: Allows, verbs: &'static [Verb]) -> Row {
    Row {
        kind: K::KIND,
        plural: K::PLURAL,
        scope: K::SCOPE,
        names: K::NAMES,
        allows,
        verbs,
        spec: || K::Spec::name().into_owned(),
        status: || K::Status::name().into_owned(),
        schemas: |all| {
            collect::<K::Spec>(all);
            collect::<K::Status>(all);
        },
        ops: Typed::<K>::OPERATIONS,
    }
}

/// Adds a type's schema and those it refers to.
pub fn collect<T: ToSchema + PartialSchema>(all: &mut Schemas) {
    T::schemas(all);
    all.push((T::name().into_owned(), T::schema()));
}
