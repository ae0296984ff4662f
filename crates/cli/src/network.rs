//! `novacron network …`

use clap::Subcommand;
use novacron_model::Network;
use serde_json::{Value, json};

use crate::args::{LabelArgs, WaitArgs, draft, put};
use crate::failure::Result;
use crate::noun::Noun;
use crate::session::Session;
use crate::table::{Column, age, labels, text};
use crate::task;
use crate::verbs::{DeleteArgs, ListArgs, delete, edit, list, set};

pub const NOUN: Noun = Noun::of::<Network>(&[
    Column::new("Name", |network, _| text(network, "/meta/name")),
    Column::new("State", |network, _| text(network, "/status/state")),
    Column::detail("Reason", |network, _| text(network, "/status/reason")),
    Column::new("Kind", |network, _| text(network, "/spec/kind")),
    Column::new("Bridge", |network, _| text(network, "/spec/bridge")),
    Column::new("Nodes ready", |network, _| ready(network)),
    Column::detail("Nodes", |network, _| nodes(network)),
    Column::new("Labels", |network, _| labels(network)),
    Column::new("Age", |network, now| age(network, "/meta/created", now)).right(),
    Column::detail("Owner", |network, _| text(network, "/meta/owner")),
    Column::detail("UID", |network, _| text(network, "/meta/uid")),
]);

/// How many of the nodes that have looked can use it.
fn ready(network: &Value) -> String {
    if text(network, "/spec/kind") == "user" {
        return "all".to_owned();
    }
    let nodes = network.pointer("/status/nodes").and_then(Value::as_array);
    let nodes = nodes.map(Vec::as_slice).unwrap_or_default();
    let ready = nodes.iter().filter(|node| node["ready"] == true).count();
    format!("{ready} of {}", nodes.len())
}

/// What each node says, a line for each.
fn nodes(network: &Value) -> String {
    let nodes = network.pointer("/status/nodes").and_then(Value::as_array);
    let line = |node: &Value| {
        let ready = node["ready"] == true;
        let said = if ready { "ready".to_owned() } else { text(node, "/reason") };
        format!("{}: {said}", text(node, "/node"))
    };
    nodes.into_iter().flatten().map(line).collect::<Vec<_>>().join("\n")
}

#[derive(Debug, Clone, Subcommand)]
pub enum NetworkCommand {
    /// Create a network: through the host's own stack with port forwards, or on a bridge
    Create {
        /// Name of the network
        #[arg(value_name = "NETWORK")]
        name: String,
        /// Linux bridge of the nodes that guests are plugged into, as root (br0)
        #[arg(long)]
        bridge: Option<String>,
        #[command(flatten)]
        labels: LabelArgs,
    },
    /// List networks
    List(ListArgs),
    /// Show one network
    Show {
        /// Name of the network
        #[arg(value_name = "NETWORK")]
        name: String,
    },
    /// Change labels of a network
    Set {
        /// Name of the network
        #[arg(value_name = "NETWORK")]
        name: String,
        #[command(flatten)]
        labels: LabelArgs,
    },
    /// Change a network in your editor
    Edit {
        /// Name of the network
        #[arg(value_name = "NETWORK")]
        name: String,
    },
    /// Delete networks that nothing uses
    Delete(DeleteArgs),
}

pub async fn run(session: &Session, command: NetworkCommand) -> Result<()> {
    match command {
        NetworkCommand::Create { name, bridge, labels } => {
            let mut spec = json!({"kind": if bridge.is_some() { "bridge" } else { "user" }});
            put(&mut spec, "bridge", bridge);
            let draft = draft(&name, &labels, &spec);
            let answer = session.create(&NOUN, &draft).await?;
            let sentence = format!("{} created", NOUN.called(&name));
            let wait = WaitArgs::default();
            task::conclude(session, answer, &wait, &sentence, Some((&NOUN, &name))).await
        }
        NetworkCommand::List(args) => list::list(session, &NOUN, &args, |_| true).await,
        NetworkCommand::Show { name } => session.show(&NOUN, &session.read(&NOUN, &name).await?),
        NetworkCommand::Set { name, labels } => {
            set::set(session, &NOUN, &name, &labels, json!({})).await
        }
        NetworkCommand::Edit { name } => edit::edit(session, &NOUN, &name).await,
        NetworkCommand::Delete(args) => delete::delete(session, &NOUN, &args).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_counts_the_nodes_that_have_it() {
        let network = json!({"spec": {"kind": "bridge", "bridge": "br0"}, "status": {"nodes": [
            {"node": "a", "ready": false, "reason": "bridge \"br0\" does not exist on node \"a\""},
            {"node": "b", "ready": true}]}});
        assert_eq!(ready(&network), "1 of 2");
        assert_eq!(nodes(&network), "a: bridge \"br0\" does not exist on node \"a\"\nb: ready");
        assert_eq!(ready(&json!({"spec": {"kind": "bridge"}})), "0 of 0");
        assert_eq!(ready(&json!({"spec": {"kind": "user"}})), "all");
    }
}
