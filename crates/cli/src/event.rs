//! `novacron events`: what happened, and what happens.

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::client::path::query;
use crate::client::sse::EventStream;
use crate::client::{Call, segment};
use crate::failure::{Failure, Result};
use crate::output;
use crate::session::{Session, now};
use crate::table::{self, Column, seconds, text};

/// The text names the object.
const COLUMNS: &[Column] = &[
    Column::new("Time", |event, _| time(event)),
    Column::new("Level", |event, _| text(event, "/level")),
    Column::new("Text", |event, _| text(event, "/text")),
    Column::new("By", |event, _| text(event, "/actor")),
];

#[derive(Debug, Clone, Args)]
pub struct EventsArgs {
    /// Go on with what happens
    #[arg(short, long)]
    follow: bool,
    /// Only of one object, such as vm/web
    #[arg(long, value_name = "KIND/NAME")]
    object: Option<String>,
    /// Only of this level or above
    #[arg(long, value_enum)]
    level: Option<Level>,
    /// Also what happened outside of the project
    #[arg(long)]
    all: bool,
    /// Begin with at most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Level {
    Info,
    Warning,
    Error,
}

impl Level {
    fn wire(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

pub async fn run(session: &Session, args: &EventsArgs) -> Result<()> {
    let limit = args.limit.to_string();
    let page = session.client.get(&path(session, args, &[("limit", &limit)])).await?;
    // The newest stand first in the API, and last where one reads on.
    let mut events = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    events.reverse();
    events.drain(..events.len().saturating_sub(args.limit.into()));
    if !args.follow {
        let shown = Value::Array(events.clone());
        if session.is_table() && events.is_empty() {
            output::note("no events");
            return Ok(());
        }
        return output::value(session.format, &shown, || table::list(COLUMNS, &events, now()));
    }
    for event in &events {
        print(session, event)?;
    }
    let seen = events.last().map_or(0, sequence);
    let from = page.get("revision").and_then(Value::as_u64).unwrap_or(0).to_string();
    let path = path(session, args, &[("watch", "true"), ("from", &from)]);
    follow(session, &path, seen).await
}

async fn follow(session: &Session, path: &str, mut seen: u64) -> Result<()> {
    let mut stream = EventStream::new(session.client.stream(Call::get(path)).await?);
    while let Some(message) = stream.next().await? {
        let Ok(event) = message.json() else { continue };
        // Whatever else the stream says has no sequence.
        if sequence(&event) > seen {
            seen = sequence(&event);
            print(session, &event)?;
        }
    }
    Err(Failure::unreachable("NovaCron ended the stream of events").hint("run the command again"))
}

fn path(session: &Session, args: &EventsArgs, more: &[(&str, &str)]) -> String {
    let place = if args.all {
        "/v1/events".to_owned()
    } else {
        format!("/v1/projects/{}/events", segment(&session.project))
    };
    let object = args.object.iter().map(|object| ("object", object.as_str()));
    let level = args.level.iter().map(|level| ("level", level.wire()));
    place + &query(more.iter().copied().chain(object).chain(level))
}

fn sequence(event: &Value) -> u64 {
    event.get("sequence").and_then(Value::as_u64).unwrap_or(0)
}

fn print(session: &Session, event: &Value) -> Result<()> {
    output::streamed(session.format, event, || {
        let what = format!("{} (by {})", text(event, "/text"), text(event, "/actor"));
        table::one_line(&[time(event), text(event, "/level"), what].join("  "))
    })
}

fn time(event: &Value) -> String {
    seconds(&text(event, "/time"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use novacron_model::Time;
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_a_line_each() {
        let event = json!({"sequence": 7, "time": "2026-01-31T12:00:00.123Z", "level": "info",
            "kind": "vm.started", "object": {"kind": "vm", "name": "web"},
            "text": "VM \"web\" started", "actor": "node n1"});
        expect![[r#"
            TIME                  LEVEL  TEXT              BY
            2026-01-31T12:00:00Z  info   VM "web" started  node n1"#]]
        .assert_eq(&table::list(COLUMNS, &[event], Time(0)));
    }
}
