//! The command line: everything that speaks to the API. It knows no more than the API says.
//!
//! ```text
//!  Command ─▶ Session (which API, which project) ─▶ a noun's file ─▶ Client ─▶ transport
//!                                                        └─▶ output, table, task (waiting)
//! ```
//!
//! The `novacron` program adds what needs no API (`server`, `config`, `doctor`) by flattening
//! [`Command`] into its own; [`Cli`] is the command line without them.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

mod args;
mod client;
mod cluster;
mod context;
mod download;
mod event;
mod failure;
mod figures;
mod globals;
mod image;
mod network;
mod node;
mod noun;
mod output;
mod pool;
mod project;
mod prompt;
mod reference;
mod session;
mod signals;
mod snapshot;
mod state;
mod table;
mod task;
mod token;
mod transport;
mod verbs;
mod version;
mod vm;
mod volume;
mod web;

pub use failure::Failure;
pub use globals::{Format, Globals, default_data_dir};
pub use output::value as print;
pub use reference::reference;
pub use state::{RestoreArgs, StateCommand};
pub use transport::tls::fingerprint;

use failure::Result;
use session::Session;

/// The command line of a client alone.
#[derive(Debug, Clone, Parser)]
#[command(name = "novacron", version = version::VERSION, about = ABOUT)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

pub const ABOUT: &str = "Run virtual machines on a cluster of Linux machines";

/// Everything that speaks to the API, and what goes with it.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    #[command(flatten)]
    Bare(vm::VmCommand),
    /// Virtual machines; this noun may be left out
    #[command(subcommand)]
    Vm(vm::VmCommand),
    /// Disks that live apart from the VMs that use them
    #[command(subcommand)]
    Volume(volume::VolumeCommand),
    /// What VMs and volumes start from
    #[command(subcommand)]
    Image(image::ImageCommand),
    /// Networks that VMs plug into
    #[command(subcommand)]
    Network(network::NetworkCommand),
    /// States of a VM's disks to go back to
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    /// Where volumes and images lie
    #[command(subcommand)]
    Pool(pool::PoolCommand),
    /// Machines that run VMs
    #[command(subcommand)]
    Node(node::NodeCommand),
    /// The nodes as one cluster
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Scopes of names
    #[command(subcommand)]
    Project(project::ProjectCommand),
    /// What was asked for and takes time
    #[command(subcommand)]
    Task(task::TaskCommand),
    /// What happened
    Events(event::EventsArgs),
    /// Print a one-time link into the web console
    Web,
    /// Everything that the daemon knows, as a file
    #[command(subcommand)]
    State(state::StateCommand),
    /// Credentials for scripts and contexts
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Clusters that are not on this machine
    #[command(subcommand)]
    Context(context::ContextCommand),
    /// Print completions for a shell
    Completion {
        /// Which shell
        #[arg(value_parser = ["bash", "zsh", "fish"])]
        shell: String,
    },
    /// Print versions of this program and of the daemon
    Version,
}

/// The whole description, for tools.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what was asked for. `root` describes the whole program, for completions. Failures are
/// printed; the code says which kind they were.
pub async fn run(command: Command, globals: Globals, root: clap::Command) -> ExitCode {
    match perform(command, &globals, root).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                output::note(failure.to_string());
            }
            ExitCode::from(failure.exit)
        }
    }
}

async fn perform(command: Command, globals: &Globals, root: clap::Command) -> Result<()> {
    match command {
        Command::Completion { shell } => return complete(&shell, root),
        Command::Version => return version::run(globals).await,
        Command::Context(command) => return context::run(globals, command).await,
        _ => {}
    }
    let session = Session::open(globals)?;
    match command {
        Command::Bare(command) | Command::Vm(command) => vm::run(&session, command).await,
        Command::Volume(command) => volume::run(&session, command).await,
        Command::Image(command) => image::run(&session, command).await,
        Command::Network(command) => network::run(&session, command).await,
        Command::Snapshot(command) => snapshot::run(&session, command).await,
        Command::Pool(command) => pool::run(&session, command).await,
        Command::Node(command) => node::run(&session, command).await,
        Command::Cluster(command) => cluster::run(&session, command).await,
        Command::Project(command) => project::run(&session, command).await,
        Command::Task(command) => task::run(&session, command).await,
        Command::Events(args) => event::run(&session, &args).await,
        Command::Token(command) => token::run(&session, command).await,
        Command::State(command) => state::run(&session, command).await,
        Command::Web => web::run(&session).await,
        // Done above, without a session.
        Command::Completion { .. } | Command::Version | Command::Context(_) => Ok(()),
    }
}

fn complete(shell: &str, mut root: clap::Command) -> Result<()> {
    let shell: Shell = shell.parse().map_err(Failure::usage)?;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut root, "novacron", &mut script);
    output::bytes(&script)
}

#[cfg(test)]
mod tests;
