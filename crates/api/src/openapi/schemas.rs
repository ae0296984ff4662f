//! The components: the model's own schemas, and what is derived from them – objects, drafts,
//! merge patches, pages.

use std::collections::BTreeSet;

use novacron_model::catalogue::Catalogue;
use novacron_model::figures::{FigureList, Figures};
use novacron_model::image::Uploaded;
use novacron_model::join_token::NewJoinToken;
use novacron_model::request::{
    DeletePreview, DraftMeta, ExecRequest, ExecResult, NewToken, Session, SignIn, SignInLink,
    System, Ticket, TicketRequest,
};
use novacron_model::{ClusterView, Event, JoinToken, Kind, Meta, NameRule, Token};
use serde_json::{Map, Value, json};

use super::operation::schema_ref;
use crate::problem::Problem;
use crate::table::{Row, Schemas, collect};

type Components = Map<String, Value>;

/// All named schemas of the document.
pub(crate) fn components(rows: &[Row]) -> Components {
    let mut all = model(rows);
    for row in rows {
        add_object(&mut all, row);
    }
    all.insert("EventPage".to_owned(), page(&schema_ref("Event")));
    all.insert("Unreadable".to_owned(), unreadable());
    all.insert("Secret".to_owned(), secret());
    name_drafts(&mut all);
    if let Some(port) = all.get_mut("PortForward") {
        port["properties"]["address"]["anyOf"] =
            json!([{ "type": "string", "format": "ipv4" }, { "type": "string", "format": "ipv6" }]);
    }
    for schema in all.values_mut() {
        bound_integers(schema);
    }
    let inward = reachable_from_requests(&all, rows);
    for name in inward {
        close(&mut all, &name);
    }
    all
}

/// `vm` → `Vm`, `join-token` → `JoinToken`.
pub(crate) fn object_name(kind: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().collect::<String>() + letters.as_str()
        })
    };
    kind.split('-').map(word).collect()
}

/// What the creation of an object answers with: itself, or together with a secret.
pub(crate) fn created_name(kind: &str) -> String {
    let object = object_name(kind);
    match kind {
        Token::KIND | JoinToken::KIND => format!("New{object}"),
        _ => object,
    }
}

pub(crate) fn patch_name(schema: &str) -> String {
    format!("{schema}Patch")
}

fn model(rows: &[Row]) -> Components {
    let mut found = Schemas::new();
    for row in rows {
        (row.schemas)(&mut found);
        for body in row.verbs.iter().filter_map(|verb| verb.body) {
            (body.schemas)(&mut found);
        }
    }
    collect::<Meta>(&mut found);
    collect::<DraftMeta>(&mut found);
    collect::<Event>(&mut found);
    collect::<Problem>(&mut found);
    collect::<Uploaded>(&mut found);
    collect::<Catalogue>(&mut found);
    collect::<Figures>(&mut found);
    collect::<FigureList>(&mut found);
    collect::<DeletePreview>(&mut found);
    collect::<ExecRequest>(&mut found);
    collect::<ExecResult>(&mut found);
    collect::<TicketRequest>(&mut found);
    collect::<Ticket>(&mut found);
    collect::<SignIn>(&mut found);
    collect::<SignInLink>(&mut found);
    collect::<Session>(&mut found);
    collect::<NewToken>(&mut found);
    collect::<NewJoinToken>(&mut found);
    collect::<ClusterView>(&mut found);
    collect::<System>(&mut found);
    let each = found.into_iter().map(|(name, schema)| {
        (name, serde_json::to_value(schema).unwrap_or_else(|_| json!({ "type": "object" })))
    });
    each.collect()
}

