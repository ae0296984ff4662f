//! Arguments: declared, read, and given the names that JSON has for them.

use async_graphql::dynamic::{InputValue, ResolverContext, TypeRef};
use async_graphql::{Error, Result};
use novacron_model::{Scope, project};
use serde_json::{Map, Value};

use super::types::{Shape, camel};
use crate::table::Row;

/// `project: String`, where a kind lives in one.
pub(super) fn project_argument(scope: Scope) -> Option<InputValue> {
    let value = InputValue::new("project", TypeRef::named(TypeRef::STRING));
    (scope == Scope::Project).then(|| value.default_value(project::DEFAULT))
}

pub(super) fn argument(name: &str, kind: &str) -> InputValue {
    InputValue::new(name, TypeRef::named(kind))
}

pub(super) fn needed(name: &str, kind: &str) -> InputValue {
    InputValue::new(name, TypeRef::named_nn(kind))
}

/// The project that a field speaks of.
pub(super) fn project_of(ctx: &ResolverContext<'_>, row: &Row) -> Result<Option<String>> {
    match row.scope {
        Scope::Cluster => Ok(None),
        Scope::Project => {
            let given = text(ctx, "project")?;
            Ok(Some(given.unwrap_or_else(|| project::DEFAULT.to_owned())))
        }
    }
}

pub(super) fn text(ctx: &ResolverContext<'_>, name: &str) -> Result<Option<String>> {
    match ctx.args.get(name) {
        Some(value) if !value.is_null() => Ok(Some(value.string()?.to_owned())),
        _ => Ok(None),
    }
}

pub(super) fn number(ctx: &ResolverContext<'_>, name: &str) -> Result<Option<u64>> {
    match ctx.args.get(name) {
        Some(value) if !value.is_null() => Ok(Some(value.u64()?)),
        _ => Ok(None),
    }
}

pub(super) fn flag(ctx: &ResolverContext<'_>, name: &str) -> Result<bool> {
    match ctx.args.get(name) {
        Some(value) if !value.is_null() => value.boolean(),
        _ => Ok(false),
    }
}

pub(super) fn texts(ctx: &ResolverContext<'_>, name: &str) -> Result<Vec<String>> {
    match ctx.args.get(name) {
        Some(value) if !value.is_null() => {
            value.list()?.iter().map(|item| Ok(item.string()?.to_owned())).collect()
        }
        _ => Ok(Vec::new()),
    }
}

/// An input object with the names that JSON has; an empty object when it is absent.
pub(super) fn body(
    ctx: &ResolverContext<'_>,
    types: &Map<String, Value>,
    name: &str,
    schema: &str,
) -> Result<Value> {
    let Some(value) = ctx.args.get(name).filter(|value| !value.is_null()) else {
        return Ok(Value::Object(Map::new()));
    };
    let json =
        value.as_value().clone().into_json().map_err(|error| Error::new(error.to_string()))?;
    Ok(renamed(types, &Shape::Object(schema.to_owned()), json))
}

fn renamed(components: &Map<String, Value>, shape: &Shape, value: Value) -> Value {
    match (shape, value) {
        (Shape::List(item), Value::Array(items)) => {
            items.into_iter().map(|each| renamed(components, item, each)).collect()
        }
        (Shape::Object(name), Value::Object(mut fields)) => {
            let known = components.get(name).and_then(|schema| schema["properties"].as_object());
            let mut out = Map::new();
            for (json, property) in known.into_iter().flatten() {
                if let Some(value) = fields.remove(&camel(json)) {
                    let shape = Shape::of(components, property);
                    out.insert(json.clone(), renamed(components, &shape, value));
                }
            }
            Value::Object(out)
        }
        (_, value) => value,
    }
}
