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
use crate::failure::{Failure, Result, reported};
use crate::noun::Noun;
use crate::session::Session;
use crate::table::{Column, NONE, age, labels, size, text};
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
    Column::detail("Limits", |volume, _| limits(volume)),
    Column::new("Used", |volume, _| size(volume, "/status/data/used")).right(),
    Column::new("Format", |volume, _| text(volume, "/spec/format")),
    Column::new("Pool", |volume, _| text(volume, "/spec/pool")),
    Column::new("VM", |volume, _| text(volume, "/status/attachment/vm")),
    Column::new("Image", |volume, _| text(volume, "/spec/image")),
    Column::detail("Copy of", |volume, _| source(volume)),
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
    /// Copy a volume that no running VM has, or one of a snapshot
    Clone(CloneArgs),
    /// List volumes
    List(ListArgs),
    /// Show one volume
    Show {
        /// Name of the volume
        #[arg(value_name = "VOLUME")]
        name: String,
    },
    /// Change labels and limits of a volume, also while its VM runs
    Set {
        /// Name of the volume
        #[arg(value_name = "VOLUME")]
        name: String,
        #[command(flatten)]
        limits: LimitArgs,
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
    /// Give a volume to a VM, also while it runs
    Attach {
        /// Name of the volume
        volume: String,
        /// Name of the VM
        vm: String,
        /// Name of the disk in the VM; the volume's unless said
        #[arg(long)]
        disk: Option<String>,
        /// What the disk sits on; the preset's own unless said. SATA takes it at the next start
        #[arg(long, value_enum)]
        bus: Option<DiskBus>,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Take a volume from a VM, also while it runs
    Detach {
        /// Name of the volume
        volume: String,
        /// Name of the VM
        vm: String,
        #[command(flatten)]
        wait: WaitArgs,
    },
}

/// What a guest may ask of a volume in a second.
#[derive(Debug, Clone, Default, Args)]
pub struct LimitArgs {
    /// At most this many operations per second; 0 for no limit
    #[arg(long, value_name = "N")]
    iops: Option<u32>,
    /// At most this many bytes per second (100MiB); 0 for no limit
    #[arg(long, value_name = "SIZE", value_parser = typed::<Bytes>)]
    bandwidth: Option<Bytes>,
}

impl LimitArgs {
    /// Adds what was said to a spec; `null` takes a limit away.
    fn put(&self, spec: &mut Value) {
        let mut limits = json!({});
        let some = |number: u64| if number == 0 { Value::Null } else { json!(number) };
        put(&mut limits, "iops", self.iops.map(|iops| some(iops.into())));
        put(&mut limits, "bandwidth", self.bandwidth.map(|bytes| some(bytes.0)));
        if limits != json!({}) {
            spec["limits"] = limits;
        }
    }
}

/// `500 IO/s, 100 MiB/s`
fn limits(volume: &Value) -> String {
    let iops = volume.pointer("/spec/limits/iops").and_then(Value::as_u64);
    let bandwidth = volume.pointer("/spec/limits/bandwidth").and_then(Value::as_u64);
    let iops = iops.map(|iops| format!("{iops} IO/s"));
    let bandwidth = bandwidth.map(|bytes| format!("{}/s", Bytes(bytes)));
    let all: Vec<_> = iops.into_iter().chain(bandwidth).collect();
    if all.is_empty() { NONE.to_owned() } else { all.join(", ") }
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
    limits: LimitArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Clone, Args)]
pub struct CloneArgs {
    /// Name of the volume to copy
    #[arg(value_name = "VOLUME")]
    from: String,
    /// Name of the new volume
    #[arg(value_name = "NEW")]
    name: String,
    /// Copy what it was at this snapshot of its VM, which may run
    #[arg(long)]
    snapshot: Option<String>,
    /// Larger size for the copy (40GiB)
    #[arg(long, value_name = "SIZE", value_parser = typed::<Bytes>)]
    size: Option<Bytes>,
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
    #[command(flatten)]
    wait: WaitArgs,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum DiskBus {
    Virtio,
    Sata,
}

impl DiskBus {
    fn wire(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::Sata => "sata",
        }
    }
}

pub async fn run(session: &Session, command: VolumeCommand) -> Result<()> {
    match command {
        VolumeCommand::Create(args) => create(session, &args).await,
        VolumeCommand::Clone(args) => clone(session, &args).await,
        VolumeCommand::List(args) => list::list(session, &NOUN, &args, |_| true).await,
        VolumeCommand::Show { name } => session.show(&NOUN, &session.read(&NOUN, &name).await?),
        VolumeCommand::Set { name, limits, labels } => {
            let mut spec = json!({});
            limits.put(&mut spec);
            set::set(session, &NOUN, &name, &labels, spec).await
        }
        VolumeCommand::Resize(args) => resize(session, &args).await,
        VolumeCommand::Export(args) => export(session, &args).await,
        VolumeCommand::Edit { name } => edit::edit(session, &NOUN, &name).await,
        VolumeCommand::Delete(args) => delete::delete(session, &NOUN, &args).await,
        VolumeCommand::Attach { volume, vm, disk, bus, wait } => {
            let mut body = json!({"volume": volume});
            put(&mut body, "disk", disk);
            put(&mut body, "bus", bus.map(DiskBus::wire));
            attach(session, &volume, &vm, &body, &wait).await
        }
        VolumeCommand::Detach { volume, vm, wait } => detach(session, &volume, &vm, &wait).await,
    }
}

