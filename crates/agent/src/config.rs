//! What an agent is given when it starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use novacron_host::Hypervisor;
use novacron_host::load::Load;
use novacron_model::vm::CloudInit;
use novacron_model::{Bytes, DataKey, Name, Result, Time};

use crate::pool::Pools;

#[derive(Clone)]
pub struct AgentConfig {
    /// Name of the node.
    pub node: Name,
    pub hypervisor: Arc<dyn Hypervisor>,
    pub pools: Arc<dyn Pools>,
    pub cidata: Arc<dyn Cidata>,
    pub data_key: DataKey,
    pub clock: Arc<dyn Clock>,
    pub host: HostFacts,
    /// What the machine uses.
    pub load: Arc<dyn Load>,
    pub timing: Timing,
}

/// What the machine is; reported as it stands.
#[derive(Debug, Clone, Default)]
pub struct HostFacts {
    pub hostname: String,
    /// Changes with every boot of the host.
    pub boot_id: String,
    pub cpus: u32,
    pub cpu_model: String,
    pub memory: Bytes,
    pub remarks: Vec<String>,
    /// Guests are simulated; ports of the host are not looked at.
    pub simulated: bool,
}

/// The wall clock.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Time;
}

/// A clock that stands still.
#[cfg(test)]
pub(crate) struct Noon;

#[cfg(test)]
impl Clock for Noon {
    fn now(&self) -> Time {
        Time::default()
    }
}

/// Builds the `cidata` disk of a guest.
#[async_trait]
pub trait Cidata: Send + Sync + 'static {
    /// Secrets are plain here and nowhere else.
    async fn build(&self, guest: &CidataOrder) -> Result<PathBuf>;
    async fn remove(&self, uid: uuid::Uuid) -> Result<()>;
}

/// What a guest is to be told.
#[derive(Clone)]
pub struct CidataOrder {
    pub uid: uuid::Uuid,
    pub name: String,
    pub cloud_init: CloudInit,
    /// The opened password.
    pub password: Option<String>,
}

/// How often things are looked at that do not announce themselves.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// A running guest, beside its events.
    pub observe: Duration,
    /// The guest agent of a running guest.
    pub guest_agent: Duration,
    /// Pools and what volumes take in them.
    pub usage: Duration,
    /// What guests and the node use.
    pub sample: Duration,
    /// Everything, in case a hint was lost.
    pub relist: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            observe: Duration::from_secs(5),
            guest_agent: Duration::from_secs(30),
            usage: Duration::from_secs(30),
            sample: Duration::from_secs(5),
            relist: Duration::from_mins(5),
        }
    }
}
