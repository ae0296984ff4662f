//! The command line alone, without the daemon: how a program composes it.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use novacron_cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { globals, command } = Cli::parse();
    novacron_cli::run(command, globals, Cli::command()).await
}
