//! The handlers of every resource.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use novacron_control::DeleteOptions;
use novacron_model::{Kind, Scope, Task};

use super::call::Call;
use super::params::{Params, bad};
use super::payload::Payload;
use crate::problem::Answer;
use crate::resource::{self, Deleted, Shown, Target, Written, list as lists};
use crate::state::Api;
use crate::table::{self, Answer as VerbAnswer, Row, Verb};
use crate::verbs;
use crate::watch::feed::{Feed, Wanted};
use crate::watch::sse::{self, Form};

pub fn list(row: Row, call: Call) -> Answer<Response> {
    let known = ["limit", "page_token", "label", "sort", "watch", "from", "consistent"];
    let params = call.params(&known)?;
    let query = list_query(&params)?;
    // Reads are of the local replica, which on a single voter is always the newest state.
    params.flag("consistent")?;
    params.number("from", FROM)?;
    if params.flag("watch")? {
        return watch(row, call, &params, query.labels);
    }
    call.accepts("application/json")?;
    let page = lists::page(&call.api, &row, call.project(), &query)?;
    Ok(Json(page).into_response())
}

fn list_query(params: &Params) -> Answer<lists::Query> {
    let limit = params.number("limit", 1..=lists::LIMIT_MAX as u64)?.unwrap_or(0);
    Ok(lists::Query {
        limit: usize::try_from(limit).unwrap_or(lists::LIMIT_MAX),
        page_token: params.text("page_token").map(str::to_owned),
        labels: params.all("label").map(lists::parse_label).collect::<Answer<_>>()?,
        sort: params.text("sort").map(lists::Sort::parse).transpose()?.unwrap_or_default(),
    })
}

fn watch(row: Row, call: Call, params: &Params, labels: Vec<(String, String)>) -> Answer<Response> {
    call.accepts("text/event-stream")?;
    let from = resume(&call, params)?;
    let project = call.project.clone();
    let live = row.kind == Task::KIND;
    let wanted = Wanted { rows: vec![row], project, labels, from, live, ..Wanted::default() };
    let feed = Feed::open(&call.api, wanted)?;
    Ok(sse::respond(call.api, call.caller, feed, Form::Plain, call.project))
}

const FROM: std::ops::RangeInclusive<u64> = 0..=i64::MAX as u64;

/// The revision that a stream goes on from: what a browser saw last wins.
pub fn resume(call: &Call, params: &Params) -> Answer<Option<u64>> {
    let last = call.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    match last.filter(|id| !id.is_empty()) {
        None => params.number("from", FROM),
        Some(id) => id.parse().map(Some).map_err(|_| bad("Last-Event-ID", "not a revision")),
    }
}

pub fn get(row: Row, call: &Call) -> Answer<Response> {
    call.params(&["consistent"])?.flag("consistent")?;
    call.accepts("application/json")?;
    let shown = resource::get(&call.api, &call.api.store.snapshot(), &row, call.target())?;
    Ok(object(StatusCode::OK, &shown))
}

pub async fn create(row: Row, call: Call, body: Payload) -> Answer<Response> {
    call.params(&[])?;
    let body = body.required()?;
    let claim = call.claim(&body)?;
    let (api, caller) = (&call.api, &call.caller);
    let created = row.create(api, caller, call.project(), body, claim).await?;
    let location = format!("{}/{}", call.path, created.shown.meta.name);
    let mut response = written(StatusCode::CREATED, &created);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub async fn patch(row: Row, call: Call, body: Payload) -> Answer<Response> {
    call.params(&[])?;
    let (patch, if_match) = (body.required()?, call.if_match());
    let (api, caller) = (&call.api, &call.caller);
    let patched = row.ops.patch(api, caller, call.target(), &patch, &if_match).await?;
    Ok(written(StatusCode::OK, &patched))
}

pub async fn delete(row: Row, call: Call) -> Answer<Response> {
    let params = call.params(&["force", "unprotect", "dry_run"])?;
    let options =
        DeleteOptions { force: params.flag("force")?, unprotect: params.flag("unprotect")? };
    let if_match = call.if_match();
    if params.flag("dry_run")? {
        return Ok(Json(row.ops.preview_delete(&call.api, call.target())?).into_response());
    }
    let (api, caller) = (&call.api, &call.caller);
    match row.ops.delete(api, caller, call.target(), options, &if_match).await? {
        Deleted::Gone => Ok(StatusCode::NO_CONTENT.into_response()),
        Deleted::Task(uid) => {
            let shown = task(api, call.project(), &uid.to_string())?;
            Ok(object(StatusCode::ACCEPTED, &shown))
        }
    }
}

pub async fn verb(row: Row, verb: &'static Verb, call: Call, body: Payload) -> Answer<Response> {
    call.params(&[])?;
    let body = match verb.body {
        Some(wanted) if wanted.required => body.required()?,
        _ => body.or_empty(),
    };
    let (api, caller) = (&call.api, &call.caller);
    let shown = verbs::perform(api, caller, &row, verb, call.target(), body).await?;
    let status = match verb.answer {
        VerbAnswer::Task => StatusCode::ACCEPTED,
        VerbAnswer::Object => StatusCode::OK,
    };
    Ok(object(status, &shown))
}

/// A task by its name.
pub fn task(api: &Api, project: Option<&str>, name: &str) -> Answer<Shown> {
    let row = table::row_of(Task::KIND);
    debug_assert_eq!(row.scope, Scope::Project);
    resource::get(api, &api.store.snapshot(), &row, Target { project, name })
}

/// An object with the task that makes it real, where there is one.
fn written(status: StatusCode, written: &Written) -> Response {
    let mut response = object(status, &written.shown);
    if let Some(task) = written.task.and_then(|task| task.to_string().parse().ok()) {
        response.headers_mut().insert("novacron-task", task);
    }
    response
}

/// An object with its `ETag`.
pub fn object(status: StatusCode, shown: &Shown) -> Response {
    let mut response = (status, Json(&shown.json)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", shown.meta.revision)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
