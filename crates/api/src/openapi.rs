//! The OpenAPI 3.1 document, made from the route table and the model's types.
//!
//! [`schemas`] makes the components, [`paths`] the operations on objects, [`guest`], [`figures`] and
//! [`rest`] those that are not the same for every kind.

mod figures;
mod guest;
mod operation;
mod paths;
mod rest;
pub(crate) mod schemas;

use serde_json::{Map, Value, json};

use crate::table::{self, Row};

/// The document as a value.
pub fn document() -> Value {
    let rows = table::rows();
    let mut all = Map::new();
    for row in &rows {
        paths::add(&mut all, row);
    }
    guest::add(&mut all);
    figures::add(&mut all);
    rest::add(&mut all);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "NovaCron",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Virtual machines on a cluster of Linux machines.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }, { "session": [] }],
        "tags": tags(&rows),
        "paths": all,
        "components": {
            "schemas": schemas::components(&rows),
            "responses": operation::problem_responses(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": crate::SESSION_COOKIE },
            },
        },
    })
}

/// The document as indented JSON.
pub fn openapi() -> String {
    serde_json::to_string_pretty(&document()).unwrap_or_default()
}

fn tags(rows: &[Row]) -> Value {
    let kinds = rows.iter().map(|row| json!({ "name": row.plural }));
    kinds
        .chain(["guests", "figures", "events", "system"].map(|name| json!({ "name": name })))
        .collect()
}
