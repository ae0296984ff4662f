//! The route table: one line per resource. REST paths, the OpenAPI document and the GraphQL schema
//! are all made from it.

use novacron_model::request::{AttachRequest, DetachRequest, RestoreRequest, StopRequest};
use novacron_model::{
    Image, Kind, Network, Node, Pool, Project, Scope, Snapshot, Task, Token, Vm, Volume,
};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

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
const GRANT: Allows = Allows { create: true, update: false, delete: true };
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
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub kind: &'static str,
    pub plural: &'static str,
    pub scope: Scope,
    pub allows: Allows,
    pub verbs: &'static [Verb],
    pub spec: fn() -> String,
    pub status: fn() -> String,
    pub schemas: fn(&mut Schemas),
}

/// Every resource, in the order of the documentation.
pub fn rows() -> [Row; 10] {
    [
        row::<Project>(ALL, &[]),
        row::<Vm>(ALL, VM_VERBS),
        row::<Volume>(ALL, &[]),
        row::<Image>(ALL, &[]),
        row::<Network>(ALL, &[]),
        row::<Snapshot>(ALL, &[]),
        row::<Task>(PRUNE, TASK_VERBS),
        row::<Node>(EDIT, &[]),
        row::<Pool>(ALL, &[]),
        row::<Token>(GRANT, &[]),
    ]
}

const VM_VERBS: &[Verb] = &[
    verb("start", "Starts the VM.", None, Answer::Task),
    verb("stop", "Asks the guest to shut down.", Some(body::<StopRequest>(false)), Answer::Task),
    verb("restart", "Stops and starts the VM.", Some(body::<StopRequest>(false)), Answer::Task),
    verb("reset", "Presses the reset button.", None, Answer::Task),
    verb("pause", "Halts the guest's CPUs.", None, Answer::Task),
    verb("resume", "Lets a paused guest go on.", None, Answer::Task),
    verb("restore", "Goes back to a snapshot.", Some(body::<RestoreRequest>(true)), Answer::Task),
    verb("attach", "Attaches a volume.", Some(body::<AttachRequest>(true)), Answer::Object),
    verb("detach", "Detaches a volume.", Some(body::<DetachRequest>(true)), Answer::Object),
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

fn row<K: Kind>(allows: Allows, verbs: &'static [Verb]) -> Row {
    Row {
        kind: K::KIND,
        plural: K::PLURAL,
        scope: K::SCOPE,
        allows,
        verbs,
        spec: || K::Spec::name().into_owned(),
        status: || K::Status::name().into_owned(),
        schemas: |all| {
            collect::<K::Spec>(all);
            collect::<K::Status>(all);
        },
    }
}

/// Adds a type's schema and those it refers to.
pub fn collect<T: ToSchema + PartialSchema>(all: &mut Schemas) {
    T::schemas(all);
    all.push((T::name().into_owned(), T::schema()));
}
