//! `novacron context …`: clusters that are not on this machine.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::globals::{Globals, variable};
use crate::output;
use crate::prompt;
use crate::session::LOCAL;
use crate::table::{self, Column, text};

pub mod address;
pub mod file;
mod trust;

use address::Address;
use file::{Context, Contexts};

/// Holds a token where a prompt and stdin are both no way.
const TOKEN_ENV: &str = "NOVACRON_TOKEN";

const COLUMNS: &[Column] = &[
    Column::new("Name", |context, _| text(context, "/name")),
    Column::new("URL", |context, _| text(context, "/url")),
    Column::new("Project", |context, _| text(context, "/project")),
    Column::new("In use", |context, _| text(context, "/current")),
];

#[derive(Debug, Clone, Subcommand)]
pub enum ContextCommand {
    /// Add a cluster: shows its certificate authority's fingerprint and asks
    Add(AddArgs),
    /// List contexts
    List,
    /// Use a context from now on; "local" is the daemon on this machine
    Use {
        /// Name of the context
        #[arg(value_name = "CONTEXT")]
        name: String,
    },
    /// Forget a context and its token
    Remove {
        /// Name of the context
        #[arg(value_name = "CONTEXT")]
        name: String,
    },
}

#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// Name of the context
    #[arg(value_name = "CONTEXT")]
    name: String,
    #[arg(help = "https://HOST[:7600], or http:// on loopback")]
    url: String,
    /// SHA-256 that the certificate authority must have, instead of asking
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<String>,
    #[arg(long, help = "Read the token from stdin; else it is NOVACRON_TOKEN's, or asked for")]
    token_stdin: bool,
}

pub async fn run(globals: &Globals, command: ContextCommand) -> Result<()> {
    match command {
        ContextCommand::Add(args) => add(globals, &args).await,
        ContextCommand::List => list(globals),
        ContextCommand::Use { name } => choose(&name),
        ContextCommand::Remove { name } => remove(&name),
    }
}

/// `--project` becomes the context's own.
async fn add(globals: &Globals, args: &AddArgs) -> Result<()> {
    if args.name == LOCAL || args.name.is_empty() || args.name.chars().any(char::is_control) {
        return Err(Failure::usage(format!("\"{}\" cannot be a context's name", args.name)));
    }
    let address: Address = args.url.parse()?;
    let ca = trust::authority(&address, args.fingerprint.as_deref()).await?;
    let context = Context {
        url: args.url.clone(),
        project: globals.project.clone(),
        token: token(args)?,
        ca,
    };
    let remark = trust::check(&context).await?;
    let mut contexts = Contexts::load()?;
    contexts.contexts.insert(args.name.clone(), context);
    contexts.save()?;
    output::line(format!("context \"{}\" added{remark}", args.name))?;
    output::note(format!("`novacron context use {}` makes it the one in use", args.name));
    Ok(())
}

fn token(args: &AddArgs) -> Result<Option<String>> {
    if args.token_stdin {
        return prompt::secret_from_stdin("token").map(Some);
    }
    if let Some(token) = variable(TOKEN_ENV) {
        return Ok(Some(token));
    }
    prompt::secret("Token (`novacron token create` makes one there): ")
}

fn list(globals: &Globals) -> Result<()> {
    let contexts = Contexts::load()?;
    let current = contexts.current.as_deref().unwrap_or(LOCAL);
    let local = json!({"name": LOCAL, "url": "the daemon on this machine",
        "current": current == LOCAL});
    let others = contexts.contexts.iter().map(|(name, context)| {
        json!({"name": name, "url": context.url, "project": context.project,
            "current": current == name})
    });
    let all: Vec<Value> = std::iter::once(local).chain(others).collect();
    let shown = Value::Array(all.clone());
    output::value(globals.output, &shown, || table::list(COLUMNS, &all, crate::session::now()))
}

fn choose(name: &str) -> Result<()> {
    let mut contexts = Contexts::load()?;
    if name != LOCAL && !contexts.contexts.contains_key(name) {
        return Err(unknown(name));
    }
    contexts.current = (name != LOCAL).then(|| name.to_owned());
    contexts.save()?;
    output::line(format!("context \"{name}\" is in use"))
}

fn remove(name: &str) -> Result<()> {
    let mut contexts = Contexts::load()?;
    if contexts.contexts.remove(name).is_none() {
        return Err(unknown(name));
    }
    if contexts.current.as_deref() == Some(name) {
        contexts.current = None;
    }
    contexts.save()?;
    output::line(format!("context \"{name}\" removed"))
}

fn unknown(name: &str) -> Failure {
    Failure::new(crate::failure::NOT_FOUND, format!("context \"{name}\" does not exist"))
        .hint("see `novacron context list`")
}
