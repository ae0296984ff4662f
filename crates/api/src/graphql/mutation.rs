//! `Mutation`: create, patch, delete and every verb of every kind, and what leads into guests.

use std::sync::Arc;

use async_graphql::dynamic::{Field, FieldFuture, FieldValue, Object, ResolverContext, TypeRef};
use async_graphql::{Error, Result};
use novacron_control::DeleteOptions;
use novacron_model::{Kind, Task, Vm};
use serde_json::{Map, Value, json};

use super::inputs::{argument, body, flag, needed, number, project_argument, project_of, text};
use super::types::{LONG, Shape, Types, camel, input_name, plain};
use super::{api, caller, failed};
use crate::openapi::schemas::{created_name, object_name, patch_name};
use crate::resource::idempotency::Claim;
use crate::resource::{Deleted, IfMatch, Target};
use crate::rest::{consoles, guests, objects};
use crate::table::{self, Answer, Row, Verb};
use crate::{auth, verbs};

type Components = Arc<Map<String, Value>>;

pub(super) fn root(types: &Types) -> Object {
    let components: Components = Arc::new(types.components.clone());
    let mut root = Object::new("Mutation");
    for row in table::rows() {
        if row.allows.create {
            root = root.field(create(row, components.clone()));
        }
        if row.allows.update {
            root = root.field(patch(row, components.clone()));
        }
        if row.allows.delete {
            root = root.field(delete(row));
        }
        for each in row.verbs {
            root = root.field(verb(row, each, components.clone()));
        }
    }
    root.field(exec(components.clone())).field(ticket(components)).field(sign_in_link())
}

/// What a creation answers: for each kind the object, and the task that makes it.
pub(super) fn created_types() -> Vec<Object> {
    let rows = table::rows().into_iter().filter(|row| row.allows.create);
    rows.map(|row| {
        let object = object_name(row.kind);
        let made = created_name(row.kind);
        Object::new(format!("Created{object}"))
            .description("`task` is the one that makes the object, where that takes time")
            .field(plain("object", Shape::Object(made), true))
            .field(plain("task", Shape::Object(object_name(Task::KIND)), false))
    })
    .collect()
}

fn create(row: Row, components: Components) -> Field {
    let object = object_name(row.kind);
    let answer = format!("Created{object}");
    let draft = format!("{object}Draft");
    let input = input_name(&draft);
    let field = Field::new(format!("create{object}"), TypeRef::named_nn(answer), move |ctx| {
        let (components, draft) = (components.clone(), draft.clone());
        FieldFuture::new(async move {
            let (api, caller) = (api(&ctx)?, caller(&ctx)?);
            let project = project_of(&ctx, &row)?;
            let body = body(&ctx, &components, "input", &draft)?;
            let path = format!("graphql create {} {}", project.as_deref().unwrap_or("-"), row.kind);
            let key = text(&ctx, "idempotencyKey")?;
            let claim = key.map(|key| Claim::new(&caller.actor, &key, &path, &body));
            let project = project.as_deref();
            let created = row.create(api, caller, project, body, claim).await.map_err(failed)?;
            // An answer that is given again may name a task that has been pruned.
            let task = created.task.map(|task| objects::task(api, project, &task.to_string()));
            let task = task.and_then(Result::ok).map(|task| task.value()).transpose();
            let task = task.map_err(failed)?;
            let object = created.shown.value().map_err(failed)?;
            Ok(Some(FieldValue::owned_any(json!({ "object": object, "task": task }))))
        })
    });
    let field = field
        .argument(needed("input", &input))
        .argument(argument("idempotencyKey", TypeRef::STRING));
    project_argument(row.scope).into_iter().fold(field, Field::argument)
}

fn patch(row: Row, components: Components) -> Field {
    let object = object_name(row.kind);
    let schema = patch_name(&object);
    let input = input_name(&schema);
    let name = format!("patch{object}");
    let field = Field::new(name, TypeRef::named_nn(object), move |ctx| {
        let (components, schema) = (components.clone(), schema.clone());
        FieldFuture::new(async move {
            let named = Named::read(&ctx, &row)?;
            let patch = body(&ctx, &components, "patch", &schema)?;
            let if_match = if_match(&ctx)?;
            let (api, caller) = (api(&ctx)?, caller(&ctx)?);
            let patched = row.ops.patch(api, caller, named.target(), &patch, &if_match).await;
            let shown = patched.map(|patched| patched.shown);
            super::shown(&shown.map_err(failed)?)
        })
    });
    on_object(row, field).argument(needed("patch", &input)).argument(argument("ifMatch", LONG))
}

