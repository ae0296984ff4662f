//! Which networks NICs can be plugged into on this node: looked at when a network or a bridge comes
//! or goes, and now and then besides. Guests whose bridges have gone or come are woken.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use novacron_model::event::Level;
use novacron_model::network::{self, NetworkKind, NetworkNode};
use novacron_model::{Kind, Network, Object, Result, key};
use novacron_store::{Key, Selection, Snapshot, Watch, object};
use tokio::time::sleep;

use crate::node::Node;
use crate::report;
use crate::vm::bridges;

const PAUSE_MIN: Duration = Duration::from_millis(200);

pub(crate) async fn run(node: Arc<Node>) {
    let mut networks = watch(&node);
    let hypervisor = node.config.hypervisor.clone();
    let mut links: BoxStream<'static, ()> = match hypervisor.bridges() {
        Some(bridges) => bridges.changes(),
        None => Box::pin(futures::stream::pending()),
    };
    let mut pause = PAUSE_MIN;
    while !node.ending.is_cancelled() {
        let next = if look(&node).await {
            pause = PAUSE_MIN;
            node.config.timing.usage
        } else {
            pause = (pause * 2).min(node.config.timing.usage);
            pause
        };
        tokio::select! {
            () = node.ending.cancelled() => return,
            () = sleep(next) => {}
            changes = networks.next() => match changes {
                // The store has shut down.
                None => return,
                Some(Err(_)) => networks = watch(&node),
                Some(Ok(_)) => {}
            },
            Some(()) = links.next() => wake_guests(&node),
        }
    }
}

fn watch(node: &Node) -> Watch {
    let prefix = format!("{}/", Network::KIND);
    node.store.watch(Selection::Prefix(prefix), node.store.snapshot().revision())
}

fn wake_guests(node: &Node) {
    for family in node.actors.guests() {
        node.actors.wake(&family);
    }
}

/// Reports what has changed; `false`: something could not be reported.
async fn look(node: &Node) -> bool {
    let at = node.store.snapshot();
    let mut told = true;
    for family in families(&at) {
        let done = match object::by_key::<Network>(&at, family.as_str()) {
            Ok(Some(network)) => report(node, &at, &family, &network).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            tracing::warn!(%family, %error, "network not reported");
            told = false;
        }
    }
    told
}

fn families(at: &Snapshot) -> Vec<Key> {
    let prefix = key::prefix::<Network>(None);
    let records = at.scan(&prefix, &prefix).filter(|record| record.key.section().is_none());
    records.map(|record| record.key.clone()).collect()
}

async fn report(node: &Node, at: &Snapshot, family: &Key, network: &Object<Network>) -> Result<()> {
    let (NetworkKind::Bridge, Some(bridge)) = (network.spec.kind, &network.spec.bridge) else {
        return Ok(());
    };
    let reason = bridges::check(node, bridge).await.err().map(|error| error.message);
    let now = NetworkNode { node: node.config.node.clone(), ready: reason.is_none(), reason };
    let before = network.status.on(node.name());
    if before == Some(&now) {
        return Ok(());
    }
    let section = format!("{}/{}", network::NODES, node.name());
    let mut txn = report::section(at, family, &section, &now)?;
    let (level, kind) =
        if now.ready { (Level::Info, "network.ready") } else { (Level::Warning, "network.failed") };
    let text = match &now.reason {
        Some(reason) => format!("network \"{}\": {reason}", network.name()),
        None => format!("network \"{}\" is ready on node \"{}\"", network.name(), node.name()),
    };
    report::add_event(&mut txn, node, network, level, kind, text)?;
    if let Err(error) = node.commit(txn).await {
        report::warn(family, &error);
    }
    Ok(())
}