fn add_object(all: &mut Components, row: &Row) {
    let name = object_name(row.kind);
    let (spec, status) = ((row.spec)(), (row.status)());
    let object = json!({
        "type": "object",
        "required": ["meta", "spec", "status"],
        "properties": {
            "meta": schema_ref("Meta"), "spec": schema_ref(&spec), "status": schema_ref(&status),
        },
    });
    all.insert(name.clone(), object);
    all.insert(format!("{name}Page"), page_of_objects(&schema_ref(&name)));
    if row.allows.create {
        let draft = json!({
            "type": "object",
            "required": ["meta", "spec"],
            "properties": { "meta": schema_ref(draft_meta(row)), "spec": schema_ref(&spec) },
        });
        all.insert(format!("{name}Draft"), draft);
    }
    if row.allows.update {
        let spec = patch_of(all, &spec);
        let map = json!({
            "type": ["object", "null"], "additionalProperties": { "type": ["string", "null"] },
        });
        let meta = json!({
            "type": "object",
            "properties": { "labels": map, "annotations": map },
            "additionalProperties": false,
        });
        let patch = json!({
            "type": "object", "properties": { "meta": meta, "spec": spec },
        });
        all.insert(patch_name(&name), patch);
    }
}

fn page(item: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["items", "revision"],
        "properties": {
            "items": { "type": "array", "items": item },
            "next_page_token": {
                "type": "string",
                "description": "Pass as `page_token` for the next page; absent on the last.",
            },
            "revision": {
                "type": "integer",
                "minimum": 0,
                "description": "The store's revision that this page shows.",
            },
        },
    })
}

fn page_of_objects(item: &Value) -> Value {
    let mut page = page(item);
    page["properties"]["unreadable"] = json!({
        "type": "array",
        "items": schema_ref("Unreadable"),
        "description": "Objects of this page that this version cannot read.",
    });
    page
}

/// An object whose records another version wrote.
fn unreadable() -> Value {
    json!({
        "type": "object",
        "required": ["name", "reason"],
        "properties": { "name": { "type": "string" }, "reason": { "type": "string" } },
    })
}

/// The forms of a secret that cross the wire; the sealed one never does.
fn secret() -> Value {
    json!({
        "description": "Goes in as text; shown as `{\"set\": true}`, which sent back keeps it.",
        "oneOf": [
            { "type": "string" },
            {
                "type": "object",
                "required": ["set"],
                "properties": { "set": { "const": true } },
                "additionalProperties": false,
            },
        ],
    })
}

const LABEL: &str = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";

/// The schema of a draft's `meta`: kinds differ in what their names look like.
fn draft_meta(row: &Row) -> &'static str {
    match row.names {
        NameRule::Owned => "OwnedDraftMeta",
        NameRule::Label | NameRule::Uid => "DraftMeta",
    }
}

/// Says what names and labels look like, which the types leave to validation.
fn name_drafts(all: &mut Components) {
    let Some(mut meta) = all.get("DraftMeta").cloned() else { return };
    let label = "[A-Za-z0-9._-]";
    meta["properties"]["labels"] = json!({
        "type": "object",
        "maxProperties": 64,
        "propertyNames": { "pattern": format!("^({label}{{0,63}}/)?{label}{{1,63}}$") },
        "additionalProperties": { "type": "string", "pattern": format!("^{label}{{0,63}}$") },
    });
    let mut owned = meta.clone();
    meta["properties"]["name"]["pattern"] = format!("^{LABEL}$").into();
    owned["properties"]["name"]["pattern"] = format!("^{LABEL}\\.{LABEL}$").into();
    all.insert("DraftMeta".to_owned(), meta);
    all.insert("OwnedDraftMeta".to_owned(), owned);
}

