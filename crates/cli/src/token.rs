//! `novacron token …`: credentials for scripts and contexts.

use clap::Subcommand;
use novacron_model::{Seconds, Token};
use serde_json::{Value, json};

use crate::args::{LabelArgs, draft, put, typed};
use crate::client::Call;
use crate::failure::Result;
use crate::noun::Noun;
use crate::output;
use crate::prompt;
use crate::session::{Session, now};
use crate::table::{Column, age, labels, text};
use crate::verbs::several::Several;
use crate::verbs::{ListArgs, list};

pub const NOUN: Noun = Noun::of::<Token>(&[
    Column::new("Name", |token, _| text(token, "/meta/name")),
    Column::new("For", |token, _| text(token, "/spec/purpose")),
    Column::new("Description", |token, _| text(token, "/spec/description")),
    Column::new("Expires", |token, _| text(token, "/spec/expires")),
    Column::new("By", |token, _| text(token, "/meta/owner")),
    Column::new("Age", |token, now| age(token, "/meta/created", now)).right(),
    Column::detail("Labels", |token, _| labels(token)),
    Column::detail("UID", |token, _| text(token, "/meta/uid")),
]);

#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Create a token; its secret is shown this once
    Create {
        /// Name of the token
        #[arg(value_name = "TOKEN")]
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// How long it is valid (12h, 30d); until revoked unless said
        #[arg(long, value_name = "DURATION", value_parser = typed::<Seconds>)]
        expires: Option<Seconds>,
        #[command(flatten)]
        labels: LabelArgs,
    },
    /// List tokens
    List {
        #[command(flatten)]
        list: ListArgs,
        /// Also sessions of browsers and sign-in links
        #[arg(long)]
        all: bool,
    },
    /// Show one token, without its secret
    Show {
        /// Name of the token
        #[arg(value_name = "TOKEN")]
        name: String,
    },
    /// Make tokens invalid at once
    Revoke {
        /// One or more names
        #[arg(required = true, value_name = "TOKEN")]
        names: Vec<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(session: &Session, command: TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Create { name, description, expires, labels } => {
            let mut spec = json!({});
            put(&mut spec, "description", description);
            put(&mut spec, "expires", expires.map(|life| now().plus(life).to_string()));
            let answer = session.create(&NOUN, &draft(&name, &labels, &spec)).await?;
            if session.is_table() {
                output::note("keep this secret now, it is not shown again:");
            }
            output::value(session.format, &answer.value, || text(&answer.value, "/secret"))
        }
        TokenCommand::List { list: args, all } => {
            let keep = |token: &Value| all || text(token, "/spec/purpose") == "api";
            list::list(session, &NOUN, &args, keep).await
        }
        TokenCommand::Show { name } => session.show(&NOUN, &session.read(&NOUN, &name).await?),
        TokenCommand::Revoke { names, yes } => {
            prompt::confirm_on_terminal("Who uses them is signed out at once. Revoke?", yes)?;
            revoke(session, &names).await
        }
    }
}

async fn revoke(session: &Session, names: &[String]) -> Result<()> {
    let mut several = Several::default();
    for name in names {
        let call = Call::delete(NOUN.path(&session.project, name));
        if let Some(answer) = several.take(session.client.call(call).await)? {
            session.report(&format!("{} revoked", NOUN.called(name)), &answer.value)?;
        }
    }
    several.end()
}