async fn create(session: &Session, args: &CreateArgs) -> Result<()> {
    let mut spec = json!({});
    put(&mut spec, "size", args.size.map(|size| size.0));
    put(&mut spec, "image", args.image.as_deref());
    put(&mut spec, "pool", args.pool.as_deref());
    put(&mut spec, "format", args.format.map(DiskFormat::wire));
    args.limits.put(&mut spec);
    let answer = session.create(&NOUN, &draft(&args.name, &args.labels, &spec)).await?;
    let sentence = format!("{} created", NOUN.called(&args.name));
    task::conclude(session, answer, &args.wait, &sentence, Some((&NOUN, &args.name))).await
}

async fn clone(session: &Session, args: &CloneArgs) -> Result<()> {
    let from = session.read(&NOUN, &args.from).await?;
    let mut source = json!({"volume": args.from});
    put(&mut source, "snapshot", args.snapshot.as_deref());
    // A copy is like its source.
    let (pool, format) = (&from["spec"]["pool"], &from["spec"]["format"]);
    let mut spec = json!({"source": source, "pool": pool, "format": format});
    put(&mut spec, "size", args.size.map(|size| size.0));
    let answer = session.create(&NOUN, &draft(&args.name, &args.labels, &spec)).await?;
    let sentence = format!("{} created", NOUN.called(&args.name));
    task::conclude(session, answer, &args.wait, &sentence, Some((&NOUN, &args.name))).await
}

async fn resize(session: &Session, args: &ResizeArgs) -> Result<()> {
    let patch = json!({"spec": {"size": args.size.0}});
    let call = Call::patch(NOUN.path(&session.project, &args.name), &patch);
    let answer = session.client.call(call).await?;
    let (called, size) = (NOUN.called(&args.name), args.size);
    if answer.task.is_some() {
        let (wait, sentence) = (args.wait.clone(), format!("{called} has {size}"));
        return task::conclude(session, answer, &wait, &sentence, Some((&NOUN, &args.name))).await;
    }
    // It was asked for before.
    let mut volume = answer.value;
    if args.wait.no_wait {
        return session.report(&format!("{called} is to have {size}"), &volume);
    }
    let generation = number(&volume, "/meta/generation");
    while number(&volume, "/status/data/observed_generation") < generation {
        tokio::time::sleep(LOOK).await;
        volume = session.read(&NOUN, &args.name).await?;
    }
    match ["error", "grow_error"].iter().find_map(|field| trouble(&volume, field)) {
        None => session.report(&format!("{called} has {size}"), &volume),
        Some(error) => {
            let message = format!("{called} has not grown: {}", error.message);
            let again = "it is tried again by itself; `novacron volume show` tells when it has";
            let hint = error.hint.iter().map(String::as_str).chain([again]).collect::<Vec<_>>();
            Err(Failure { message, ..error.clone() }.hint(hint.join("; ")))
        }
    }
}

/// What the node could not do about the volume.
fn trouble(volume: &Value, field: &str) -> Option<Failure> {
    let error =
        volume.pointer(&format!("/status/data/{field}")).filter(|error| !error.is_null())?;
    Some(reported(error, "the node does not say why"))
}

/// `data`, `data at before`: also after that has changed or is gone.
fn source(volume: &Value) -> String {
    let of = text(volume, "/spec/source/volume");
    match text(volume, "/spec/source/snapshot").as_str() {
        NONE => of,
        snapshot => format!("{of} at {snapshot}"),
    }
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

async fn attach(
    session: &Session,
    volume: &str,
    vm: &str,
    body: &Value,
    wait: &WaitArgs,
) -> Result<()> {
    let path = vm::NOUN.path(&session.project, vm) + "/attach";
    let answer = session.client.call(Call::post(path, body)).await?;
    let sentence = format!("{} is a disk of {}", NOUN.called(volume), vm::NOUN.called(vm));
    task::conclude(session, answer, wait, &sentence, Some((&vm::NOUN, vm))).await?;
    if !wait.no_wait && session.is_table() {
        set::tell_pending(session, &session.read(&vm::NOUN, vm).await?);
    }
    Ok(())
}

async fn detach(session: &Session, volume: &str, vm: &str, wait: &WaitArgs) -> Result<()> {
    let path = vm::NOUN.path(&session.project, vm) + "/detach";
    let answer = session.client.call(Call::post(path, &json!({"volume": volume}))).await?;
    let sentence = format!("{} was taken from {}", NOUN.called(volume), vm::NOUN.called(vm));
    task::conclude(session, answer, wait, &sentence, Some((&vm::NOUN, vm))).await
}
