//! Chores of the repository: `cargo xtask COMMAND`. One module for each command.

mod bench;
mod docs;
mod guest;
mod tidy;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "xtask", about = "Chores of the repository")]
enum Command {
    /// Checks floors, file and function sizes, module heads and other rules of ARCHITECTURE.md.
    Tidy,
    /// Measures against yardsticks; writes docs/benchmarks.md.
    Bench(bench::Args),
    /// Writes the references that are generated from code.
    Docs(docs::Args),
    /// Builds a guest for tests and demos if it is not cached; its path is the last line.
    Guest(guest::Args),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Tidy => tidy::run(),
        Command::Bench(args) => bench::run(&args),
        Command::Docs(args) => docs::run(&args),
        Command::Guest(args) => guest::run(&args),
    };
    if let Err(error) = done {
        eprintln!("xtask: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
