//! `novacron volume …`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use novacron_model::{Bytes, Volume};
use serde_json::{Value, json};

use crate::args::{LabelArgs, WaitArgs, draft, put, typed};
use crate::client::Call;
use crate::client::path::query;
use crate::download;
use crate::failure::{Failure, Result};
use crate::noun::Noun;
use crate::session::Session;
use crate::table::{Column, age, labels, size, text};
use crate::task;
use crate::verbs::{DeleteArgs, ListArgs, delete, edit, list, set};
use crate::vm;

/// How often a volume that grows is looked at.
const LOOK: Duration = Duration::from_millis(200);

pub const NOUN: Noun = Noun::of::<Volume>(&[
    Column::new("Name", |volume, _| text(volume, "/meta/name")),
    Column::new("State", |volume, _| text(volume, "/status/state")),
    Column::detail("Reason", |volume, _| text(volume, "/status/reason")),
    Column::new("Size", |volume, _| size(volume, "/spec/size")).right(),
    Column::detail("Size now", |volume, _| size(volume, "/status/data/size")).right(),
    Column::new("Used", |volume, _| size(volume, "/status/data/used")).right(),
    Column::new("Format", |volume, _| text(volume, "/spec/format")),
    Column::new("Pool", |volume, _| text(volume, "/spec/pool")),
    Column::new("VM", |volume, _| text(volume, "/status/attachment/vm")),
    Column::new("Image", |volume, _| text(volume, "/spec/image")),
    Column::new("Age", |volume, now| age(volume, "/meta/created", now)).right(),
    Column::detail("Node", |volume, _| text(volume, "/status/location/node")),
    Column::detail("Labels", |volume, _| labels(volume)),
    Column::detail("Owner", |volume, _| text(volume, "/meta/owner")),
    Column::detail("UID", |volume, _| text(volume, "/meta/uid")),
]);

#[derive(Debug, Clone, Subcommand)]
pub enum VolumeCommand {
    /// Create a volume
    Create(CreateArgs),
    /// List volumes
    List(ListArgs),
    /// Show one volume
    Show {
        /// Name of the volume
        #[arg(value_name = "VOLUME")]
        name: String,
    },
    /// Change labels of a volume
    Set {
        /// Name of the volume
        #[arg(value_name = "VOLUME")]
        name: String,
        #[command(flatten)]
        labels: LabelArgs,
    },
    /// Make a volume larger, also while its VM runs
    Resize(ResizeArgs),
    /// Save what a volume holds as a disk file
    Export(ExportArgs),
    /// Change a volume in your editor
    Edit {
        /// Name of the volume
        #[arg(value_name = "VOLUME")]
        name: String,
    },
    /// Delete volumes and what is on them
    Delete(DeleteArgs),
    /// Give a volume to a stopped VM
    Attach {
        /// Name of the volume
        volume: String,
        /// Name of the VM
        vm: String,
        /// Name of the disk in the VM; the volume's unless said
        #[arg(long)]
        disk: Option<String>,
    },
    /// Take a volume from a stopped VM
    Detach {
        /// Name of the volume
        volume: String,
        /// Name of the VM
        vm: String,
    },
}

#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// Name of the volume
    #[arg(value_name = "VOLUME")]
    name: String,
    /// Size that the guest sees (20GiB); the image's unless said
    #[arg(long, value_name = "SIZE", required_unless_present = "image",
        value_parser = typed::<Bytes>)]
    size: Option<Bytes>,
    /// Image whose content it starts with
    #[arg(long)]
    image: Option<String>,
    /// Pool that it lies on
    #[arg(long)]
    pool: Option<String>,
    /// Format of its file; qcow2 unless said
    #[arg(long, value_enum)]
    format: Option<DiskFormat>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Clone, Args)]
pub struct ResizeArgs {
    /// Name of the volume
    #[arg(value_name = "VOLUME")]
    name: String,
    /// Size that the guest is to see (40GiB); volumes do not shrink
    #[arg(value_name = "SIZE", value_parser = typed::<Bytes>)]
    size: Bytes,
    /// Do not wait until it has grown
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Name of the volume; its VM must be stopped unless a snapshot is named
    #[arg(value_name = "VOLUME")]
    name: String,
    /// File here, or - for stdout
    file: PathBuf,
    /// Format of the file; qcow2 unless said
    #[arg(long, value_enum)]
    format: Option<DiskFormat>,
    /// Snapshot of the volume's VM to read in place of what it holds now
    #[arg(long)]
    snapshot: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DiskFormat {
    Qcow2,
    Raw,
}

impl DiskFormat {
    fn wire(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
        }
    }
}

