//! `novacron cluster …`: the nodes as one cluster – who belongs to it, who votes, who may join.

mod status;
mod token;

use clap::{Args, Subcommand};
use novacron_model::Member;
use serde_json::json;

use crate::client::Call;
use crate::failure::Result;
use crate::noun::Noun;
use crate::session::Session;
use crate::table::{Column, age, labels, text};
use crate::verbs::chosen::Chosen;
use crate::verbs::several::Several;
use crate::verbs::{DeleteArgs, ListArgs, delete, list};

pub const NOUN: Noun = Noun::of::<Member>(&[
    Column::new("Name", |member, _| text(member, "/meta/name")),
    Column::new("Number", |member, _| text(member, "/spec/number")).right(),
    Column::new("Role", |member, _| text(member, "/spec/role")),
    Column::new("Address", |member, _| text(member, "/spec/address")),
    Column::new("Age", |member, now| age(member, "/meta/created", now)).right(),
    Column::detail("Labels", |member, _| labels(member)),
    Column::detail("UID", |member, _| text(member, "/meta/uid")),
]);

#[derive(Debug, Clone, Subcommand)]
pub enum ClusterCommand {
    /// Say what may be lost, and show who leads, votes and can be reached
    Status,
    /// List members
    Members(ListArgs),
    /// What lets nodes join
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Let members vote whatever the others do
    Promote(Names),
    /// Take members' votes
    Demote(Names),
    /// Remove members with their nodes
    Remove(RemoveArgs),
}

#[derive(Debug, Clone, Args)]
pub struct Names {
    /// One or more names
    #[arg(required = true, value_name = "MEMBER")]
    names: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct RemoveArgs {
    /// One or more names
    #[arg(required = true, value_name = "MEMBER")]
    names: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Also with what lies on the node: for a machine that will not come back
    #[arg(long)]
    force: bool,
}

pub async fn run(session: &Session, command: ClusterCommand) -> Result<()> {
    match command {
        ClusterCommand::Status => status::show(session).await,
        ClusterCommand::Members(args) => list::list(session, &NOUN, &args, |_| true).await,
        ClusterCommand::Token(command) => token::run(session, command).await,
        ClusterCommand::Promote(Names { names }) => each(session, &names, "promote").await,
        ClusterCommand::Demote(Names { names }) => each(session, &names, "demote").await,
        ClusterCommand::Remove(RemoveArgs { names, yes, force }) => {
            let chosen = Chosen::named(names);
            let args = DeleteArgs { chosen, yes, force, ..DeleteArgs::default() };
            delete::delete(session, &NOUN, &args).await
        }
    }
}

async fn each(session: &Session, names: &[String], verb: &str) -> Result<()> {
    let mut several = Several::default();
    for name in names {
        let path = format!("{}/{verb}", NOUN.path(&session.project, name));
        if let Some(answer) =
            several.take(session.client.call(Call::post(path, &json!({}))).await)?
        {
            session.report(&format!("{} {verb}d", NOUN.called(name)), &answer.value)?;
        }
    }
    several.end()
}
