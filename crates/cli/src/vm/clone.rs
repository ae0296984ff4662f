//! `clone`: a VM like another one, with copies of its disks.

use clap::Args;
use serde_json::{Value, json};

use super::NOUN;
use crate::args::{WaitArgs, put};
use crate::client::Call;
use crate::failure::Result;
use crate::output;
use crate::session::Session;
use crate::task;

#[derive(Debug, Clone, Args)]
pub struct CloneArgs {
    /// Name of the VM to clone; of one that runs a snapshot is taken, which goes afterwards
    #[arg(value_name = "VM")]
    from: String,
    /// Name of the new VM
    #[arg(value_name = "NEW")]
    name: String,
    /// Clone the disks as they were at this snapshot
    #[arg(long)]
    snapshot: Option<String>,
    /// Start the new VM
    #[arg(long)]
    start: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

pub async fn clone(session: &Session, args: &CloneArgs) -> Result<()> {
    let mut body = json!({"name": args.name});
    put(&mut body, "snapshot", args.snapshot.as_deref());
    put(&mut body, "run", args.start.then_some("running"));
    let path = NOUN.path(&session.project, &args.from) + "/clone";
    let answer = session.client.call(Call::post(path, &body)).await?;
    if session.is_table() {
        let lines = answer.value.pointer("/status/log").and_then(Value::as_array);
        let texts = lines.into_iter().flatten().filter_map(|line| line["text"].as_str());
        texts.for_each(output::note);
    }
    let done = if args.start { "is running" } else { "created" };
    let sentence = format!("{} {done}", NOUN.called(&args.name));
    task::conclude(session, answer, &args.wait, &sentence, Some((&NOUN, &args.name))).await
}
