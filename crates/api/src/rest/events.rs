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

/// Which events are meant, in a list as in a stream.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// About objects of this project; without one, about all.
    pub project: Option<String>,
    /// Beside those of the project, also what belongs to none.
    pub cluster: bool,
    /// (kind, name)
    pub object: Option<(String, String)>,
    /// This level or above.
    pub level: Option<Level>,
}

impl Filter {
    pub fn matches(&self, event: &Event) -> bool {
        let about = event.object.as_ref();
        let project = about.and_then(|object| object.project.as_ref());
        let in_project = match (&self.project, project) {
            (None, _) => true,
            (Some(_), None) => self.cluster,
            (Some(wanted), Some(own)) => own.as_str() == wanted,
        };
        let of_object = self.object.as_ref().is_none_or(|(kind, name)| {
            about.is_some_and(|object| object.kind == *kind && object.name == *name)
        });
        in_project && of_object && self.level.is_none_or(|level| event.level >= level)
    }
}

/// A page of events.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub filter: Filter,
    /// Zero: [`list::LIMIT`].
    pub limit: usize,
    pub page_token: Option<String>,
}

pub async fn list(call: Call) -> Answer<Response> {
    let known = ["limit", "page_token", "object", "level", "watch", "from", "consistent"];
    let params = call.params(&known)?;
    params.flag("consistent")?;
    let query = query(&call, &params)?;
    if let Some(project) = call.project() {
        resource::project_uid(&call.api.store.snapshot(), project)?;
    }
    let from = resume(&call, &params)?;
    if params.flag("watch")? {
        call.accepts("text/event-stream")?;
        let at = call.api.store.snapshot().revision();
        let from = from.or(Some(at));
        let wanted = Wanted { from, events: Some(query.filter), ..Wanted::default() };
        let feed = Feed::open(&call.api, wanted)?;
        return Ok(sse::respond(call.api, call.caller, feed, Form::Plain, call.project));
    }
    call.accepts("application/json")?;
    Ok(Json(page(&call.api, &query)?).into_response())
}

fn query(call: &Call, params: &Params) -> Answer<Query> {
    let limit = params.number("limit", 1..=list::LIMIT_MAX as u64)?.unwrap_or(0);
    let filter = Filter {
        project: call.project.clone(),
        cluster: false,
        object: params.text("object").map(parse_object).transpose()?,
        level: params.word("level")?,
    };
    Ok(Query {
        filter,
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
    let mut events = entries.filter_map(read).filter(|event| query.filter.matches(event));
    let items: Vec<Event> = events.by_ref().take(limit).collect();
    let mut page = json!({ "items": items, "revision": at.revision() });
    if let (Some(last), true) = (items.last(), events.next().is_some()) {
        page["next_page_token"] = last.sequence.to_string().into();
    }
    Ok(page)
}

/// An entry of the stream as an event.
pub fn read(entry: &StreamEntry) -> Option<Event> {
    let mut event: Event = serde_json::from_str(entry.value.get())
        .inspect_err(|error| tracing::warn!(sequence = entry.sequence, %error, "event skipped"))
        .ok()?;
    event.sequence = entry.sequence;
    Some(event)
}
