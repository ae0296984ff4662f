//! `novacron image …`

use clap::Subcommand;
use novacron_model::Image;
use serde_json::{Value, json};

use crate::args::LabelArgs;
use crate::failure::Result;
use crate::noun::Noun;
use crate::session::Session;
use crate::table::{Column, NONE, age, labels, size, text};
use crate::verbs::{DeleteArgs, ListArgs, delete, edit, list, set};

pub mod catalogue;
mod import;
mod upload;

pub use import::{bring, bring_vm};

pub const NOUN: Noun = Noun::of::<Image>(&[
    Column::new("Name", |image, _| text(image, "/meta/name")),
    Column::new("State", |image, _| text(image, "/status/state")),
    Column::detail("Reason", |image, _| text(image, "/status/reason")),
    Column::new("Kind", |image, _| text(image, "/status/content/kind")),
    Column::new("Format", |image, _| text(image, "/status/content/format")),
    Column::new("Size", |image, _| size(image, "/status/content/size")).right(),
    Column::new("Disk", |image, _| size(image, "/status/content/virtual_size")).right(),
    Column::new("OS", |image, _| text(image, "/spec/os")),
    Column::new("Pool", |image, _| text(image, "/spec/pool")),
    Column::new("Age", |image, now| age(image, "/meta/created", now)).right(),
    Column::detail("Stored", |image, _| size(image, "/status/content/stored")).right(),
    Column::detail("SHA-256", |image, _| text(image, "/status/content/sha256")),
    Column::detail("Source", |image, _| origin(image)),
    Column::detail("Node", |image, _| text(image, "/status/location/node")),
    Column::detail("Labels", |image, _| labels(image)),
    Column::detail("Owner", |image, _| text(image, "/meta/owner")),
    Column::detail("UID", |image, _| text(image, "/meta/uid")),
]);

#[derive(Debug, Clone, Subcommand)]
pub enum ImageCommand {
    /// Import an image from a file or an http(s) URL
    Import(import::ImportArgs),
    /// List images
    List(ListArgs),
    /// List the images that can be imported by name, such as debian/12
    Catalogue,
    /// Show one image
    Show {
        /// Name of the image
        #[arg(value_name = "IMAGE")]
        name: String,
    },
    /// Change labels of an image
    Set {
        /// Name of the image
        #[arg(value_name = "IMAGE")]
        name: String,
        #[command(flatten)]
        labels: LabelArgs,
    },
    /// Change an image in your editor
    Edit {
        /// Name of the image
        #[arg(value_name = "IMAGE")]
        name: String,
    },
    /// Delete images that nothing uses
    Delete(DeleteArgs),
}

fn origin(image: &Value) -> String {
    let at = |pointer| image.pointer(pointer).and_then(Value::as_str);
    let origin = at("/spec/source/url").or_else(|| at("/spec/source/catalogue"));
    origin.unwrap_or(NONE).to_owned()
}

pub async fn run(session: &Session, command: ImageCommand) -> Result<()> {
    match command {
        ImageCommand::Import(args) => import::import(session, &args).await,
        ImageCommand::List(args) => list::list(session, &NOUN, &args, |_| true).await,
        ImageCommand::Catalogue => catalogue::list(session).await,
        ImageCommand::Show { name } => session.show(&NOUN, &session.read(&NOUN, &name).await?),
        ImageCommand::Set { name, labels } => {
            set::set(session, &NOUN, &name, &labels, json!({})).await
        }
        ImageCommand::Edit { name } => edit::edit(session, &NOUN, &name).await,
        ImageCommand::Delete(args) => delete::delete(session, &NOUN, &args).await,
    }
}
