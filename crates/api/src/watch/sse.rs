//! Feeds as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::json;

use super::feed::Feed;
use super::{Notice, Told};
use crate::auth::{Caller, watchdog};
use crate::state::Api;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How objects stand in `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// The object itself.
    Plain,
    /// `{kind, object}`: several kinds share the stream.
    Named,
}

/// A feed until the client goes, the caller's credential ends or the server shuts down.
pub fn respond(
    api: Arc<Api>,
    caller: Caller,
    feed: Feed,
    form: Form,
    project: Option<String>,
) -> Response {
    let told = futures::stream::unfold(feed, |mut feed| async {
        let told = feed.next().await?;
        Some((told, feed))
    });
    let lines = told.map(move |told| Ok::<_, Infallible>(line(told, &form, project.as_deref())));
    let ended = Box::pin(watchdog::ended(api, caller));
    Sse::new(lines.take_until(ended))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response()
}

fn line(told: Told, form: &Form, project: Option<&str>) -> Event {
    let (name, data) = parts(told.notice, form, project);
    let event = Event::default().event(name).data(data);
    match told.id {
        Some(id) => event.id(id.to_string()),
        None => event,
    }
}

fn parts(notice: Notice, form: &Form, project: Option<&str>) -> (&'static str, String) {
    match notice {
        Notice::Object { object, .. } if *form == Form::Plain => {
            ("object", object.json.to_string())
        }
        Notice::Object { kind, object } => {
            ("object", format!("{{\"kind\":\"{kind}\",\"object\":{}}}", object.json))
        }
        Notice::Gone { kind, name, uid } => {
            let mut gone = json!({ "kind": kind, "name": name });
            if let Some(project) = project {
                gone["project"] = project.into();
            }
            if let Some(uid) = uid {
                gone["uid"] = uid.to_string().into();
            }
            ("gone", gone.to_string())
        }
        Notice::Synced { revision } => ("synced", json!({ "revision": revision }).to_string()),
        Notice::Reset => ("reset", "{}".to_owned()),
        Notice::Event(event) => ("event", event.to_string()),
        Notice::Live { task, live } => ("live", json!({ "task": task, "live": live }).to_string()),
    }
}
