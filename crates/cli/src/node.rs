//! `novacron node …`

mod guests;

use clap::{Args, Subcommand};
use novacron_model::{Bytes, Node};
use serde_json::{Value, json};

use crate::args::{LabelArgs, put, typed};
use crate::failure::Result;
use crate::figures;
use crate::noun::Noun;
use crate::session::Session;
use crate::table::{Column, NONE, age, labels, size, text};
use crate::verbs::{ListArgs, LogArgs, edit, list, logs, set};

pub const NOUN: Noun = Noun::of::<Node>(&[
    Column::new("Name", |node, _| text(node, "/meta/name")),
    Column::new("State", |node, _| text(node, "/status/state")),
    Column::new("Runs", |node, _| hypervisors(node)),
    Column::new("VMs", |node, _| text(node, "/status/allocated/vms")).right(),
    Column::new("CPUs", |node, _| promised_of(&cpus(node), &text(node, "/status/report/cpus"))),
    Column::new("Memory", |node, _| {
        let memory = size(node, "/status/allocated/memory");
        promised_of(&memory, &size(node, "/status/report/memory"))
    }),
    Column::new("Version", |node, _| text(node, "/status/report/version")),
    Column::new("Up", |node, now| age(node, "/status/report/started", now)).right(),
    Column::detail("Hostname", |node, _| text(node, "/status/report/hostname")),
    Column::detail("CPU", |node, _| text(node, "/status/report/cpu_model")),
    Column::detail("CPU overcommit", |node, _| text(node, "/spec/cpu_overcommit")),
    Column::detail("Memory overcommit", |node, _| text(node, "/spec/memory_overcommit")),
    Column::detail("Memory reserved", |node, _| size(node, "/spec/memory_reserved")),
    Column::detail("Zone", |node, _| text(node, "/spec/zone")),
    Column::detail("Why", |node, _| reasons(node)),
    Column::detail("Guests", |node, _| held(node)),
    Column::detail("Remarks", |node, _| remarks(node)),
    Column::detail("Labels", |node, _| labels(node)),
    Column::detail("UID", |node, _| text(node, "/meta/uid")),
]);

#[derive(Debug, Clone, Subcommand)]
pub enum NodeCommand {
    /// List nodes
    List(ListArgs),
    /// Show one node
    Show {
        /// Name of the node
        #[arg(value_name = "NODE")]
        name: String,
    },
    /// Show what nodes use now, the busiest first
    Top,
    /// Show what a node has used in the last hour
    Figures {
        /// Name of the node
        #[arg(value_name = "NODE")]
        name: String,
    },
    /// Show what a node's daemon has logged since its start
    Logs {
        /// Name of the node
        #[arg(value_name = "NODE")]
        name: String,
        #[command(flatten)]
        log: LogArgs,
    },
    /// Change what a node may promise to VMs, or its labels
    Set(SetArgs),
    /// Shut all guests down, to be started again at the host's next boot
    StopGuests(guests::StopGuests),
    /// Let guests start again that stop-guests keeps down
    StartGuests {
        /// Name of the node; the one that answers unless said
        #[arg(value_name = "NODE")]
        name: Option<String>,
    },
    /// Change a node in your editor
    Edit {
        /// Name of the node
        #[arg(value_name = "NODE")]
        name: String,
    },
}

#[derive(Debug, Clone, Args)]
pub struct SetArgs {
    /// Name of the node
    #[arg(value_name = "NODE")]
    name: String,
    /// Virtual CPUs per physical one
    #[arg(long, value_name = "FACTOR")]
    cpu_overcommit: Option<f64>,
    /// Guest memory per byte of memory that guests may use
    #[arg(long, value_name = "FACTOR")]
    memory_overcommit: Option<f64>,
    /// Memory kept for the host itself
    #[arg(long, value_name = "SIZE", value_parser = typed::<Bytes>)]
    memory_reserved: Option<Bytes>,
    /// What fails together with it (a room, a rack); voters are spread over zones; "" for none
    #[arg(long)]
    zone: Option<String>,
    #[command(flatten)]
    labels: LabelArgs,
}

pub async fn run(session: &Session, command: NodeCommand) -> Result<()> {
    match command {
        NodeCommand::List(args) => list::list(session, &NOUN, &args, |_| true).await,
        NodeCommand::Show { name } => session.show(&NOUN, &session.read(&NOUN, &name).await?),
        NodeCommand::Top => figures::nodes(session).await,
        NodeCommand::Figures { name } => figures::hour(session, &NOUN, &name).await,
        NodeCommand::Logs { name, log } => {
            logs::print(session, &NOUN.path(&session.project, &name), None, &log).await
        }
        NodeCommand::Set(args) => {
            let mut spec = json!({});
            put(&mut spec, "cpu_overcommit", args.cpu_overcommit);
            put(&mut spec, "memory_overcommit", args.memory_overcommit);
            put(&mut spec, "memory_reserved", args.memory_reserved.map(|bytes| bytes.0));
            let zone =
                args.zone.map(|zone| if zone.is_empty() { Value::Null } else { zone.into() });
            put(&mut spec, "zone", zone);
            set::set(session, &NOUN, &args.name, &args.labels, spec).await
        }
        NodeCommand::StopGuests(args) => guests::stop(session, args).await,
        NodeCommand::StartGuests { name } => guests::start(session, name).await,
        NodeCommand::Edit { name } => edit::edit(session, &NOUN, &name).await,
    }
}

fn held(node: &Value) -> String {
    let at = |pointer: &str| node.pointer(pointer).cloned().unwrap_or_default();
    let now = at("/status/hold/boot_id") == at("/status/report/boot_id");
    if at("/status/hold").is_null() || at("/status/hold/released") == true || !now {
        return "may run".to_owned();
    }
    format!("kept down since {}", text(node, "/status/hold/since"))
}

fn each(node: &Value, pointer: &str, say: impl Fn(&Value) -> String, between: &str) -> String {
    let items = node.pointer(pointer).and_then(Value::as_array);
    let said: Vec<String> = items.into_iter().flatten().map(say).collect();
    if said.is_empty() { NONE.to_owned() } else { said.join(between) }
}

/// `qemu 7.2.9 (tcg)`
fn hypervisors(node: &Value) -> String {
    let say = |driver: &Value| {
        let name = [text(driver, "/driver"), text(driver, "/version")].join(" ");
        format!("{name} ({})", text(driver, "/accelerator"))
    };
    each(node, "/status/report/hypervisors", say, ", ")
}

fn reasons(node: &Value) -> String {
    each(node, "/status/report/hypervisors", |driver| text(driver, "/reason"), "\n")
}

fn remarks(node: &Value) -> String {
    let say = |remark: &Value| remark.as_str().unwrap_or_default().to_owned();
    each(node, "/status/report/remarks", say, "\n")
}

/// What VMs were promised beside what there is.
fn promised_of(promised: &str, there: &str) -> String {
    if there == NONE { NONE.to_owned() } else { format!("{promised} / {there}") }
}

/// Virtual CPUs, from thousandths.
fn cpus(node: &Value) -> String {
    match node.pointer("/status/allocated/cpu").and_then(Value::as_u64) {
        None => NONE.to_owned(),
        Some(milli) if milli % 1000 == 0 => (milli / 1000).to_string(),
        Some(milli) => format!("{}.{}", milli / 1000, milli % 1000 / 100),
    }
}
