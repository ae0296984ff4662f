//! Waiting for a task through the watch, over restarts of the daemon.

use std::convert::Infallible;
use std::time::Duration;

use novacron_model::Seconds;
use serde_json::Value;
use tokio::time::Instant;

use super::{NOUN, Progress, described};
use crate::client::Call;
use crate::client::path::query;
use crate::client::sse::EventStream;
use crate::failure::{Failure, Result, TIMEOUT, reported};
use crate::output;
use crate::session::Session;
use crate::signals::Signals;

/// How long a daemon may be away (restarting, say) before waiting is given up.
const AWAY_MAX: Duration = Duration::from_secs(30);
/// How long the stream may be silent before the task is read again.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(500);

/// The task once it has succeeded. Its failure, the end of the patience and Ctrl-C are failures.
pub async fn until_done(session: &Session, id: &str, timeout: Option<Seconds>) -> Result<Value> {
    let mut signals = Signals::watch()?;
    let progress = Progress::new("waiting");
    let patience = async {
        match timeout {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds.0)).await,
            None => std::future::pending().await,
        }
    };
    let back = format!("it goes on; `novacron task wait {id}` waits for it again");
    tokio::select! {
        task = follow(session, id, progress) => judged(task?),
        () = patience => {
            Err(Failure::new(TIMEOUT, "the task has not ended in time").hint(back))
        }
        number = signals.next() => {
            output::note(format!("\nno longer waiting for task {id}: {back}"));
            Err(Failure::signalled(number))
        }
    }
}

pub fn ended(task: &Value) -> bool {
    !matches!(state(task), "" | "running")
}

fn state(task: &Value) -> &str {
    task.pointer("/status/state").and_then(Value::as_str).unwrap_or_default()
}

fn judged(task: Value) -> Result<Value> {
    match state(&task) {
        "succeeded" => Ok(task),
        "cancelled" => Err(Failure::failed(format!("{}: cancelled", described(&task)))),
        _ => Err(why(&task)),
    }
}

fn why(task: &Value) -> Failure {
    let error = task.pointer("/status/outcome/error").unwrap_or(&Value::Null);
    reported(error, &format!("{} failed", described(task)))
}

/// Reads the task, then watches it; a broken connection is made again.
async fn follow(session: &Session, id: &str, mut progress: Progress) -> Result<Value> {
    let mut away_since = None::<Instant>;
    loop {
        match watch(session, id, &mut progress).await {
            Ok(Some(task)) => return Ok(task),
            Ok(None) => away_since = None,
            Err(failure) if failure.is_unreachable() => {
                if away_since.get_or_insert_with(Instant::now).elapsed() > AWAY_MAX {
                    return Err(failure.hint(format!(
                        "the task may go on; `novacron task wait {id}` waits for it again"
                    )));
                }
            }
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Shows how far a task is, for as long as this is polled. What is over at once shows nothing.
pub async fn show(session: &Session, id: &str) -> Infallible {
    let mut shown = None;
    loop {
        tokio::time::sleep(RETRY).await;
        if let Ok(task) = session.read(&NOUN, id).await {
            let progress = shown.get_or_insert_with(|| Progress::new(described(&task)));
            tell(progress, task.pointer("/status/live"));
        }
    }
}

/// The ended task; none when the stream ended first.
async fn watch(session: &Session, id: &str, progress: &mut Progress) -> Result<Option<Value>> {
    let task = session.read(&NOUN, id).await?;
    if ended(&task) {
        return Ok(Some(task));
    }
    progress.rename(described(&task));
    tell(progress, task.pointer("/status/live"));
    // The stream begins with the task's own record, so that older tasks are not sent, and this one
    // is: only of tasks that it has told does the server tell the progress.
    let revision = task.pointer("/meta/revision").and_then(Value::as_u64).unwrap_or(0);
    let from = revision.saturating_sub(1).to_string();
    let pairs = [("project", session.project.as_str()), ("kinds", "tasks"), ("from", &from)];
    let body = session.client.stream(Call::get(format!("/v1/watch{}", query(pairs)))).await?;
    let mut events = EventStream::new(body);
    loop {
        let Ok(event) = tokio::time::timeout(LOOK_AGAIN, events.next()).await else {
            // What nobody works on sends no progress, but may tell what it waits for.
            tell(progress, session.read(&NOUN, id).await?.pointer("/status/live"));
            continue;
        };
        let Some(event) = event? else { return Ok(None) };
        let data = match event.name.as_str() {
            "object" | "gone" | "live" => event.json()?,
            _ => continue,
        };
        match event.name.as_str() {
            "live" if data.get("task").and_then(Value::as_str) == Some(id) => {
                tell(progress, data.get("live"));
            }
            "object" if names(data.get("object"), id) => {
                let task = data.get("object").cloned().unwrap_or_default();
                if ended(&task) {
                    return Ok(Some(task));
                }
                tell(progress, task.pointer("/status/live"));
            }
            "gone" if data.get("name").and_then(Value::as_str) == Some(id) => {
                return Err(Failure::failed(format!("task {id} was removed before it ended")));
            }
            _ => {}
        }
    }
}

fn names(task: Option<&Value>, id: &str) -> bool {
    let name = task.and_then(|task| task.pointer("/meta/name")).and_then(Value::as_str);
    name == Some(id)
}

fn tell(progress: &mut Progress, live: Option<&Value>) {
    let Some(live) = live.filter(|live| live.is_object()) else { return };
    let number = |name: &str| live.get(name).and_then(Value::as_u64).unwrap_or(0);
    let step = live.get("step").and_then(Value::as_str).unwrap_or_default();
    progress.at(step, number("done"), number("total"));
}
