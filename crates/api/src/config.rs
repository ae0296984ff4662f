//! What the server is told when it starts.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use novacron_model::{Bytes, DataKey, Error, Result};

use crate::cluster::{Alone, Cluster};
use crate::gateway::ByteStream;
use crate::nodes::{NoOthers, Nodes};

/// Everything that [`crate::serve`] needs beside the store and the gateway.
#[derive(Clone)]
pub struct ApiConfig {
    /// TCP addresses; port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// Holds `api.sock` and `tls/`.
    pub data_dir: PathBuf,
    /// Further names under which browsers may reach this server.
    pub hosts: Vec<String>,
    /// A group of the host whose members may use the socket beside root and the daemon's user.
    pub group: Option<String>,
    /// Certificate chain and key to serve with, in place of the own CA's.
    pub tls: Option<TlsFiles>,
    /// The node that answers, for `GET /v1/system`.
    pub node: String,
    /// Hosts and guests are simulated.
    pub simulated: bool,
    /// Seals secrets on their way into the store.
    pub data_key: DataKey,
    /// Free space of the store's disk, and whether only deletes are taken.
    pub store_space: StoreSpace,
    /// The whole state, as a file to begin anew from.
    pub backup: Backup,
    /// The way to the APIs of other nodes.
    pub nodes: Arc<dyn Nodes>,
    /// The cluster as it is now; unless set, of a server that no other can join.
    pub cluster: Arc<dyn Cluster>,
    /// VMs that `/metrics` shows at most.
    pub metrics_vms: usize,
    /// Raised by the caller once the store is ready; until then everything answers 503.
    pub readiness: Readiness,
}

pub type Backup = Arc<dyn Fn() -> Result<ByteStream> + Send + Sync>;

pub type StoreSpace = Arc<dyn Fn() -> (Bytes, bool) + Send + Sync>;

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl ApiConfig {
    /// No TCP address, nothing simulated, not ready.
    pub fn new(data_dir: impl Into<PathBuf>, node: impl Into<String>, data_key: DataKey) -> Self {
        let node = node.into();
        Self {
            listen: Vec::new(),
            data_dir: data_dir.into(),
            hosts: Vec::new(),
            group: None,
            tls: None,
            cluster: Arc::new(Alone { node: node.clone() }),
            node,
            simulated: false,
            data_key,
            store_space: Arc::new(|| (Bytes(0), false)),
            backup: Arc::new(|| Err(Error::unsupported("this server makes no backups"))),
            nodes: Arc::new(NoOthers),
            metrics_vms: 1000,
            readiness: Readiness::default(),
        }
    }
}

impl fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiConfig")
            .field("listen", &self.listen)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// Whether the store can answer. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
