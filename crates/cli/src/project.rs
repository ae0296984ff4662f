//! `novacron project …`

use clap::Subcommand;
use novacron_model::Project;
use serde_json::json;

use crate::args::{LabelArgs, WaitArgs, draft, put};
use crate::failure::Result;
use crate::noun::Noun;
use crate::session::Session;
use crate::table::{Column, age, labels, text};
use crate::task;
use crate::verbs::{DeleteArgs, ListArgs, delete, edit, list, set};

pub const NOUN: Noun = Noun::of::<Project>(&[
    Column::new("Name", |project, _| text(project, "/meta/name")),
    Column::new("Description", |project, _| text(project, "/spec/description")),
    Column::new("Labels", |project, _| labels(project)),
    Column::new("Age", |project, now| age(project, "/meta/created", now)).right(),
    Column::detail("Owner", |project, _| text(project, "/meta/owner")),
    Column::detail("UID", |project, _| text(project, "/meta/uid")),
]);

#[derive(Debug, Clone, Subcommand)]
pub enum ProjectCommand {
    /// Create a project
    Create {
        /// Name of the project
        #[arg(value_name = "PROJECT")]
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        #[command(flatten)]
        labels: LabelArgs,
    },
    /// List projects
    List(ListArgs),
    /// Show one project
    Show {
        /// Name of the project
        #[arg(value_name = "PROJECT")]
        name: String,
    },
    /// Change description or labels of a project
    Set {
        /// Name of the project
        #[arg(value_name = "PROJECT")]
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        #[command(flatten)]
        labels: LabelArgs,
    },
    /// Change a project in your editor
    Edit {
        /// Name of the project
        #[arg(value_name = "PROJECT")]
        name: String,
    },
    /// Delete empty projects
    Delete(DeleteArgs),
}

pub async fn run(session: &Session, command: ProjectCommand) -> Result<()> {
    match command {
        ProjectCommand::Create { name, description, labels } => {
            let mut spec = json!({});
            put(&mut spec, "description", description);
            let answer = session.create(&NOUN, &draft(&name, &labels, &spec)).await?;
            let sentence = format!("{} created", NOUN.called(&name));
            let wait = WaitArgs::default();
            task::conclude(session, answer, &wait, &sentence, Some((&NOUN, &name))).await
        }
        ProjectCommand::List(args) => list::list(session, &NOUN, &args, |_| true).await,
        ProjectCommand::Show { name } => session.show(&NOUN, &session.read(&NOUN, &name).await?),
        ProjectCommand::Set { name, description, labels } => {
            let mut spec = json!({});
            put(&mut spec, "description", description);
            set::set(session, &NOUN, &name, &labels, spec).await
        }
        ProjectCommand::Edit { name } => edit::edit(session, &NOUN, &name).await,
        ProjectCommand::Delete(args) => delete::delete(session, &NOUN, &args).await,
    }
}
