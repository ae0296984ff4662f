//! `logs`: what the serial line, QEMU or the node's agent wrote.

use clap::{Args, ValueEnum};
use novacron_model::Bytes;

use super::NOUN;
use crate::args::typed;
use crate::client::Call;
use crate::client::body;
use crate::client::path::query;
use crate::failure::Result;
use crate::output;
use crate::session::Session;

#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// Name of the VM
    #[arg(value_name = "VM")]
    name: String,
    /// Which log
    #[arg(long, value_enum, default_value_t)]
    source: Source,
    /// Begin this far before the end
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = typed::<Bytes>)]
    tail: Bytes,
    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,
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
    let tail = args.tail.0.to_string();
    let source = match args.source {
        Source::Serial => "serial",
        Source::Qemu => "qemu",
        Source::Agent => "agent",
    };
    let mut pairs = vec![("source", source), ("tail", tail.as_str())];
    if args.follow {
        pairs.push(("follow", "true"));
    }
    let path = NOUN.path(&session.project, &args.name) + "/logs" + &query(pairs);
    let mut content = session.client.stream(Call::get(path)).await?;
    while let Some(bytes) = body::next(&mut content).await? {
        output::bytes(&bytes)?;
    }
    Ok(())
}
