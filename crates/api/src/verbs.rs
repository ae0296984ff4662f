//! `POST …/{name}/{verb}`: from a verb's name and body to `control`'s function.

use novacron_control::{Admitted, Request, member, node, task, vm};
use novacron_model::request::StopRequest;
use novacron_model::{Error, Kind, Member, Node, Object, Task, Vm};
use novacron_store::object;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::auth::Caller;
use crate::problem::Answer;
use crate::resource::{self, Shown, Target, body, commit};
use crate::rest::objects;
use crate::state::Api;
use crate::table::{self, Row, Verb};

/// Carries out a verb; gives the task, or the object where there is none.
pub async fn perform(
    api: &Api,
    caller: &Caller,
    row: &Row,
    verb: &Verb,
    target: Target<'_>,
    body: Value,
) -> Answer<Shown> {
    row.ops.check_name(target.name)?;
    let order = Order::read(row.kind, verb.name, body)?;
    let ((), task) = commit::admitted(api, caller, target.project, |request| {
        Ok((order.admit(request, target.name)?, ()))
    })
    .await?;
    match (verb.answer, task) {
        (table::Answer::Task, Some(task)) => objects::task(api, target.project, &task.to_string()),
        (table::Answer::Task, None) if row.kind == Task::KIND => {
            objects::task(api, target.project, target.name)
        }
        _ => resource::get(api, &api.store.snapshot(), row, target),
    }
}

type MemberVerb = fn(&mut Request<'_>, &Object<Member>) -> novacron_model::Result<Admitted>;

type NodeVerb =
    dyn Fn(&mut Request<'_>, &Object<Node>) -> novacron_model::Result<Admitted> + Send + Sync;

type VmVerb =
    dyn Fn(&mut Request<'_>, &Object<Vm>) -> novacron_model::Result<Admitted> + Send + Sync;

/// A verb with its body, checked.
enum Order {
    Vm(Box<VmVerb>),
    Node(Box<NodeVerb>),
    Member(MemberVerb),
    CancelTask,
}

impl Order {
    fn read(kind: &str, verb: &str, body: Value) -> Answer<Self> {
        let plain =
            |verb: fn(&mut Request<'_>, &Object<Vm>) -> novacron_model::Result<Admitted>| {
                Ok(Self::Vm(Box::new(verb)))
            };
        match (kind, verb) {
            (Vm::KIND, "start") => plain(vm::start),
            (Vm::KIND, "reset") => plain(vm::reset),
            (Vm::KIND, "pause") => plain(vm::pause),
            (Vm::KIND, "resume") => plain(vm::resume),
            (Vm::KIND, "revert") => plain(vm::revert),
            (Vm::KIND, "stop") => Self::with(body, vm::stop),
            (Vm::KIND, "restart") => Self::with(body, vm::restart),
            (Vm::KIND, "restore") => Self::with(body, vm::restore),
            (Vm::KIND, "clone") => Self::with(body, vm::clone),
            (Vm::KIND, "attach") => Self::with(body, vm::attach),
            (Vm::KIND, "detach") => Self::with(body, vm::detach),
            (Node::KIND, "stop-guests") => {
                let body: StopRequest = body::strict(body)?;
                Ok(Self::Node(Box::new(move |request, it| node::stop_guests(request, it, &body))))
            }
            (Node::KIND, "start-guests") => Ok(Self::Node(Box::new(node::start_guests))),
            (Member::KIND, "promote") => Ok(Self::Member(member::promote)),
            (Member::KIND, "demote") => Ok(Self::Member(member::demote)),
            (Task::KIND, "cancel") => Ok(Self::CancelTask),
            _ => Err(Error::internal(format!("verb {verb} of {kind} leads nowhere")).into()),
        }
    }

    fn with<T: Serialize + DeserializeOwned + Send + Sync + 'static>(
        body: Value,
        verb: fn(&mut Request<'_>, &Object<Vm>, &T) -> novacron_model::Result<Admitted>,
    ) -> Answer<Self> {
        let body: T = body::strict(body)?;
        Ok(Self::Vm(Box::new(move |request, vm| verb(request, vm, &body))))
    }

    fn admit(&self, request: &mut Request<'_>, name: &str) -> Answer<Admitted> {
        let scope = request.project.map(|project| project.meta.uid);
        match self {
            Self::Vm(verb) => {
                let vm = object::expect::<Vm>(request.at, scope, name)?;
                Ok(verb(request, &vm)?)
            }
            Self::Node(verb) => {
                let node = object::expect::<Node>(request.at, None, name)?;
                Ok(verb(request, &node)?)
            }
            Self::Member(verb) => {
                let member = object::expect::<Member>(request.at, None, name)?;
                Ok(verb(request, &member)?)
            }
            Self::CancelTask => {
                let target = object::expect::<Task>(request.at, scope, name)?;
                Ok(task::cancel(request, &target)?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_of_the_table_leads_somewhere() {
        for row in table::rows() {
            for verb in row.verbs {
                let body = serde_json::json!({ "volume": "a", "snapshot": "a", "name": "a" });
                let order = Order::read(row.kind, verb.name, body);
                let lost = order.is_err_and(|refusal| refusal.status.is_server_error());
                assert!(!lost, "{} {}", row.kind, verb.name);
            }
        }
    }
}
