//! Reports of the node itself and of its pools.

use std::sync::Arc;
use std::time::Duration;

use novacron_model::node::{HypervisorReport, NodeReport};
use novacron_model::pool::{self, PoolNode, PoolUsage};
use novacron_model::{Kind, Node as NodeKind, Object, Pool as PoolKind, Result, Time, key};
use novacron_store::{Key, Selection, Snapshot, Watch, object};
use tokio::time::sleep;

use crate::node::Node;
use crate::{report, volume_usage};

/// A sample that differs by less than a hundredth is not worth a commit.
const WORTH: u64 = 100;

/// Reports the node once its object is there, and its pools from time to time.
pub(crate) async fn run(node: Arc<Node>) {
    let started = node.now();
    let mut pause = Duration::from_millis(100);
    let mut kinds = watches(&node);
    while !node.ending.is_cancelled() {
        let done = report(&node, started).await;
        let next = match done {
            Ok(()) => node.config.timing.usage,
            Err(error) => {
                tracing::debug!(%error, "node not reported yet");
                pause = (pause * 2).min(node.config.timing.usage);
                pause
            }
        };
        let [nodes, pools] = &mut kinds;
        let heard = tokio::select! {
            () = node.ending.cancelled() => return,
            () = sleep(next) => continue,
            changes = nodes.next() => changes,
            changes = pools.next() => changes,
        };
        match heard {
            // The store has shut down.
            None => return,
            // Everything is looked at anyway; only the place to hear from next is lost.
            Some(Err(_)) => kinds = watches(&node),
            Some(Ok(_)) => {}
        }
    }
}

/// Changes of nodes and pools from now on.
fn watches(node: &Node) -> [Watch; 2] {
    [NodeKind::KIND, PoolKind::KIND].map(|kind| {
        let prefix = format!("{kind}/");
        node.store.watch(Selection::Prefix(prefix), node.store.snapshot().revision())
    })
}

async fn report(node: &Node, started: Time) -> Result<()> {
    report_node(node, started).await?;
    report_pools(node).await?;
    volume_usage::sample(node).await
}

async fn report_node(node: &Node, started: Time) -> Result<()> {
    let at = node.store.snapshot();
    let own = object::expect::<NodeKind>(&at, None, node.name())?;
    let report = node_report(node, started);
    if own.status.report.as_ref() == Some(&report) {
        return Ok(());
    }
    let family = Key::from(key::object::<NodeKind>(None, node.name()));
    let txn = report::section(&at, &family, "report", &report)?;
    commit(node, &family, txn).await
}

fn node_report(node: &Node, started: Time) -> NodeReport {
    let host = &node.config.host;
    let driver = node.config.hypervisor.capabilities();
    NodeReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        hostname: host.hostname.clone(),
        boot_id: host.boot_id.clone(),
        started,
        cpus: host.cpus,
        cpu_model: host.cpu_model.clone(),
        memory: host.memory,
        hypervisors: vec![HypervisorReport {
            driver: driver.driver.to_owned(),
            version: driver.version.clone(),
            accelerator: driver.accelerator.clone(),
            reason: driver.reason.clone(),
            powers: driver.powers.iter().map(|power| (*power).to_owned()).collect(),
        }],
        remarks: host.remarks.clone(),
        simulated: host.simulated,
    }
}

async fn report_pools(node: &Node) -> Result<()> {
    let at = node.store.snapshot();
    for pool in object::list::<PoolKind>(&at, None) {
        report_pool(node, &at, &pool).await?;
    }
    Ok(())
}

async fn report_pool(node: &Node, at: &Snapshot, pool: &Object<PoolKind>) -> Result<()> {
    let usage = match node.pool(at, pool.name()).await {
        Ok(pool) => pool.usage().await,
        Err(error) => Err(error),
    };
    let old = pool.status.on(node.name());
    let usage = usage.unwrap_or_else(|error| PoolUsage {
        error: Some(error.message),
        ..old.cloned().unwrap_or_default()
    });
    if old.is_some_and(|old| !worth_telling(old, &usage)) {
        return Ok(());
    }
    let family = Key::from(key::object::<PoolKind>(None, pool.name()));
    let section = format!("{}/{}", pool::NODES, node.name());
    let now = PoolNode { node: node.config.node.clone(), usage };
    let txn = report::section(at, &family, &section, &now)?;
    commit(node, &family, txn).await
}

fn worth_telling(old: &PoolUsage, new: &PoolUsage) -> bool {
    let moved = old.free.0.abs_diff(new.free.0) > old.total.0 / WORTH;
    moved || old.total != new.total || old.path != new.path || old.error != new.error
}

async fn commit(node: &Node, family: &Key, txn: novacron_store::Txn) -> Result<()> {
    node.commit(txn).await.map_err(|error| {
        report::warn(family, &error);
        novacron_model::Error::unavailable(error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use novacron_model::Bytes;

    use super::*;

    #[test]
    fn a_hundredth_is_not_worth_a_commit() {
        let usage =
            |free| PoolUsage { total: Bytes(1000), free: Bytes(free), ..PoolUsage::default() };
        assert!(!worth_telling(&usage(500), &usage(490)));
        assert!(worth_telling(&usage(500), &usage(489)));
        let broken = PoolUsage { error: Some("gone".into()), ..usage(500) };
        assert!(worth_telling(&usage(500), &broken));
    }
}
