//! Verbs that change what a VM does: start, stop, restart, reset, pause, resume.

use clap::Args;
use novacron_model::Seconds;
use serde_json::{Value, json};

use super::NOUN;
use crate::args::{WaitArgs, put, typed};
use crate::client::Call;
use crate::failure::Result;
use crate::prompt;
use crate::session::Session;
use crate::task;
use crate::verbs::Chosen;
use crate::verbs::several::Several;

#[derive(Debug, Clone, Args)]
pub struct Names {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Clone, Args)]
pub struct Reset {
    #[command(flatten)]
    names: Names,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Stop {
    #[command(flatten)]
    chosen: Chosen,
    /// How long the guest may take; 60s unless said
    #[arg(long, value_name = "DURATION", value_parser = typed::<Seconds>)]
    timeout: Option<Seconds>,
    /// Cut the power when the time is up; otherwise the guest runs on
    #[arg(long)]
    force: bool,
    /// Do not ask before --force
    #[arg(long)]
    yes: bool,
    /// Print the task's id and do not wait for it
    #[arg(long)]
    no_wait: bool,
}

pub async fn plain(session: &Session, verb: &str, done: &str, args: &Names) -> Result<()> {
    perform(session, verb, done, &args.chosen, &args.wait, &json!({})).await
}

/// The guest has no say in it.
pub async fn reset(session: &Session, args: &Reset) -> Result<()> {
    prompt::confirm_on_terminal("What the guests have not written yet is lost. Reset?", args.yes)?;
    plain(session, "reset", "reset", &args.names).await
}

pub async fn stop(session: &Session, verb: &str, done: &str, args: &Stop) -> Result<()> {
    if args.force {
        let question =
            "A guest that does not stop in time loses what it has not written yet. Go on?";
        prompt::confirm_on_terminal(question, args.yes)?;
    }
    let mut body = json!({"force": args.force});
    put(&mut body, "timeout", args.timeout.map(|timeout| timeout.0));
    let wait = WaitArgs { no_wait: args.no_wait, timeout: None };
    perform(session, verb, done, &args.chosen, &wait, &body).await
}

/// Asks for all, then waits for all.
async fn perform(
    session: &Session,
    verb: &str,
    done: &str,
    chosen: &Chosen,
    wait: &WaitArgs,
    body: &Value,
) -> Result<()> {
    let mut several = Several::default();
    let mut asked = Vec::new();
    for name in chosen.names(session, &NOUN).await? {
        let path = format!("{}/{verb}", NOUN.path(&session.project, &name));
        let answer = session.client.call(Call::post(path, body)).await;
        if let Some(answer) = several.take(answer)? {
            asked.push((name, answer));
        }
    }
    for (name, answer) in asked {
        let sentence = format!("{} {done}", NOUN.called(&name));
        let end = task::conclude(session, answer, wait, &sentence, Some((&NOUN, &name))).await;
        several.take(end)?;
    }
    several.end()
}