fn delete(row: Row) -> Field {
    let name = format!("delete{}", object_name(row.kind));
    let field = Field::new(name, TypeRef::named(object_name(Task::KIND)), move |ctx| {
        FieldFuture::new(async move {
            let named = Named::read(&ctx, &row)?;
            let options =
                DeleteOptions { force: flag(&ctx, "force")?, unprotect: flag(&ctx, "unprotect")? };
            let if_match = if_match(&ctx)?;
            let (api, caller) = (api(&ctx)?, caller(&ctx)?);
            let deleted = row.ops.delete(api, caller, named.target(), options, &if_match).await;
            match deleted.map_err(failed)? {
                Deleted::Gone => Ok(None),
                Deleted::Task(task) => {
                    let project = named.project.as_deref();
                    let shown = objects::task(api, project, &task.to_string()).map_err(failed)?;
                    super::shown(&shown)
                }
            }
        })
    });
    on_object(row, field)
        .argument(argument("force", TypeRef::BOOLEAN))
        .argument(argument("unprotect", TypeRef::BOOLEAN))
        .argument(argument("ifMatch", LONG))
}

fn verb(row: Row, verb: &'static Verb, components: Components) -> Field {
    let object = object_name(row.kind);
    let answer = match verb.answer {
        Answer::Task => object_name(Task::KIND),
        Answer::Object => object.clone(),
    };
    let name = camel(&format!("{}{object}", verb.name));
    let field = Field::new(name, TypeRef::named_nn(answer), move |ctx| {
        let components = components.clone();
        FieldFuture::new(async move {
            let named = Named::read(&ctx, &row)?;
            let body = match verb.body {
                Some(wanted) => body(&ctx, &components, "input", &(wanted.name)())?,
                None => Value::Object(Map::new()),
            };
            let (api, caller) = (api(&ctx)?, caller(&ctx)?);
            let shown = verbs::perform(api, caller, &row, verb, named.target(), body).await;
            super::shown(&shown.map_err(failed)?)
        })
    });
    let field = on_object(row, field);
    match verb.body {
        None => field,
        Some(body) if body.required => field.argument(needed("input", &input_name(&(body.name)()))),
        Some(body) => field.argument(argument("input", &input_name(&(body.name)()))),
    }
}

fn exec(components: Components) -> Field {
    let row = table::row_of(Vm::KIND);
    let field = Field::new("execVm", TypeRef::named_nn("ExecResult"), move |ctx| {
        let components = components.clone();
        FieldFuture::new(async move {
            caller(&ctx)?;
            let (api, named) = (api(&ctx)?, Named::read(&ctx, &row)?);
            let body = body(&ctx, &components, "input", "ExecRequest")?;
            let result = guests::run(api, named.target(), body).await.map_err(failed)?;
            Ok(Some(FieldValue::owned_any(serde_json::to_value(result)?)))
        })
    });
    on_object(row, field).argument(needed("input", "ExecRequestInput"))
}

fn ticket(components: Components) -> Field {
    let row = table::row_of(Vm::KIND);
    let field = Field::new("createTicket", TypeRef::named_nn("Ticket"), move |ctx| {
        let components = components.clone();
        FieldFuture::new(async move {
            let (api, named) = (api(&ctx)?, Named::read(&ctx, &row)?);
            let body = body(&ctx, &components, "input", "TicketRequest")?;
            let ticket = consoles::make_ticket(api, caller(&ctx)?, named.target(), body);
            Ok(Some(FieldValue::owned_any(serde_json::to_value(ticket.map_err(failed)?)?)))
        })
    });
    on_object(row, field).argument(needed("input", "TicketRequestInput"))
}

fn sign_in_link() -> Field {
    Field::new("createSignInLink", TypeRef::named_nn("SignInLink"), |ctx| {
        FieldFuture::new(async move {
            let link = auth::sessions::create_link(api(&ctx)?, caller(&ctx)?).await;
            Ok(Some(FieldValue::owned_any(serde_json::to_value(link.map_err(failed)?)?)))
        })
    })
}

/// Project and name as a field's arguments give them.
struct Named {
    project: Option<String>,
    name: String,
}

impl Named {
    fn read(ctx: &ResolverContext<'_>, row: &Row) -> Result<Self> {
        let name = text(ctx, "name")?.ok_or_else(|| Error::new("name is needed"))?;
        Ok(Self { project: project_of(ctx, row)?, name })
    }

    fn target(&self) -> Target<'_> {
        Target { project: self.project.as_deref(), name: &self.name }
    }
}

fn on_object(row: Row, field: Field) -> Field {
    let field = field.argument(needed("name", TypeRef::STRING));
    project_argument(row.scope).into_iter().fold(field, Field::argument)
}

fn if_match(ctx: &ResolverContext<'_>) -> Result<IfMatch> {
    let revision = number(ctx, "ifMatch")?;
    Ok(revision.map_or(IfMatch::Any, |revision| IfMatch::Revision(vec![revision])))
}
