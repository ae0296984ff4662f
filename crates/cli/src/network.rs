//! `novacron network …`

use clap::Subcommand;
use novacron_model::Network;
use serde_json::json;

use crate::args::{LabelArgs, WaitArgs, draft};
use crate::failure::Result;
use crate::noun::Noun;
use crate::session::Session;
use crate::table::{Column, age, labels, text};
use crate::task;
use crate::verbs::{DeleteArgs, ListArgs, delete, edit, list, set};

pub const NOUN: Noun = Noun::of::<Network>(&[
    Column::new("Name", |network, _| text(network, "/meta/name")),
    Column::new("Kind", |network, _| text(network, "/spec/kind")),
    Column::new("Labels", |network, _| labels(network)),
    Column::new("Age", |network, now| age(network, "/meta/created", now)).right(),
    Column::detail("Owner", |network, _| text(network, "/meta/owner")),
    Column::detail("UID", |network, _| text(network, "/meta/uid")),
]);

#[derive(Debug, Clone, Subcommand)]
pub enum NetworkCommand {
    /// Create a network through the host's own stack, with port forwards
    Create {
        /// Name of the network
        #[arg(value_name = "NETWORK")]
        name: String,
        #[command(flatten)]
        labels: LabelArgs,
    },
    /// List networks
    List(ListArgs),
    /// Show one network
    Show {
        /// Name of the network
        #[arg(value_name = "NETWORK")]
        name: String,
    },
    /// Change labels of a network
    Set {
        /// Name of the network
        #[arg(value_name = "NETWORK")]
        name: String,
        #[command(flatten)]
        labels: LabelArgs,
    },
    /// Change a network in your editor
    Edit {
        /// Name of the network
        #[arg(value_name = "NETWORK")]
        name: String,
    },
    /// Delete networks that nothing uses
    Delete(DeleteArgs),
}

pub async fn run(session: &Session, command: NetworkCommand) -> Result<()> {
    match command {
        NetworkCommand::Create { name, labels } => {
            let draft = draft(&name, &labels, &json!({"kind": "user"}));
            let answer = session.create(&NOUN, &draft).await?;
            let sentence = format!("{} created", NOUN.called(&name));
            let wait = WaitArgs::default();
            task::conclude(session, answer, &wait, &sentence, Some((&NOUN, &name))).await
        }
        NetworkCommand::List(args) => list::list(session, &NOUN, &args, |_| true).await,
        NetworkCommand::Show { name } => session.show(&NOUN, &session.read(&NOUN, &name).await?),
        NetworkCommand::Set { name, labels } => {
            set::set(session, &NOUN, &name, &labels, json!({})).await
        }
        NetworkCommand::Edit { name } => edit::edit(session, &NOUN, &name).await,
        NetworkCommand::Delete(args) => delete::delete(session, &NOUN, &args).await,
    }
}
