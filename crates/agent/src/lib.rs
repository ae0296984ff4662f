//! The agent: makes one node's share of the world true and reports what it observes.
//!
//! ```text
//!  store ──watch──▶ selection ──hints──▶ actors (one per VM, volume, image that needs work)
//!    ▲                                      │ look, decide, report, act once, again
//!    └──────────── own sections ◀───────────┤
//!                                           ▼
//!                               host: hypervisor, pools, cidata
//! ```
//!
//! It decides nothing about what should be: that is `control`'s, through the store. Guests outlive
//! it; whoever starts an agent on the same data adopts them. What reaches into guests (serial
//! lines, files, commands) goes through [`AgentHandle`] and past the store.

mod access;
mod actors;
mod board;
pub mod config;
mod copy;
mod export;
mod figures;
mod hold;
mod host_report;
mod image;
mod network;
mod node;
pub mod pool;
mod report;
mod selection;
mod turns;
mod upload;
pub mod vm;
mod vm_log;
mod volume;
mod volume_usage;

use std::fs::File;
use std::sync::Arc;

use novacron_model::image::Uploaded;
use novacron_model::task::Live;
use novacron_model::volume::DiskFormat;
use novacron_model::{Image, Object, Result, Vm, Volume};
use novacron_store::Store;
use tokio::sync::watch;
use uuid::Uuid;

pub use access::Duplex;
pub use config::{AgentConfig, Cidata, CidataOrder, Clock, HostFacts, Timing};
pub use node::NODE_SPAN;
pub use pool::{ByteStream, Content, Pool, Pools};

use node::Node;

/// Starts agents.
pub struct Agent;

impl Agent {
    /// Begins to work for the node at once; must be called within a tokio runtime.
    pub fn start(config: AgentConfig, store: Arc<dyn Store>) -> AgentHandle {
        let node = Node::new(config, store);
        node.span().in_scope(|| tracing::info!("the agent has started"));
        node.spawn(selection::run(node.clone()));
        node.spawn(selection::forward_guest_events(node.clone()));
        node.spawn(host_report::run(node.clone()));
        node.spawn(hold::follow(node.clone()));
        node.spawn(figures::run(node.clone()));
        node.spawn(network::run(node.clone()));
        AgentHandle { node }
    }
}

/// A running agent. Dropping the handle does not end it.
#[derive(Clone)]
pub struct AgentHandle {
    node: Arc<Node>,
}

impl AgentHandle {
    /// Ends the agent after what it is doing now. Guests go on.
    pub async fn shutdown(&self) {
        self.node.end().await;
    }

    /// Ends the agent wherever it stands, as a crash would. Guests go on.
    pub async fn kill(&self) {
        self.node.kill().await;
    }

    /// Name of its node.
    pub fn node(&self) -> &str {
        self.node.name()
    }

    /// Progress of what runs now, by the uid of the object worked on.
    pub fn live(&self, target: Uuid) -> Option<Live> {
        self.node.board.get(target)
    }

    /// Raised with every change of any progress.
    pub fn live_changes(&self) -> watch::Receiver<u64> {
        self.node.board.changes()
    }

    /// Takes the content of an image whose source is `upload`; returns once all bytes have
    /// arrived, or the import has failed before.
    pub async fn upload(
        &self,
        image: &Object<Image>,
        length: Option<u64>,
        content: ByteStream,
    ) -> Result<()> {
        upload::whole(&self.node, image, length, content).await
    }

    /// Takes what a client on this machine has opened as an image's content; returns once the import
    /// has ended, well or not.
    pub async fn upload_file(&self, image: &Object<Image>, file: File) -> Result<()> {
        upload::file(&self.node, image, file).await
    }

    /// Takes a part of an image's content, which begins at `offset` of `total` bytes; what has
    /// come stays when the connection breaks. The import goes on once all is here.
    pub async fn upload_part(
        &self,
        image: &Object<Image>,
        (offset, total): (u64, u64),
        content: ByteStream,
    ) -> Result<Uploaded> {
        upload::part(&self.node, image, pool::Part { offset, total, content }).await
    }

    /// How far an image's upload has come.
    pub async fn uploaded(&self, image: &Object<Image>) -> Result<Uploaded> {
        upload::uploaded(&self.node, image).await
    }

    /// One file with what a volume holds, or one of its snapshots; it lies ready when this returns.
    pub async fn export_volume(
        &self,
        volume: &Object<Volume>,
        snapshot: Option<&str>,
        into: DiskFormat,
    ) -> Result<Content> {
        export::volume(&self.node, volume, snapshot, into).await
    }

    /// A whole VM, or what one of its snapshots holds, as a bundle that can be imported.
    pub async fn export_vm(&self, vm: &Object<Vm>, snapshot: Option<&str>) -> Result<Content> {
        export::vm::export(&self.node, vm, snapshot).await
    }

    /// How many objects are being worked on: none for VMs at rest.
    pub fn busy(&self) -> usize {
        self.node.actors.seated().len()
    }
}
