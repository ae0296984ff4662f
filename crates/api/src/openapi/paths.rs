//! The operations that every resource has: list, create, get, patch, delete, verbs.

use novacron_model::{JoinToken, Kind, Scope, key};
use serde_json::{Map, Value, json};

use super::operation::{Operation, schema_ref};
use super::schemas::{created_name, object_name, patch_name};
use crate::table::{Answer, Row, Verb};

pub(super) fn add(paths: &mut Map<String, Value>, row: &Row) {
    let all = collection(row);
    let one = format!("{all}/{{name}}");
    list(row).at(paths, "get", &all);
    get(row).at(paths, "get", &one);
    if row.allows.create {
        create(row).at(paths, "post", &all);
    }
    if row.allows.update {
        patch(row).at(paths, "patch", &one);
    }
    if row.allows.delete {
        delete(row).at(paths, "delete", &one);
    }
    for each in row.verbs {
        verb(row, each).at(paths, "post", &format!("{one}/{}", each.name));
    }
}

/// The path of a kind's list.
pub(super) fn collection(row: &Row) -> String {
    match row.scope {
        Scope::Cluster => format!("/v1/{}", row.plural),
        Scope::Project => format!("/v1/projects/{{project}}/{}", row.plural),
    }
}

/// `join-token` → `join_token`, as identifiers are written.
fn snake(name: &str) -> String {
    name.replace('-', "_")
}

/// `join-token` → `join token`, as sentences are written.
fn words(name: &str) -> String {
    name.replace('-', " ")
}

fn list(row: &Row) -> Operation {
    let page = format!("{}Page", object_name(row.kind));
    let id = format!("list_{}", snake(row.plural));
    let content = [
        ("application/json", schema_ref(&page)),
        ("text/event-stream", json!({ "type": "string" })),
    ];
    paging(Operation::new(row.plural, &id, &format!("Lists {}.", words(row.plural))))
        .query(
            "label",
            &json!({ "type": "array", "items": { "type": "string", "pattern": LABEL } }),
            "Only objects that carry the label `KEY=VALUE`; given several times, all of them.",
        )
        .query(
            "sort",
            &json!({ "type": "string", "enum": ["name", "-name", "created", "-created"] }),
            "Order of the list; `name` unless said.",
        )
        .query("watch", &json!({ "type": "boolean" }), WATCH)
        .query(
            "from",
            &json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX }),
            "With `watch`: the revision after which to begin, in place of a listing.",
        )
        .consistent()
        .answer(200, "One page, or with `watch` a stream of changes.", &content)
        .problems(&[404, 406, 422])
}

const LABEL: &str = "^([A-Za-z0-9._-]{0,63}/)?[A-Za-z0-9._-]{1,63}=[A-Za-z0-9._-]{0,63}$";

const WATCH: &str = "Answer with server-sent events: `object` for each object as it is, \
    `synced` after the first listing, `object` and `gone` for changes, `reset` when the history \
    no longer reaches back and the listing starts over.";

/// The parameters of paged lists.
pub(super) fn paging(operation: Operation) -> Operation {
    operation
        .query(
            "limit",
            &json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }),
            "How many items at most.",
        )
        .query("page_token", &json!({ "type": "string" }), "`next_page_token` of the former page.")
}

fn get(row: &Row) -> Operation {
    let name = object_name(row.kind);
    let id = format!("get_{}", snake(row.kind));
    Operation::new(row.plural, &id, &format!("Shows one {}.", key::display_kind(row.kind)))
        .consistent()
        .answer_with(200, "The object.", &[("application/json", schema_ref(&name))], &[ETAG])
        .problems(&[404, 406])
}

/// `an image`, `a VM`
fn with_article(row: &Row) -> String {
    let kind = key::display_kind(row.kind);
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}

const TASK: (&str, &str) = ("Novacron-Task", "Name of the task.");
const ETAG: (&str, &str) = ("ETag", "The revision of the spec's last write, in quotes.");

fn create(row: &Row) -> Operation {
    let name = object_name(row.kind);
    let answer = created_name(row.kind);
    // Where to join is asked of the server.
    let further: &[u16] = if row.kind == JoinToken::KIND { &[501] } else { &[] };
    let id = format!("create_{}", snake(row.kind));
    Operation::new(row.plural, &id, &format!("Creates {}.", with_article(row)))
        .header(
            "Idempotency-Key",
            &json!({ "type": "string", "pattern": "^[!-~]{1,128}$" }),
            "A repeated request with the same key within 24 hours gets the first one's answer.",
        )
        .json_body(true, &format!("{name}Draft"))
        .answer_with(
            201,
            "Created; `Novacron-Task` names the task that makes it real, where there is one.",
            &[("application/json", schema_ref(&answer))],
            &[ETAG, ("Location", "Path of the new object."), TASK],
        )
        .problems(&[404, 409, 422, 507])
        .problems(further)
}

fn patch(row: &Row) -> Operation {
    let name = object_name(row.kind);
    let body = schema_ref(&patch_name(&name));
    let id = format!("patch_{}", snake(row.kind));
    if_match(Operation::new(row.plural, &id, &format!("Changes {}.", with_article(row))))
        .describe("The body is a JSON merge patch (RFC 7396): what it leaves out stays.")
        .body(true, &[("application/merge-patch+json", body.clone()), ("application/json", body)])
        .answer_with(
            200,
            "The object as it is now; `Novacron-Task` names the task that makes it real, where \
             there is one.",
            &[("application/json", schema_ref(&name))],
            &[ETAG, TASK],
        )
        .problems(&[404, 409, 412, 422, 507])
}

fn if_match(operation: Operation) -> Operation {
    operation.header(
        "If-Match",
        &json!({ "type": "string" }),
        "Refuse with 412 unless this is the object's `ETag`.",
    )
}

fn delete(row: &Row) -> Operation {
    let id = format!("delete_{}", snake(row.kind));
    let operation =
        if_match(Operation::new(row.plural, &id, &format!("Deletes {}.", with_article(row))))
            .query("force", &json!({ "type": "boolean" }), "End a running VM with it.")
            .query("unprotect", &json!({ "type": "boolean" }), "Delete what is protected, too.")
            .query(
                "dry_run",
                &json!({ "type": "boolean" }),
                "Change nothing; say what would go and what would stay.",
            )
            .json_answer(200, "With `dry_run`: what would go.", "DeletePreview")
            .answer(204, "Deleted.", &[]);
    operation
        .json_answer(202, "Deletion has begun; the task follows it.", "Task")
        .problems(&[404, 409, 412, 507])
}

fn verb(row: &Row, verb: &Verb) -> Operation {
    let id = format!("{}_{}", snake(verb.name), snake(row.kind));
    let mut operation = Operation::new(row.plural, &id, verb.summary);
    if let Some(body) = verb.body {
        operation = operation.json_body(body.required, &(body.name)());
    }
    let operation = match verb.answer {
        Answer::Task => operation.json_answer(202, "The task that carries it out.", "Task"),
        Answer::Object => {
            operation.json_answer(200, "The object as it is now.", &object_name(row.kind))
        }
    };
    operation.problems(&[404, 409, 422, 501, 507])
}