/// The merge patch of a named schema: nothing is required, and null takes a field away.
fn patch_of(all: &mut Components, name: &str) -> Value {
    let patch = patch_name(name);
    if all.contains_key(&patch) {
        return schema_ref(&patch);
    }
    let Some(mut schema) = all.get(name).cloned() else { return json!({}) };
    let Some(properties) = schema.get("properties").and_then(Value::as_object).cloned() else {
        return schema_ref(name);
    };
    let required = required_of(&schema);
    let mut changed = Map::new();
    for (field, property) in properties {
        let property = match nested(&property) {
            Some(inner) => patch_of(all, &inner),
            None => property,
        };
        let keeps = required.contains(&field);
        changed.insert(field, if keeps { property } else { nullable(&property) });
    }
    schema["properties"] = Value::Object(changed);
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("required");
    }
    all.insert(patch.clone(), schema);
    schema_ref(&patch)
}

fn required_of(schema: &Value) -> BTreeSet<String> {
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// The schema that a property is, or may be beside null.
pub(crate) fn nested(property: &Value) -> Option<String> {
    let direct = property.get("$ref").and_then(Value::as_str);
    let parts =
        ["oneOf", "anyOf", "allOf"].into_iter().find_map(|key| property.get(key)?.as_array());
    let inner = || {
        let mut others = parts?.iter().filter(|part| part["type"] != "null");
        let only = others.next()?;
        others.next().is_none().then(|| only.get("$ref")?.as_str()).flatten()
    };
    let name = direct.or_else(inner)?;
    Some(name.rsplit('/').next().unwrap_or(name).to_owned())
}

fn nullable(property: &Value) -> Value {
    json!({ "anyOf": [property, { "type": "null" }] })
}

/// The wire's integers are 64 bits; the document says so, that nobody sends more.
fn bound_integers(schema: &mut Value) {
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(bound_integers),
        Value::Object(fields) => {
            let integer = match fields.get("type") {
                Some(Value::String(name)) => name == "integer",
                Some(Value::Array(names)) => names.iter().any(|name| name == "integer"),
                _ => false,
            };
            if integer && !fields.contains_key("maximum") {
                let format = fields.get("format").and_then(Value::as_str).unwrap_or("int64");
                let unsigned = fields.contains_key("minimum");
                let maximum = match (format, unsigned) {
                    ("int32", true) => i64::from(u32::MAX),
                    ("int32", false) => i64::from(i32::MAX),
                    _ => i64::MAX,
                };
                fields.insert("maximum".to_owned(), maximum.into());
            }
            fields.values_mut().for_each(bound_integers);
        }
        _ => {}
    }
}

/// Names of the schemas that clients send.
pub(crate) fn reachable_from_requests(all: &Components, rows: &[Row]) -> BTreeSet<String> {
    let mut open: Vec<String> =
        ["ExecRequest", "TicketRequest", "SignIn"].map(str::to_owned).into();
    for row in rows {
        let name = object_name(row.kind);
        open.extend([format!("{name}Draft"), patch_name(&name)]);
        open.extend(row.verbs.iter().filter_map(|verb| Some((verb.body?.name)())));
    }
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if let Some(schema) = all.get(&name)
            && seen.insert(name)
        {
            references(schema, &mut open);
        }
    }
    seen
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Array(parts) => parts.iter().for_each(|part| references(part, found)),
        Value::Object(fields) => {
            if let Some(Value::String(path)) = fields.get("$ref") {
                found.extend(path.rsplit('/').next().map(str::to_owned));
            }
            fields.values().for_each(|part| references(part, found));
        }
        _ => {}
    }
}

/// Unknown fields are refused inwards; the document says so.
fn close(all: &mut Components, name: &str) {
    fn walk(schema: &mut Value) {
        match schema {
            Value::Array(parts) => parts.iter_mut().for_each(walk),
            Value::Object(fields) => {
                let object = fields.contains_key("properties")
                    || fields.get("type").is_some_and(|name| name == "object");
                if object && !fields.contains_key("additionalProperties") {
                    fields.insert("additionalProperties".to_owned(), false.into());
                }
                fields.values_mut().for_each(walk);
            }
            _ => {}
        }
    }
    if let Some(schema) = all.get_mut(name) {
        walk(schema);
    }
}
