//! `novacron task …`, and the end of every command that started a task.

use clap::Subcommand;
use novacron_model::Task;
use novacron_model::key::display_kind;
use serde_json::{Value, json};

use crate::args::WaitArgs;
use crate::client::{Answer, Call};
use crate::failure::Result;
use crate::noun::Noun;
use crate::output;
use crate::session::Session;
use crate::table::{Column, NONE, age, duration, seconds, text};
use crate::verbs::several::Several;
use crate::verbs::{ListArgs, list};

mod progress;
mod wait;

pub use progress::Progress;
pub use wait::show;

pub const NOUN: Noun = Noun::of::<Task>(&[
    Column::new("Task", |task, _| text(task, "/meta/name")),
    Column::new("State", |task, _| text(task, "/status/state")),
    Column::new("Action", |task, _| text(task, "/spec/action")),
    Column::new("Target", |task, _| target(task)),
    Column::new("Step", |task, _| step(task)),
    Column::new("Age", |task, now| age(task, "/meta/created", now)).right(),
    Column::detail("Took", |task, _| took(task)),
    Column::detail("By", |task, _| text(task, "/meta/owner")),
    Column::detail("Log", |task, _| log(task)),
    Column::detail("Error", |task, _| text(task, "/status/outcome/error/message")),
    Column::detail("Hint", |task, _| text(task, "/status/outcome/error/hint")),
]);

#[derive(Debug, Clone, Subcommand)]
pub enum TaskCommand {
    /// List tasks
    List {
        #[command(flatten)]
        list: ListArgs,
        /// Only those that still run
        #[arg(long)]
        running: bool,
    },
    /// Show one task
    Show {
        /// Id of the task
        #[arg(value_name = "TASK")]
        id: String,
    },
    /// Wait until tasks have ended; fails when one of them failed
    Wait {
        /// Ids of tasks
        #[arg(required = true, value_name = "TASK")]
        ids: Vec<String>,
        /// Wait no longer than this (60s, 5m)
        #[arg(long, value_name = "DURATION",
            value_parser = crate::args::typed::<novacron_model::Seconds>)]
        timeout: Option<novacron_model::Seconds>,
    },
    /// Ask a task to end early
    Cancel {
        /// Id of the task
        #[arg(value_name = "TASK")]
        id: String,
    },
}

pub async fn run(session: &Session, command: TaskCommand) -> Result<()> {
    match command {
        TaskCommand::List { list: args, running } => {
            let keep = |task: &Value| !running || !wait::ended(task);
            list::list(session, &NOUN, &args, keep).await
        }
        TaskCommand::Show { id } => {
            let task = session.read(&NOUN, &id).await?;
            session.show(&NOUN, &task)
        }
        TaskCommand::Wait { ids, timeout } => {
            let mut several = Several::default();
            for id in &ids {
                if let Some(task) = several.take(wait::until_done(session, id, timeout).await)? {
                    session.report(&format!("{}: done", described(&task)), &task)?;
                }
            }
            several.end()
        }
        TaskCommand::Cancel { id } => {
            let path = format!("{}/cancel", NOUN.path(&session.project, &id));
            let answer = session.client.call(Call::post(path, &json!({}))).await?;
            session.report(&format!("task {id} was asked to end"), &answer.value)
        }
    }
}

/// Waits for the task that an answer carries, then says `sentence`, or prints the object it was
/// about (`of`), or else the task itself.
pub async fn conclude(
    session: &Session,
    answer: Answer,
    args: &WaitArgs,
    sentence: &str,
    of: Option<(&Noun, &str)>,
) -> Result<()> {
    let Some(id) = answer.task else {
        return session.report(sentence, &answer.value);
    };
    if args.no_wait {
        if session.is_table() {
            return output::line(id);
        }
        return session.report("", &session.read(&NOUN, &id).await?);
    }
    let task = wait::until_done(session, &id, args.timeout).await?;
    match of {
        Some((noun, name)) if !session.is_table() => {
            session.report(sentence, &session.read(noun, name).await?)
        }
        _ => session.report(sentence, &task),
    }
}

/// Waits for the task that an answer carries, and says nothing.
pub async fn finish(session: &Session, answer: Answer) -> Result<()> {
    match answer.task {
        Some(id) => wait::until_done(session, &id, None).await.map(drop),
        None => Ok(()),
    }
}

/// `start VM "web"`
fn described(task: &Value) -> String {
    let action = text(task, "/spec/action");
    let verb = if action == "snapshot" { "take" } else { &*action };
    format!("{verb} {}", target(task))
}

fn target(task: &Value) -> String {
    let kind = text(task, "/spec/target/kind");
    format!("{} \"{}\"", display_kind(&kind), text(task, "/spec/target/name"))
}

/// What happens now, and how far it is.
fn step(task: &Value) -> String {
    let step = text(task, "/status/live/step");
    let number = |pointer: &str| task.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let (done, total) = (number("/status/live/done"), number("/status/live/total"));
    if total == 0 || step == NONE {
        return step;
    }
    format!("{step} {} %", u128::from(done) * 100 / u128::from(total))
}

/// What was done, and when.
fn log(task: &Value) -> String {
    let log = |pointer: &str| {
        task.pointer(pointer).and_then(Value::as_array).filter(|lines| !lines.is_empty())
    };
    let lines = log("/status/log").or_else(|| log("/status/live/log"));
    let lines = lines.into_iter().flatten();
    let shown: Vec<String> = lines
        .map(|line| format!("{}  {}", seconds(&text(line, "/time")), text(line, "/text")))
        .collect();
    shown.join("\n")
}

fn took(task: &Value) -> String {
    let time =
        |pointer: &str| task.pointer(pointer)?.as_str()?.parse::<novacron_model::Time>().ok();
    match (time("/meta/created"), time("/status/outcome/finished")) {
        (Some(created), Some(finished)) => duration(finished.since(created)),
        _ => NONE.to_owned(),
    }
}
