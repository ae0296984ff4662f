//! `novacron cluster token …`: what lets nodes join.

use std::io::{self, IsTerminal};

use clap::{Args, Subcommand};
use novacron_model::{JoinToken, Seconds};
use serde_json::{Value, json};

use crate::args::{LabelArgs, draft, put, typed};
use crate::failure::Result;
use crate::noun::Noun;
use crate::output;
use crate::session::{Session, now};
use crate::table::{Column, NONE, age, text};
use crate::verbs::chosen::Chosen;
use crate::verbs::{DeleteArgs, ListArgs, delete, list};

pub const NOUN: Noun = Noun::of::<JoinToken>(&[
    Column::new("Name", |token, _| text(token, "/meta/name")),
    Column::new("Role", |token, _| text(token, "/spec/role")),
    Column::new("Used by", |token, _| text(token, "/status/used/member")),
    Column::new("Description", |token, _| text(token, "/spec/description")),
    Column::new("Expires", |token, _| text(token, "/spec/expires")),
    Column::new("By", |token, _| text(token, "/meta/owner")),
    Column::new("Age", |token, now| age(token, "/meta/created", now)).right(),
]);

#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Print what lets one node join: `novacron server --join TOKEN` on the new machine
    Create(CreateArgs),
    /// List what may be joined with, or was
    List(ListArgs),
    /// Let nobody join with them any more
    Delete {
        /// One or more names
        #[arg(required = true, value_name = "TOKEN")]
        names: Vec<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// How long it is valid, from 1m to 7d [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = typed::<Seconds>)]
    ttl: Option<Seconds>,
    /// What the new node is to be; one that votes when it is needed unless said
    #[arg(long, value_parser = ["voter", "worker", "witness"])]
    role: Option<String>,
    /// Also if only processes of this machine can reach the address in it
    #[arg(long)]
    loopback: bool,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

pub async fn run(session: &Session, command: TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Create(args) => create(session, args).await,
        TokenCommand::List(args) => list::list(session, &NOUN, &args, |_| true).await,
        TokenCommand::Delete { names, yes } => {
            let chosen = Chosen::named(names);
            let args = DeleteArgs { chosen, yes, ..DeleteArgs::default() };
            delete::delete(session, &NOUN, &args).await
        }
    }
}

async fn create(session: &Session, args: CreateArgs) -> Result<()> {
    let mut spec = json!({});
    put(&mut spec, "role", args.role);
    put(&mut spec, "description", args.description);
    put(&mut spec, "expires", args.ttl.map(|life| now().plus(life).to_string()));
    put(&mut spec, "loopback", args.loopback.then_some(true));
    let draft = draft(&fresh_name(), &LabelArgs::default(), &spec);
    let answer = session.create(&NOUN, &draft).await?;
    if session.is_table() && io::stderr().is_terminal() {
        output::note(guidance(&answer.value));
    }
    output::value(session.format, &answer.value, || text(&answer.value, "/secret"))
}

/// Nobody types it but to delete it, so that it need not mean anything.
fn fresh_name() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("join-{}", &random[..8])
}

fn guidance(token: &Value) -> String {
    let until = text(token, "/spec/expires");
    let until = if until == NONE { String::new() } else { format!(" until {until}") };
    format!("good for one node{until}; on its machine: novacron server --join, followed by")
}
