//! `logs`, of a VM or of a node: the end of a log, and what comes.

use clap::Args;
use novacron_model::Bytes;

use crate::args::typed;
use crate::client::path::query;
use crate::client::{Call, body};
use crate::failure::Result;
use crate::output;
use crate::session::Session;

#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// Begin this far before the end
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = typed::<Bytes>)]
    tail: Bytes,
    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,
}

/// Prints the log below the path of an object.
pub async fn print(
    session: &Session,
    object: &str,
    source: Option<&str>,
    args: &LogArgs,
) -> Result<()> {
    let tail = args.tail.0.to_string();
    let mut pairs: Vec<_> = source.map(|source| ("source", source)).into_iter().collect();
    pairs.push(("tail", &tail));
    if args.follow {
        pairs.push(("follow", "true"));
    }
    let path = format!("{object}/logs{}", query(pairs));
    let mut content = session.client.stream(Call::get(path)).await?;
    while let Some(bytes) = body::next(&mut content).await? {
        output::bytes(&bytes)?;
    }
    Ok(())
}
