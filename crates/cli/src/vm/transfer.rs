//! `export` and `import`: a whole VM as one file, and back.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::NOUN;
use crate::args::{LabelArgs, WaitArgs, draft};
use crate::client::path::query;
use crate::failure::{Failure, Result};
use crate::session::Session;
use crate::{download, image, task};

#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Name of the VM, which must be stopped unless a snapshot is named
    #[arg(value_name = "VM")]
    name: String,
    /// File here, or - for stdout
    file: PathBuf,
    /// Snapshot of the VM to read in place of what its disks hold now
    #[arg(long)]
    snapshot: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// File that `export` has saved, or its http(s) URL
    #[arg(value_name = "PATH|URL")]
    source: String,
    /// Name of the VM; the one that it was exported with unless said
    #[arg(value_name = "VM")]
    name: Option<String>,
    /// Name of the image that the VM's disks then lie over; the VM's, or the file's, unless said
    #[arg(long)]
    image: Option<String>,
    /// Pool that the image lies on
    #[arg(long)]
    pool: Option<String>,
    /// Start the VM, too
    #[arg(long)]
    start: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

pub async fn export(session: &Session, args: &ExportArgs) -> Result<()> {
    let query = query(args.snapshot.as_deref().map(|snapshot| ("snapshot", snapshot)));
    let path = NOUN.path(&session.project, &args.name) + "/export" + &query;
    download::save(session, path, &args.file, Some(NOUN.called(&args.name))).await
}

/// What is left out of the VM's draft the server takes from the image.
pub async fn import(session: &Session, args: &ImportArgs) -> Result<()> {
    let image = args.image.as_deref().or(args.name.as_deref());
    let pool = args.pool.as_deref();
    let (image, machine) = image::bring_vm(session, &args.source, image, pool).await?;
    let name = args.name.as_deref().or_else(|| machine.pointer("/name").and_then(Value::as_str));
    let name = name.ok_or_else(|| {
        Failure::failed("the file does not tell the VM's name").hint("say it after the file")
    })?;
    let run = if args.start { "running" } else { "stopped" };
    let spec = json!({"image": image, "run": run});
    let draft = draft(name, &LabelArgs::default(), &spec);
    let answer = session.create(&NOUN, &draft).await.map_err(|failure| {
        failure
            .hint(format!("the image stays; `novacron vm create VM --image {image}` tries again"))
    })?;
    let done = if args.start { "is running" } else { "created" };
    let sentence = format!("{} {done}", NOUN.called(name));
    task::conclude(session, answer, &args.wait, &sentence, Some((&NOUN, name))).await
}
