//! `Query`: fields for each kind by name, for its list and for what a deletion would take along,
//! and the system.

use std::sync::Arc;

use async_graphql::dynamic::{Field, FieldFuture, FieldValue, Object, ResolverContext, TypeRef};
use novacron_model::{Image, Kind, Node, Vm, Volume};
use serde_json::Value;

use super::figures;
use super::inputs::{argument, needed, number, project_argument, project_of, text, texts};
use super::types::{Types, camel};
use super::{api, caller, failed};
use crate::openapi::schemas::object_name;
use crate::resource::{self, Target, list};
use crate::rest::{events, system};
use crate::table::{self, Row};

pub(super) fn root(_types: &Types) -> Object {
    let mut root = Object::new("Query");
    for row in table::rows() {
        root = root.field(one(row)).field(many(row));
        if row.allows.delete {
            root = root.field(delete_preview(row));
        }
    }
    let root = figures::fields().into_iter().fold(root, Object::field);
    root.field(event_list())
        .field(cluster_field())
        .field(catalogue_field())
        .field(system_field())
        .field(session_field())
}

fn one(row: Row) -> Field {
    let field = Field::new(camel(row.kind), TypeRef::named_nn(object_name(row.kind)), move |ctx| {
        FieldFuture::new(async move {
            caller(&ctx)?;
            let (api, project) = (api(&ctx)?, project_of(&ctx, &row)?);
            let name = text(&ctx, "name")?.unwrap_or_default();
            let target = Target { project: project.as_deref(), name: &name };
            let shown = resource::get(api, &api.store.snapshot(), &row, target).map_err(failed)?;
            super::shown(&shown)
        })
    });
    let field = field.argument(needed("name", TypeRef::STRING));
    project_argument(row.scope).into_iter().fold(field, Field::argument)
}

/// What a deletion would take along, and what it would leave.
fn delete_preview(row: Row) -> Field {
    let name = format!("previewDelete{}", object_name(row.kind));
    let field = Field::new(name, TypeRef::named_nn("DeletePreview"), move |ctx| {
        FieldFuture::new(async move {
            caller(&ctx)?;
            let (api, project) = (api(&ctx)?, project_of(&ctx, &row)?);
            let name = text(&ctx, "name")?.unwrap_or_default();
            let target = Target { project: project.as_deref(), name: &name };
            let preview = row.ops.preview_delete(api, target).map_err(failed)?;
            Ok(Some(FieldValue::owned_any(serde_json::to_value(preview)?)))
        })
    });
    let field = field.argument(needed("name", TypeRef::STRING));
    project_argument(row.scope).into_iter().fold(field, Field::argument)
}

fn many(row: Row) -> Field {
    let page = format!("{}Page", object_name(row.kind));
    let field = Field::new(camel(row.plural), TypeRef::named_nn(page), move |ctx| {
        FieldFuture::new(async move {
            caller(&ctx)?;
            let (api, project) = (api(&ctx)?, project_of(&ctx, &row)?);
            let labels = texts(&ctx, "label")?;
            let sort = text(&ctx, "sort")?;
            let query = list::Query {
                limit: limit(&ctx)?,
                page_token: text(&ctx, "pageToken")?,
                labels: labels
                    .iter()
                    .map(|label| list::parse_label(label))
                    .collect::<Result<_, _>>()
                    .map_err(failed)?,
                sort: sort
                    .as_deref()
                    .map(list::Sort::parse)
                    .transpose()
                    .map_err(failed)?
                    .unwrap_or_default(),
            };
            let page = list::page(api, &row, project.as_deref(), &query).map_err(failed)?;
            Ok(Some(FieldValue::owned_any(serde_json::to_value(&page)?)))
        })
    });
    let field = field
        .argument(async_graphql::dynamic::InputValue::new(
            "label",
            TypeRef::named_nn_list(TypeRef::STRING),
        ))
        .argument(argument("limit", TypeRef::INT))
        .argument(argument("pageToken", TypeRef::STRING))
        .argument(argument("sort", TypeRef::STRING));
    project_argument(row.scope).into_iter().fold(field, Field::argument)
}

fn limit(ctx: &ResolverContext<'_>) -> async_graphql::Result<usize> {
    let limit = number(ctx, "limit")?.unwrap_or(list::LIMIT as u64);
    if !(1..=list::LIMIT_MAX as u64).contains(&limit) {
        let message = format!("limit: not a number from 1 to {}", list::LIMIT_MAX);
        return Err(async_graphql::Error::new(message));
    }
    Ok(usize::try_from(limit).unwrap_or(list::LIMIT_MAX))
}

