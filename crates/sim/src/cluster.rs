//! Nodes that exist in memory only, and their agents.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use novacron_agent::{
    Agent, AgentConfig, AgentHandle, Cidata, CidataOrder, Clock, HostFacts, Timing,
};
use novacron_control::node::register;
use novacron_host::hypervisor::sim::{SimHypervisor, SimWorld};
use novacron_model::node::NodeSpec;
use novacron_model::{Bytes, DataKey, Error, Name, Result, Time};
use novacron_store::Store;
use uuid::Uuid;

use crate::pool::SimPools;

/// What all nodes of a simulated cluster share.
#[derive(Clone)]
pub struct Options {
    pub clock: Arc<dyn Clock>,
    pub data_key: DataKey,
    pub timing: Timing,
}

impl Default for Options {
    fn default() -> Self {
        let (clock, timing) = (Arc::new(SystemClock), Timing::default());
        Self { clock, data_key: DataKey::new([0; 32]), timing }
    }
}

/// The machine's wall clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A machine: its guests and files outlive its agent.
#[derive(Clone)]
pub struct SimNode {
    pub name: Name,
    pub world: SimWorld,
    pub pools: SimPools,
    options: Options,
}

impl SimNode {
    pub fn new(name: Name, options: Options) -> Self {
        Self { name, world: SimWorld::new(), pools: SimPools::default(), options }
    }

    /// Starts an agent on this machine. At most one may run at a time.
    pub fn start_agent(&self, store: &Arc<dyn Store>) -> AgentHandle {
        Agent::start(self.config(), store.clone())
    }

    /// What an agent of this machine starts from; tests may put another driver into it.
    pub fn config(&self) -> AgentConfig {
        AgentConfig {
            node: self.name.clone(),
            hypervisor: Arc::new(SimHypervisor::new(self.world.clone())),
            pools: Arc::new(self.pools.clone()),
            cidata: Arc::new(NoCidata),
            data_key: self.options.data_key.clone(),
            clock: self.options.clock.clone(),
            host: HostFacts {
                hostname: self.name.to_string(),
                boot_id: self.world.boot_id(),
                cpus: 16,
                cpu_model: "simulated".to_owned(),
                memory: Bytes::gib(64),
                remarks: vec!["hosts and guests are simulated; nothing runs".to_owned()],
                simulated: true,
            },
            load: Arc::new(self.world.clone()),
            timing: self.options.timing,
        }
    }
}

/// Simulated guests read no disks.
struct NoCidata;

#[async_trait]
impl Cidata for NoCidata {
    async fn build(&self, guest: &CidataOrder) -> Result<PathBuf> {
        Ok(PathBuf::from("/sim/cidata").join(guest.uid.to_string()))
    }

    async fn remove(&self, _uid: Uuid) -> Result<()> {
        Ok(())
    }
}

/// Nodes `n1` to `nN` with an agent each.
pub struct SimCluster {
    pub nodes: Vec<SimNode>,
    pub agents: Vec<AgentHandle>,
}

impl SimCluster {
    /// Ends all agents; guests go with the process.
    pub async fn shutdown(&self) {
        for agent in &self.agents {
            agent.shutdown().await;
        }
    }
}

/// Registers `count` nodes and starts their agents.
pub async fn start(count: usize, store: Arc<dyn Store>, options: Options) -> Result<SimCluster> {
    let mut cluster = SimCluster { nodes: Vec::new(), agents: Vec::new() };
    for number in 1..=count {
        let node = SimNode::new(Name::new(format!("n{number}"))?, options.clone());
        let (at, now) = (store.snapshot(), options.clock.now());
        let txn = register(&at, now, Uuid::now_v7(), &node.name, NodeSpec::default())?;
        if !txn.is_empty() {
            let done = store.commit(txn).await;
            done.map_err(|error| Error::unavailable(format!("node not registered: {error}")))?;
        }
        cluster.agents.push(node.start_agent(&store));
        cluster.nodes.push(node);
    }
    Ok(cluster)
}
