//! Events: pages of the store's stream, newest first, and the stream as it grows.

use axum::Json;
use axum::response::{IntoResponse, Response};
use novacron_model::{Error, Event, Level, event};
use novacron_store::StreamEntry;
use serde_json::{Value, json};

use super::call::Call;
use super::objects::resume;
use super::params::{Params, bad};
use crate::problem::Answer;
use crate::resource::{self, list};
use crate::state::Api;
use crate::watch::feed::{Feed, Wanted};
use crate::watch::sse::{self, Form};

/// Which events are asked for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub project: Option<String>,
    /// (kind, name)
    pub object: Option<(String, String)>,
    /// This level or above.
    pub level: Option<Level>,
    /// Zero: [`list::LIMIT`].
    pub limit: usize,
    pub page_token: Option<String>,
}

pub async fn list(call: Call) -> Answer<Response> {
    let known = ["limit", "page_token", "object", "level", "watch", "from"];
    let params = call.params(&known)?;
    let query = query(&call, &params)?;
    if let Some(project) = call.project() {
        resource::project_uid(&call.api.store.snapshot(), project)?;
    }
    let from = resume(&call, &params)?;
    if params.flag("watch")? {
        call.accepts("text/event-stream")?;
        let at = call.api.store.snapshot().revision();
        let from = from.or(Some(at));
        let wanted = Wanted { project: query.project, from, events: true, ..Wanted::default() };
        let feed = Feed::open(&call.api, wanted)?;
        return Ok(sse::respond(call.api, call.caller, feed, Form::Plain, call.project));
    }
    call.accepts("application/json")?;
    Ok(Json(page(&call.api, &query)?).into_response())
}

fn query(call: &Call, params: &Params) -> Answer<Query> {
    let limit = params.number("limit", 1..=list::LIMIT_MAX as u64)?.unwrap_or(0);
    Ok(Query {
        project: call.project.clone(),
        object: params.text("object").map(parse_object).transpose()?,
        level: params.word("level")?,
        limit: usize::try_from(limit).unwrap_or(list::LIMIT_MAX),
        page_token: params.text("page_token").map(str::to_owned),
    })
}

/// `vm/web`.
pub fn parse_object(text: &str) -> Answer<(String, String)> {
    let (kind, name) = text.split_once('/').ok_or_else(|| bad("object", "not KIND/NAME"))?;
    Ok((kind.to_owned(), name.to_owned()))
}

/// One page, newest first. The token is the sequence number that the page ended at.
pub fn page(api: &Api, query: &Query) -> Answer<Value> {
    let at = api.store.snapshot();
    let before = match &query.page_token {
        None => u64::MAX,
        Some(token) => {
            let number = token.parse().ok();
            number.ok_or_else(|| {
                Error::invalid("page_token", "that is not a page token of this list")
                    .hint("start again without page_token")
            })?
        }
    };
    let limit = if query.limit == 0 { list::LIMIT } else { query.limit };
    let entries = at.stream(event::STREAM, 0).rev().filter(|entry| entry.sequence < before);
    let mut events = entries.filter_map(read).filter(|event| matches(event, query));
    let items: Vec<Event> = events.by_ref().take(limit).collect();
    let mut page = json!({ "items": items, "revision": at.revision() });
    if let (Some(last), true) = (items.last(), events.next().is_some()) {
        page["next_page_token"] = last.sequence.to_string().into();
    }
    Ok(page)
}

fn matches(event: &Event, query: &Query) -> bool {
    let about = |kind: &str, name: &str| {
        event.object.as_ref().is_some_and(|object| object.kind == kind && object.name == name)
    };
    in_project(event, query.project.as_deref())
        && query.level.is_none_or(|level| event.level >= level)
        && query.object.as_ref().is_none_or(|(kind, name)| about(kind, name))
}

fn in_project(event: &Event, project: Option<&str>) -> bool {
    let Some(project) = project else { return true };
    let own = event.object.as_ref().and_then(|object| object.project.as_ref());
    own.is_some_and(|own| own.as_str() == project)
}

fn read(entry: &StreamEntry) -> Option<Event> {
    let mut event: Event = serde_json::from_str(entry.value.get())
        .inspect_err(|error| tracing::warn!(sequence = entry.sequence, %error, "event skipped"))
        .ok()?;
    event.sequence = entry.sequence;
    Some(event)
}

/// An entry of the stream as it goes out.
pub fn shown(entry: &StreamEntry) -> Option<Value> {
    let event = read(entry)?;
    serde_json::to_value(event).map_err(|error| Error::internal(error.to_string())).ok()
}

/// Whether an event belongs to a project's stream: its own, and those of the whole cluster.
pub fn concerns(event: &Value, project: Option<&str>) -> bool {
    match (project, event["object"]["project"].as_str()) {
        (Some(wanted), Some(own)) => wanted == own,
        _ => true,
    }
}
