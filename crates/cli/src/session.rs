//! What a command works with: the API that the flags, the environment or a context name.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use novacron_model::{Time, project};
use serde_json::Value;

use crate::client::{Call, Client};
use crate::context::file::{Context, Contexts};
use crate::failure::{Failure, Result};
use crate::globals::{
    CONTEXT_ENV, DATA_DIR_ENV, Format, Globals, PROJECT_ENV, SOCKET_ENV, SYSTEM_DATA_DIR, variable,
};
use crate::noun::Noun;
use crate::output;
use crate::table;
use crate::transport::Endpoint;

pub struct Session {
    pub client: Client,
    pub project: String,
    pub format: Format,
}

/// The name by which `--context` means the daemon on this machine.
pub const LOCAL: &str = "local";

/// Name of the API's socket in a data directory.
const SOCKET: &str = "api.sock";

impl Session {
    /// Decides where the API is; nothing is sent yet.
    ///
    /// Flags come before the environment, the environment before the context in use, and that
    /// before the daemon in the default data directory.
    pub fn open(globals: &Globals) -> Result<Self> {
        let (client, context_project) = match place(globals)? {
            Place::Socket(path) => (Client::new(Endpoint::Socket(path), None), None),
            Place::Context(context) => {
                (Client::new(context.endpoint()?, context.token), context.project)
            }
        };
        let project = globals
            .project
            .clone()
            .or_else(|| variable(PROJECT_ENV))
            .or(context_project)
            .unwrap_or_else(|| project::DEFAULT.to_owned());
        Ok(Self { client, project, format: globals.output })
    }

    /// The object, as it is now.
    pub async fn read(&self, noun: &Noun, name: &str) -> Result<Value> {
        self.client.get(&noun.path(&self.project, name)).await
    }

    /// Creates an object. Should the connection break, it is tried once more: the key makes both
    /// tries the same request.
    pub async fn create(&self, noun: &Noun, draft: &Value) -> Result<crate::client::Answer> {
        let key = uuid::Uuid::new_v4().to_string();
        let header = http::HeaderName::from_static("idempotency-key");
        let call = || {
            Call::post(noun.collection(&self.project), draft).header(header.clone(), key.clone())
        };
        match self.client.call(call()).await {
            Err(failure) if failure.is_unreachable() => self.client.call(call()).await,
            answer => answer,
        }
    }

    /// Prints an object as its fact sheet, or as it came.
    pub fn show(&self, noun: &Noun, object: &Value) -> Result<()> {
        output::value(self.format, object, || table::sheet(noun.columns, object, now()))
    }

    /// Prints a sentence, or the object that it is about.
    pub fn report(&self, sentence: &str, object: &Value) -> Result<()> {
        output::value(self.format, object, || sentence.to_owned())
    }

    pub fn is_table(&self) -> bool {
        self.format == Format::Table
    }
}

enum Place {
    Socket(PathBuf),
    Context(Context),
}

fn place(globals: &Globals) -> Result<Place> {
    if let Some(name) = &globals.context {
        return named(name, globals);
    }
    if let Some(directory) = &globals.data_dir {
        return Ok(Place::Socket(directory.join(SOCKET)));
    }
    if let Some(path) = variable(SOCKET_ENV) {
        return Ok(Place::Socket(path.into()));
    }
    if let Some(name) = variable(CONTEXT_ENV) {
        return named(&name, globals);
    }
    if variable(DATA_DIR_ENV).is_some() {
        return Ok(Place::Socket(globals.data_dir().join(SOCKET)));
    }
    match Contexts::load()?.current {
        Some(name) => named(&name, globals),
        None => Ok(Place::Socket(nearest(globals.data_dir().join(SOCKET)))),
    }
}

/// Who has no daemon of their own may be let in by the system's.
fn nearest(own: PathBuf) -> PathBuf {
    let system = PathBuf::from(SYSTEM_DATA_DIR).join(SOCKET);
    if !own.exists() && system.exists() { system } else { own }
}

fn named(name: &str, globals: &Globals) -> Result<Place> {
    if name == LOCAL {
        return Ok(Place::Socket(globals.data_dir().join(SOCKET)));
    }
    let context = Contexts::load()?.contexts.remove(name).ok_or_else(|| {
        Failure::usage(format!("context \"{name}\" does not exist"))
            .hint("see `novacron context list`, or add it with `novacron context add`")
    })?;
    Ok(Place::Context(context))
}

pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
