//! `logs`: what the serial line, QEMU or the node's agent wrote.

use clap::{Args, ValueEnum};

use super::NOUN;
use crate::failure::Result;
use crate::session::Session;
use crate::verbs::{LogArgs, logs};

#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// Name of the VM
    #[arg(value_name = "VM")]
    name: String,
    /// Which log
    #[arg(long, value_enum, default_value_t)]
    source: Source,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Source {
    /// The serial line
    #[default]
    Serial,
    /// What QEMU said
    Qemu,
    /// What the node did with the VM since its daemon was started
    Agent,
}

pub async fn logs(session: &Session, args: &LogsArgs) -> Result<()> {
    let source = match args.source {
        Source::Serial => "serial",
        Source::Qemu => "qemu",
        Source::Agent => "agent",
    };
    let path = NOUN.path(&session.project, &args.name);
    logs::print(session, &path, Some(source), &args.log).await
}
