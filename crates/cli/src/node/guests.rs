//! `node stop-guests` and `start-guests`: all guests of a node down before its host goes, and up
//! again.

use std::time::Duration;

use clap::Args;
use novacron_model::Seconds;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::NOUN;
use crate::args::{put, typed};
use crate::client::Call;
use crate::failure::{Failure, Result, TIMEOUT};
use crate::session::Session;
use crate::table::text;
use crate::verbs::ListArgs;
use crate::verbs::list::objects;
use crate::{project, prompt, vm};

/// How often it is looked whether guests are down.
const LOOK: Duration = Duration::from_millis(500);
/// What a node may take beyond the guests' own time.
const GRACE: Duration = Duration::from_mins(1);
/// Unless said otherwise; the server's own.
const STOP_TIMEOUT: Seconds = Seconds(60);

#[derive(Debug, Clone, Args)]
pub struct StopGuests {
    /// Name of the node; the one that answers unless said
    #[arg(value_name = "NODE")]
    name: Option<String>,
    /// How long each guest may take; 60s unless said
    #[arg(long, value_name = "DURATION", value_parser = typed::<Seconds>)]
    timeout: Option<Seconds>,
    /// Cut the power of guests that are not down in time; otherwise they run on
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Do not wait until the guests are down
    #[arg(long)]
    no_wait: bool,
}

pub async fn stop(session: &Session, args: StopGuests) -> Result<()> {
    let name = named(session, args.name).await?;
    let question = format!("All guests of node \"{name}\" are shut down. Go on?");
    prompt::confirm_on_terminal(&question, args.yes)?;
    let mut body = json!({"force": args.force});
    put(&mut body, "timeout", args.timeout.map(|timeout| timeout.0));
    let path = format!("{}/stop-guests", NOUN.path(&session.project, &name));
    let node = session.client.call(Call::post(path, &body)).await?.value;
    let called = NOUN.called(&name);
    if args.no_wait {
        return session.report(&format!("{called} shuts its guests down"), &node);
    }
    let hold = node.pointer("/status/hold/number").and_then(Value::as_u64).unwrap_or(0);
    let patience = Duration::from_secs(args.timeout.unwrap_or(STOP_TIMEOUT).0) + GRACE;
    until_down(session, &name, hold, patience).await?;
    let again = format!("`novacron node start-guests {name}`");
    let sentence =
        format!("the guests of {called} are down; they start at its next boot or with {again}");
    session.report(&sentence, &node)
}

pub async fn start(session: &Session, name: Option<String>) -> Result<()> {
    let name = named(session, name).await?;
    let path = format!("{}/start-guests", NOUN.path(&session.project, &name));
    let node = session.client.call(Call::post(path, &json!({}))).await?.value;
    session.report(&format!("{} starts its guests", NOUN.called(&name)), &node)
}

async fn named(session: &Session, name: Option<String>) -> Result<String> {
    if let Some(name) = name {
        return Ok(name);
    }
    Ok(text(&session.client.get("/v1/system").await?, "/node"))
}

/// Waits for the end of every guest. None starts any more: a start holds only without the hold.
async fn until_down(session: &Session, node: &str, hold: u64, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        let up = guests(session, node).await?;
        if up.is_empty() {
            return Ok(());
        }
        let (deaf, going): (Vec<_>, Vec<_>) = up.iter().partition(|vm| gave_up(vm, hold));
        if going.is_empty() && !deaf.is_empty() {
            let message = format!("did not shut down in time and run on: {}", names(&deaf));
            return Err(Failure::new(TIMEOUT, message).hint("--force cuts their power"));
        }
        if Instant::now() > deadline {
            let message = format!("still not down: {}", names(&going));
            return Err(Failure::new(TIMEOUT, message).hint("see `novacron node show`"));
        }
        sleep(LOOK).await;
    }
}

/// VMs of the node that have a process, or are about to.
async fn guests(session: &Session, node: &str) -> Result<Vec<Value>> {
    let all = ListArgs::default();
    let projects = objects(session, &project::NOUN.collection(""), &all, |_| true).await?;
    let mut up = Vec::new();
    for project in projects {
        let vms = vm::NOUN.collection(&text(&project, "/meta/name"));
        let here = |vm: &Value| text(vm, "/status/placement/node") == node && is_up(vm);
        up.extend(objects(session, &vms, &all, here).await?);
    }
    Ok(up)
}

fn is_up(vm: &Value) -> bool {
    let state = text(vm, "/status/runtime/state");
    matches!(state.as_str(), "starting" | "running" | "paused" | "stopping")
}

/// The guest did not listen, and its node leaves it alone.
fn gave_up(vm: &Value, hold: u64) -> bool {
    let done = vm.pointer("/status/runtime/done/hold").and_then(Value::as_u64).unwrap_or(0);
    let state = text(vm, "/status/runtime/state");
    done >= hold && matches!(state.as_str(), "running" | "paused")
}

fn names(vms: &[&Value]) -> String {
    let name = |vm: &&Value| format!("{}/{}", text(vm, "/meta/project"), text(vm, "/meta/name"));
    vms.iter().map(name).collect::<Vec<_>>().join(", ")
}
