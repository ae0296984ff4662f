//! The nodes of this process: the machine itself, or simulated ones.

use std::sync::Arc;

use anyhow::{Context, Result};
use novacron_agent::pool::HostPools;
use novacron_agent::{Agent, AgentConfig, AgentHandle, Clock, HostFacts, Timing};
use novacron_host::hardware::Hardware;
use novacron_host::hypervisor::qemu::{QemuConfig, QemuHypervisor};
use novacron_host::image::Limits;
use novacron_host::load::HostLoad;
use novacron_host::storage::QemuImg;
use novacron_model::node::NodeSpec;
use novacron_model::{Name, Time};
use novacron_sim::Options as SimOptions;
use novacron_store::{CommitError, Store};

use crate::cidata::CidataDisks;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::{clock, identity};

pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Time {
        clock::now()
    }
}

/// This machine, with QEMU.
pub async fn real(
    config: &Config,
    data: &DataDir,
    node: &Name,
    store: &Arc<dyn Store>,
) -> Result<AgentHandle> {
    let qemu = QemuConfig { binary: config.qemu.binary.clone(), ..QemuConfig::new(data.path()) };
    let hypervisor =
        QemuHypervisor::new(qemu).await.context("`novacron doctor` says what to install")?;
    let mut host = facts(Hardware::probe());
    host.remarks.extend(hypervisor.remarks());
    register(store.as_ref(), node).await?;
    let limits = Limits { virtual_size: config.images.max_virtual_size, ..Limits::default() };
    let pools = HostPools::new(data.path(), QemuImg::new("qemu-img"), limits)
        .with_catalogue(config.images.catalogue());
    let agent = AgentConfig {
        node: node.clone(),
        hypervisor: Arc::new(hypervisor),
        pools: Arc::new(pools),
        cidata: Arc::new(CidataDisks::new(data.path())),
        data_key: data.data_key()?,
        clock: Arc::new(WallClock),
        host,
        load: Arc::new(HostLoad),
        timing: timing(config),
    };
    Ok(Agent::start(agent, store.clone()))
}

fn timing(config: &Config) -> Timing {
    Timing { sample: config.figures.every(), ..Timing::default() }
}

async fn register(store: &dyn Store, node: &Name) -> Result<()> {
    loop {
        let (at, uid) = (store.snapshot(), identity::fresh_uid());
        let txn =
            novacron_control::node::register(&at, clock::now(), uid, node, NodeSpec::default())?;
        if txn.is_empty() {
            return Ok(());
        }
        match store.commit(txn).await {
            Ok(_) => return Ok(()),
            Err(CommitError::Precondition { .. }) => {}
            Err(error) => return Err(error).context("this node cannot be registered"),
        }
    }
}

fn facts(hardware: Hardware) -> HostFacts {
    let mut remarks = Vec::new();
    if !rustix::process::geteuid().is_root() {
        remarks.push("runs without root: guests share this user's rights".to_owned());
    }
    HostFacts {
        hostname: hardware.hostname,
        boot_id: hardware.boot_id,
        cpus: hardware.cpus,
        cpu_model: hardware.cpu_model,
        memory: hardware.memory,
        remarks,
        simulated: false,
    }
}

/// `n1` to `nN`, in memory, with agents that differ from a real one's in nothing.
pub async fn simulated(
    count: usize,
    config: &Config,
    data: &DataDir,
    store: &Arc<dyn Store>,
) -> Result<Vec<AgentHandle>> {
    let options = SimOptions {
        clock: Arc::new(WallClock),
        data_key: data.data_key()?,
        timing: timing(config),
    };
    Ok(novacron_sim::start(count, store.clone(), options).await?.agents)
}
