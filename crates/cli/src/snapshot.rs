//! `novacron snapshot …`: states of a VM's disks to go back to. In the API a snapshot is called
//! `VM.SNAPSHOT`; here the two are words of their own.

use clap::{Args, Subcommand};
use novacron_model::Snapshot;
use serde_json::{Value, json};

use crate::args::{LabelArgs, WaitArgs, draft};
use crate::client::Call;
use crate::failure::Result;
use crate::noun::Noun;
use crate::prompt;
use crate::session::Session;
use crate::table::{Column, age, joined, labels, size, text};
use crate::task;
use crate::verbs::{Chosen, DeleteArgs, ListArgs, delete, list};
use crate::vm;

mod schedule;

pub use schedule::facts;

pub const NOUN: Noun = Noun::of::<Snapshot>(&[
    Column::new("VM", |snapshot, _| text(snapshot, "/spec/vm")),
    Column::new("Snapshot", |snapshot, _| short(snapshot)),
    Column::new("State", |snapshot, _| text(snapshot, "/status/state")),
    Column::detail("Reason", |snapshot, _| text(snapshot, "/status/reason")),
    Column::new("Consistency", |snapshot, _| text(snapshot, "/status/data/consistency")),
    Column::detail("Not frozen", |snapshot, _| text(snapshot, "/status/data/crash_reason")),
    Column::new("Volumes", |snapshot, _| joined(snapshot, "/status/data/volumes")),
    Column::new("Size", |snapshot, _| size(snapshot, "/status/data/size")).right(),
    Column::new("From", |snapshot, _| own(&text(snapshot, "/spec/parent"))),
    Column::new("Age", |snapshot, now| age(snapshot, "/meta/created", now)).right(),
    Column::detail("Labels", |snapshot, _| labels(snapshot)),
    Column::detail("Owner", |snapshot, _| text(snapshot, "/meta/owner")),
    Column::detail("UID", |snapshot, _| text(snapshot, "/meta/uid")),
]);

#[derive(Debug, Clone, Subcommand)]
pub enum SnapshotCommand {
    /// Take a snapshot of all disks of a VM
    Create {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        labels: LabelArgs,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// List snapshots
    List {
        /// Only those of this VM
        vm: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show one snapshot
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Put a VM's disks back; what was written since is lost
    Restore {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// Stop a VM that runs first, and start it again afterwards
        #[arg(long)]
        stop: bool,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Take snapshots by themselves and keep the newest, or show how that is done
    Schedule(schedule::ScheduleArgs),
    /// Delete a snapshot
    Delete {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        wait: WaitArgs,
    },
}

#[derive(Debug, Clone, Args)]
pub struct Which {
    /// Name of the VM
    vm: String,
    /// Name of the snapshot
    snapshot: String,
}

impl Which {
    fn name(&self) -> String {
        format!("{}.{}", self.vm, self.snapshot)
    }
}

pub async fn run(session: &Session, command: SnapshotCommand) -> Result<()> {
    match command {
        SnapshotCommand::Create { which, labels, wait } => {
            create(session, &which, &labels, &wait).await
        }
        SnapshotCommand::List { vm, list: args } => {
            let keep =
                |snapshot: &Value| vm.as_ref().is_none_or(|vm| text(snapshot, "/spec/vm") == *vm);
            list::list(session, &NOUN, &args, keep).await
        }
        SnapshotCommand::Show { which } => {
            session.show(&NOUN, &session.read(&NOUN, &which.name()).await?)
        }
        SnapshotCommand::Restore { which, yes, stop, wait } => {
            confirm(&which, yes)?;
            restore(session, &which, stop, &wait).await
        }
        SnapshotCommand::Schedule(args) => schedule::run(session, &args).await,
        SnapshotCommand::Delete { which, yes, wait } => {
            let names = vec![which.name()];
            let chosen = Chosen::named(names);
            let args = DeleteArgs { chosen, yes, wait, ..DeleteArgs::default() };
            delete::delete(session, &NOUN, &args).await
        }
    }
}

async fn create(
    session: &Session,
    which: &Which,
    labels: &LabelArgs,
    wait: &WaitArgs,
) -> Result<()> {
    let name = which.name();
    let draft = draft(&name, labels, &json!({"vm": which.vm}));
    let answer = session.create(&NOUN, &draft).await?;
    let sentence = format!("{} created", NOUN.called(&name));
    task::conclude(session, answer, wait, &sentence, Some((&NOUN, &name))).await
}

fn confirm(which: &Which, yes: bool) -> Result<()> {
    let vm = vm::NOUN.called(&which.vm);
    let question = format!("{vm} loses what was written since \"{}\". Restore?", which.snapshot);
    prompt::confirm(&question, yes)
}

async fn restore(session: &Session, which: &Which, stop: bool, wait: &WaitArgs) -> Result<()> {
    let vm = vm::NOUN.called(&which.vm);
    let path = vm::NOUN.path(&session.project, &which.vm) + "/restore";
    let call = Call::post(path, &json!({"snapshot": which.snapshot, "stop": stop}));
    let answer = session.client.call(call).await?;
    let sentence = format!("{vm} is as it was at \"{}\"", which.snapshot);
    task::conclude(session, answer, wait, &sentence, Some((&vm::NOUN, &which.vm))).await
}

/// The name without the VM's.
fn short(snapshot: &Value) -> String {
    own(&text(snapshot, "/meta/name"))
}

/// A snapshot's name without its VM's.
fn own(name: &str) -> String {
    name.split_once('.').map_or(name, |(_, own)| own).to_owned()
}