pub async fn run(session: &Session, command: VolumeCommand) -> Result<()> {
    match command {
        VolumeCommand::Create(args) => create(session, &args).await,
        VolumeCommand::List(args) => list::list(session, &NOUN, &args, |_| true).await,
        VolumeCommand::Show { name } => session.show(&NOUN, &session.read(&NOUN, &name).await?),
        VolumeCommand::Set { name, labels } => {
            set::set(session, &NOUN, &name, &labels, json!({})).await
        }
        VolumeCommand::Resize(args) => resize(session, &args).await,
        VolumeCommand::Export(args) => export(session, &args).await,
        VolumeCommand::Edit { name } => edit::edit(session, &NOUN, &name).await,
        VolumeCommand::Delete(args) => delete::delete(session, &NOUN, &args).await,
        VolumeCommand::Attach { volume, vm, disk } => attach(session, &volume, &vm, disk).await,
        VolumeCommand::Detach { volume, vm } => detach(session, &volume, &vm).await,
    }
}

async fn create(session: &Session, args: &CreateArgs) -> Result<()> {
    let mut spec = json!({});
    put(&mut spec, "size", args.size.map(|size| size.0));
    put(&mut spec, "image", args.image.as_deref());
    put(&mut spec, "pool", args.pool.as_deref());
    put(&mut spec, "format", args.format.map(DiskFormat::wire));
    let answer = session.create(&NOUN, &draft(&args.name, &args.labels, &spec)).await?;
    let sentence = format!("{} created", NOUN.called(&args.name));
    task::conclude(session, answer, &args.wait, &sentence, Some((&NOUN, &args.name))).await
}

async fn resize(session: &Session, args: &ResizeArgs) -> Result<()> {
    let patch = json!({"spec": {"size": args.size.0}});
    let call = Call::patch(NOUN.path(&session.project, &args.name), &patch);
    let mut volume = session.client.call(call).await?.value;
    let (called, size) = (NOUN.called(&args.name), args.size);
    if args.no_wait {
        return session.report(&format!("{called} is to have {size}"), &volume);
    }
    let generation = number(&volume, "/meta/generation");
    while number(&volume, "/status/data/observed_generation") < generation {
        tokio::time::sleep(LOOK).await;
        volume = session.read(&NOUN, &args.name).await?;
    }
    if let Some(error) = ["/error", "/grow_error"]
        .iter()
        .find_map(|field| volume.pointer(&format!("/status/data{field}/message"))?.as_str())
    {
        let message = format!("{called} has not grown: {error}");
        return Err(Failure::failed(message)
            .hint("it is tried again by itself; `novacron volume show` tells when it has"));
    }
    session.report(&format!("{called} has {size}"), &volume)
}

async fn export(session: &Session, args: &ExportArgs) -> Result<()> {
    let format = args.format.map(|format| ("format", format.wire()));
    let snapshot = args.snapshot.as_deref().map(|snapshot| ("snapshot", snapshot));
    let query = query(format.into_iter().chain(snapshot));
    let path = NOUN.path(&session.project, &args.name) + "/export" + &query;
    download::save(session, path, &args.file, Some(NOUN.called(&args.name))).await
}

fn number(object: &Value, pointer: &str) -> u64 {
    object.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

async fn attach(session: &Session, volume: &str, vm: &str, disk: Option<String>) -> Result<()> {
    let mut body = json!({"volume": volume});
    put(&mut body, "disk", disk);
    let path = vm::NOUN.path(&session.project, vm) + "/attach";
    let answer = session.client.call(Call::post(path, &body)).await?;
    let sentence = format!("{} is a disk of {}", NOUN.called(volume), vm::NOUN.called(vm));
    session.report(&sentence, &answer.value)
}

async fn detach(session: &Session, volume: &str, vm: &str) -> Result<()> {
    let path = vm::NOUN.path(&session.project, vm) + "/detach";
    let answer = session.client.call(Call::post(path, &json!({"volume": volume}))).await?;
    let sentence = format!("{} was taken from {}", NOUN.called(volume), vm::NOUN.called(vm));
    session.report(&sentence, &answer.value)
}
