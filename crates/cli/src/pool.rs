//! `novacron pool …`

use clap::Subcommand;
use novacron_model::Pool;
use serde_json::{Value, json};

use crate::args::{LabelArgs, WaitArgs, draft, put};
use crate::failure::Result;
use crate::noun::Noun;
use crate::session::Session;
use crate::table::{Column, NONE, age, labels, size, text};
use crate::task;
use crate::verbs::{DeleteArgs, ListArgs, delete, edit, list, set};

pub const NOUN: Noun = Noun::of::<Pool>(&[
    Column::new("Name", |pool, _| text(pool, "/meta/name")),
    Column::new("State", |pool, _| text(pool, "/status/state")),
    Column::detail("Reason", |pool, _| text(pool, "/status/reason")),
    Column::new("Kind", |pool, _| text(pool, "/spec/kind")),
    Column::new("Size", |pool, _| size(pool, "/status/usage/total")).right(),
    Column::new("Free", |pool, _| size(pool, "/status/usage/free")).right(),
    Column::new("Path", path),
    Column::new("Age", |pool, now| age(pool, "/meta/created", now)).right(),
    Column::detail("Labels", |pool, _| labels(pool)),
    Column::detail("Owner", |pool, _| text(pool, "/meta/owner")),
    Column::detail("UID", |pool, _| text(pool, "/meta/uid")),
]);

/// The directory in use, else the one that was asked for.
fn path(pool: &Value, _: novacron_model::Time) -> String {
    match text(pool, "/status/usage/path").as_str() {
        NONE => text(pool, "/spec/path"),
        path => path.to_owned(),
    }
}

#[derive(Debug, Clone, Subcommand)]
pub enum PoolCommand {
    /// Create a pool of files in a directory
    Create {
        /// Name of the pool
        #[arg(value_name = "POOL")]
        name: String,
        /// Absolute directory on each node; in the node's data directory unless said
        #[arg(long, value_name = "DIR")]
        path: Option<String>,
        #[command(flatten)]
        labels: LabelArgs,
    },
    /// List pools
    List(ListArgs),
    /// Show one pool
    Show {
        /// Name of the pool
        #[arg(value_name = "POOL")]
        name: String,
    },
    /// Change labels of a pool
    Set {
        /// Name of the pool
        #[arg(value_name = "POOL")]
        name: String,
        #[command(flatten)]
        labels: LabelArgs,
    },
    /// Change a pool in your editor
    Edit {
        /// Name of the pool
        #[arg(value_name = "POOL")]
        name: String,
    },
    /// Delete empty pools
    Delete(DeleteArgs),
}

pub async fn run(session: &Session, command: PoolCommand) -> Result<()> {
    match command {
        PoolCommand::Create { name, path, labels } => {
            let mut spec = json!({"kind": "dir"});
            put(&mut spec, "path", path);
            let answer = session.create(&NOUN, &draft(&name, &labels, &spec)).await?;
            let sentence = format!("{} created", NOUN.called(&name));
            let wait = WaitArgs::default();
            task::conclude(session, answer, &wait, &sentence, Some((&NOUN, &name))).await
        }
        PoolCommand::List(args) => list::list(session, &NOUN, &args, |_| true).await,
        PoolCommand::Show { name } => session.show(&NOUN, &session.read(&NOUN, &name).await?),
        PoolCommand::Set { name, labels } => {
            set::set(session, &NOUN, &name, &labels, json!({})).await
        }
        PoolCommand::Edit { name } => edit::edit(session, &NOUN, &name).await,
        PoolCommand::Delete(args) => delete::delete(session, &NOUN, &args).await,
    }
}