fn event_list() -> Field {
    Field::new("events", TypeRef::named_nn("EventPage"), |ctx| {
        FieldFuture::new(async move {
            caller(&ctx)?;
            let query = events::Query {
                filter: event_filter(&ctx)?,
                limit: limit(&ctx)?,
                page_token: text(&ctx, "pageToken")?,
            };
            let page = events::page(api(&ctx)?, &query).map_err(failed)?;
            Ok(Some(FieldValue::owned_any(serde_json::to_value(&page)?)))
        })
    })
    .argument(argument("project", TypeRef::STRING))
    .argument(argument("object", TypeRef::STRING))
    .argument(argument("level", "Level"))
    .argument(argument("limit", TypeRef::INT))
    .argument(argument("pageToken", TypeRef::STRING))
}

/// What the arguments `project`, `object` and `level` say.
pub(super) fn event_filter(ctx: &ResolverContext<'_>) -> async_graphql::Result<events::Filter> {
    let level = ctx.args.get("level").filter(|level| !level.is_null());
    let object = text(ctx, "object")?;
    Ok(events::Filter {
        project: text(ctx, "project")?,
        cluster: false,
        object: object.as_deref().map(events::parse_object).transpose().map_err(failed)?,
        level: level.map(|level| level.deserialize()).transpose()?,
    })
}

fn system_field() -> Field {
    Field::new("system", TypeRef::named_nn("System"), |ctx| {
        FieldFuture::new(async move {
            caller(&ctx)?;
            let api: &Arc<crate::state::Api> = api(&ctx)?;
            Ok(Some(FieldValue::owned_any(serde_json::to_value(system::describe(api))?)))
        })
    })
}

fn cluster_field() -> Field {
    Field::new("cluster", TypeRef::named_nn("ClusterView"), |ctx| {
        FieldFuture::new(async move {
            caller(&ctx)?;
            let view = api(&ctx)?.config.cluster.view().await;
            Ok(Some(FieldValue::owned_any(serde_json::to_value(view)?)))
        })
    })
}

fn catalogue_field() -> Field {
    Field::new("catalogue", TypeRef::named_nn("Catalogue"), |ctx| {
        FieldFuture::new(async move {
            caller(&ctx)?;
            let api: &Arc<crate::state::Api> = api(&ctx)?;
            let catalogue = api.gateway.catalogue().await.map_err(|error| failed(error.into()))?;
            Ok(Some(FieldValue::owned_any(serde_json::to_value(catalogue)?)))
        })
    })
}

fn session_field() -> Field {
    Field::new("session", TypeRef::named_nn("Session"), |ctx| {
        FieldFuture::new(async move {
            let session = serde_json::to_value(system::session_of(caller(&ctx)?))?;
            Ok(Some(FieldValue::owned_any(session)))
        })
    })
}

fn backup_url() -> Field {
    Field::new("backupUrl", TypeRef::named_nn(TypeRef::STRING), |_| {
        FieldFuture::new(async { Ok(Some(FieldValue::value("/v1/system/backup"))) })
    })
}

/// Adds the URLs of an object's byte streams, which GraphQL does not carry itself.
pub(super) fn stream_urls(name: &str, object: Object) -> Object {
    if name == "System" {
        return object.field(backup_url());
    }
    let (plural, streams): (_, &[&str]) = if name == object_name(Vm::KIND) {
        (Vm::PLURAL, &["serial", "screen", "logs", "files", "export"])
    } else if name == object_name(Image::KIND) {
        (Image::PLURAL, &["content"])
    } else if name == object_name(Node::KIND) {
        (Node::PLURAL, &["logs"])
    } else if name == object_name(Volume::KIND) {
        (Volume::PLURAL, &["export"])
    } else {
        return object;
    };
    streams.iter().fold(object, |object, stream| {
        object.field(Field::new(format!("{stream}Url"), TypeRef::named_nn(TypeRef::STRING), {
            move |ctx| {
                FieldFuture::new(async move {
                    let meta = &ctx.parent_value.try_downcast_ref::<Value>()?["meta"];
                    let name = meta["name"].as_str().unwrap_or_default();
                    let within = meta["project"].as_str();
                    let within = within.map_or_else(String::new, |of| format!("projects/{of}/"));
                    let url = format!("/v1/{within}{plural}/{name}/{stream}");
                    Ok(Some(FieldValue::value(url)))
                })
            }
        }))
    })
}
