//! NovaCron: control plane, node agent, command line and web console in one binary.
//!
//! This crate is wiring. `server` opens the data directory and the store, then starts the control
//! loop, the agents and the API; everything else on the command line speaks to a running server.

mod cidata;
mod clock;
mod cluster;
mod config;
mod control_loop;
mod data_dir;
mod doctor;
mod gateway;
mod identity;
mod log_ring;
mod logging;
mod nodes;
mod notify;
mod server;
mod state;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use novacron_cli::{Format, Globals, StateCommand};
use rustls::crypto::aws_lc_rs;

use config::Config;

#[derive(Parser)]
#[command(name = "novacron", version, about = novacron_cli::ABOUT, disable_help_subcommand = true)]
struct Program {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a node: store, agent, API and console
    Server(server::Args),
    /// Show settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Check what this machine offers, and say what to type where something is missing
    Doctor(doctor::Args),
    /// Print the command line as Markdown, for the documentation
    #[command(hide = true)]
    Reference,
    #[command(flatten)]
    Client(Box<novacron_cli::Command>),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print the settings of a file over the defaults, or the documented defaults
    Show {
        /// Print every key with its default and what it means
        #[arg(long)]
        defaults: bool,
        /// Settings file (TOML)
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    if aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("novacron: a TLS provider was installed twice");
        return ExitCode::FAILURE;
    }
    let program = Program::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("novacron: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = match program.command {
        Command::Client(command) => match *command {
            novacron_cli::Command::State(StateCommand::Restore(args)) => {
                state::restore::run(&args, &program.globals)
            }
            command => {
                let run = novacron_cli::run(command, program.globals, Program::command());
                return runtime.block_on(run);
            }
        },
        Command::Server(args) => runtime.block_on(server::run(&args, &program.globals)),
        Command::Doctor(args) => return runtime.block_on(doctor::run(&args, &program.globals)),
        Command::Reference => {
            print!("{}", novacron_cli::reference(&Program::command()));
            Ok(())
        }
        Command::Config(ConfigCommand::Show { defaults, config }) => {
            show(defaults, config.as_deref(), program.globals.output)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("novacron: {error:#}");
            let usage = error.is::<config::Misconfigured>();
            if usage { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn show(defaults: bool, file: Option<&Path>, format: Format) -> anyhow::Result<()> {
    if defaults {
        print!("{}", config::DEFAULTS);
        return Ok(());
    }
    let config = Config::read(file)?;
    let text = toml::to_string(&config)?;
    let printed = novacron_cli::print(format, &serde_json::to_value(&config)?, || text);
    printed.map_err(|failure| anyhow::anyhow!(failure.message))
}
