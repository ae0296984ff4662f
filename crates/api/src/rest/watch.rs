//! `GET /v1/watch`: one stream for everything a browser tab shows.

use axum::response::Response;
use novacron_model::{Kind, Task, project};

use super::call::Call;
use super::events::Filter;
use super::objects::resume;
use super::params::bad;
use crate::problem::Answer;
use crate::resource;
use crate::table::{self, Row};
use crate::watch::feed::{Feed, Wanted};
use crate::watch::sse::{self, Form};

const EVENTS: &str = "events";

pub async fn watch(call: Call) -> Answer<Response> {
    let params = call.params(&["project", "kinds", "from"])?;
    let project = params.text("project").unwrap_or(project::DEFAULT).to_owned();
    resource::project_uid(&call.api.store.snapshot(), &project)?;
    let (rows, events) = kinds(params.text("kinds"))?;
    let from = resume(&call, &params)?;
    let wanted = Wanted {
        live: rows.iter().any(|row| row.kind == Task::KIND),
        rows,
        project: Some(project.clone()),
        from,
        events: events.then(|| Filter {
            project: Some(project.clone()),
            cluster: true,
            ..Filter::default()
        }),
        ..Wanted::default()
    };
    let feed = Feed::open(&call.api, wanted)?;
    Ok(sse::respond(call.api, call.caller, feed, Form::Named, Some(project)))
}

/// The kinds that `kinds` names, and whether events are among them.
fn kinds(text: Option<&str>) -> Answer<(Vec<Row>, bool)> {
    let all = table::rows();
    let Some(text) = text else { return Ok((all.to_vec(), true)) };
    let (mut rows, mut events) = (Vec::<Row>::new(), false);
    for name in text.split(',') {
        if name == EVENTS {
            events = true;
            continue;
        }
        let row = all.iter().find(|row| row.plural == name);
        let row = row.ok_or_else(|| bad("kinds", "there is no such kind"))?;
        if !rows.iter().any(|known| known.kind == row.kind) {
            rows.push(*row);
        }
    }
    Ok((rows, events))
}
