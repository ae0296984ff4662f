//! `Subscription`: the lists of every kind as they change, events, and the progress of tasks.

use async_graphql::dynamic::{
    FieldValue, InputValue, Object, ResolverContext, Subscription, SubscriptionField,
    SubscriptionFieldFuture, TypeRef,
};
use futures::{Stream, StreamExt};
use novacron_model::{Kind, Scope, Task};
use serde_json::{Value, json};

use super::inputs::{argument, number, project_argument, project_of, texts};
use super::query::event_filter;
use super::types::{LONG, Shape, Types, camel, plain};
use super::{api, caller, failed};
use crate::openapi::schemas::object_name;
use crate::resource::list;
use crate::table::{self, Row};
use crate::watch::feed::{Feed, Wanted};
use crate::watch::{Notice, Told};

/// The root, to be registered together with [`change_types`].
pub(super) fn root(_types: &Types) -> Subscription {
    let mut root = Subscription::new("Subscription");
    for row in table::rows() {
        root = root.field(changes(row));
    }
    root.field(events()).field(progress())
}

/// One type of change for each kind, and the progress of a task.
pub(super) fn change_types() -> Vec<Object> {
    let kinds = table::rows();
    let mut all: Vec<Object> = kinds.iter().map(change_type).collect();
    let live = Object::new("TaskProgress")
        .field(plain("task", Shape::Scalar(TypeRef::STRING), true))
        .field(plain("live", Shape::Object("Live".to_owned()), true));
    all.push(live);
    all
}

fn change_type(row: &Row) -> Object {
    let object = object_name(row.kind);
    Object::new(format!("{object}Change"))
        .description("`type`: object, gone, synced (the listing is complete) or reset")
        .field(plain("type", Shape::Scalar(TypeRef::STRING), true))
        .field(plain("object", Shape::Object(object), false))
        .field(plain("name", Shape::Scalar(TypeRef::STRING), false))
        .field(plain("uid", Shape::Scalar(TypeRef::STRING), false))
        .field(plain("revision", Shape::Scalar(LONG), false))
}

fn changes(row: Row) -> SubscriptionField {
    let change = format!("{}Change", object_name(row.kind));
    let field = SubscriptionField::new(camel(row.plural), TypeRef::named_nn(change), move |ctx| {
        SubscriptionFieldFuture::new(async move {
            let labels = texts(&ctx, "label")?;
            let labels = labels.iter().map(|label| list::parse_label(label));
            let wanted = Wanted {
                rows: vec![row],
                project: project_of(&ctx, &row)?,
                labels: labels.collect::<Result<_, _>>().map_err(failed)?,
                from: number(&ctx, "from")?,
                ..Wanted::default()
            };
            Ok(told(&ctx, wanted)?.filter_map(|told| async { change_value(told).map(field_value) }))
        })
    });
    let labels = InputValue::new("label", TypeRef::named_nn_list(TypeRef::STRING));
    let field = field.argument(labels).argument(argument("from", LONG));
    project_argument(row.scope).into_iter().fold(field, SubscriptionField::argument)
}

fn events() -> SubscriptionField {
    SubscriptionField::new("events", TypeRef::named_nn("Event"), |ctx| {
        SubscriptionFieldFuture::new(async move {
            let now = api(&ctx)?.store.snapshot().revision();
            let from = Some(number(&ctx, "from")?.unwrap_or(now));
            let events = Some(event_filter(&ctx)?);
            let wanted = Wanted { from, events, ..Wanted::default() };
            Ok(told(&ctx, wanted)?.filter_map(|told| async {
                match told.notice {
                    Notice::Event(event) => Some(field_value(event)),
                    Notice::Reset => Some(Err(async_graphql::Error::new(
                        "events since `from` are gone, or were missed: read the list again",
                    ))),
                    _ => None,
                }
            }))
        })
    })
    .argument(argument("project", TypeRef::STRING))
    .argument(argument("object", TypeRef::STRING))
    .argument(argument("level", "Level"))
    .argument(argument("from", LONG))
}

fn progress() -> SubscriptionField {
    let row = table::row_of(Task::KIND);
    let field = SubscriptionField::new("progress", TypeRef::named_nn("TaskProgress"), move |ctx| {
        SubscriptionFieldFuture::new(async move {
            let project = project_of(&ctx, &row)?;
            let wanted = Wanted { rows: vec![row], project, live: true, ..Wanted::default() };
            Ok(told(&ctx, wanted)?.filter_map(|told| async {
                match told.notice {
                    Notice::Live { task, live } => {
                        Some(field_value(json!({ "task": task, "live": live })))
                    }
                    _ => None,
                }
            }))
        })
    });
    project_argument(Scope::Project).into_iter().fold(field, SubscriptionField::argument)
}

fn told(
    ctx: &ResolverContext<'_>,
    wanted: Wanted,
) -> async_graphql::Result<impl Stream<Item = Told> + use<>> {
    caller(ctx)?;
    let feed = Feed::open(api(ctx)?, wanted).map_err(failed)?;
    Ok(futures::stream::unfold(feed, |mut feed| async {
        let told = feed.next().await?;
        Some((told, feed))
    }))
}

fn change_value(told: Told) -> Option<Value> {
    let revision = told.id;
    match told.notice {
        Notice::Object { object, .. } => {
            let (name, uid) = (&object.meta.name, object.meta.uid);
            let object = object.value().ok()?;
            Some(json!({
                "type": "object", "object": object, "name": name, "uid": uid, "revision": revision,
            }))
        }
        Notice::Gone { name, uid, .. } => {
            Some(json!({ "type": "gone", "name": name, "uid": uid, "revision": revision }))
        }
        Notice::Synced { revision } => Some(json!({ "type": "synced", "revision": revision })),
        Notice::Reset => Some(json!({ "type": "reset" })),
        Notice::Event(_) | Notice::Live { .. } => None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the items of a subscription are results")]
fn field_value(value: Value) -> async_graphql::Result<FieldValue<'static>> {
    Ok(FieldValue::owned_any(value))
}
