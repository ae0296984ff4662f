//! The API's way into the nodes of this process: each call goes to the agent that holds the object.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use novacron_agent::AgentHandle;
use novacron_api::gateway::{ByteStream, Content, Duplex, Gateway};
use novacron_host::catalogue::Catalogue;
use novacron_model::catalogue::Catalogue as Listing;
use novacron_model::figures::{Hour, Reading};
use novacron_model::image::Uploaded;
use novacron_model::request::{ExecRequest, ExecResult, LogSource};
use novacron_model::task::Live;
use novacron_model::volume::DiskFormat;
use novacron_model::{
    Error, Image, Kind, Name, Node, Object, Project, Result, Time, Vm, Volume, key,
};
use novacron_store::{Selection, Store, object};
use tokio::sync::watch;
use uuid::Uuid;

use crate::log_ring::LogRing;

/// How long an upload waits for its image to be given a node.
const LOCATED_WITHIN: Duration = Duration::from_secs(10);

/// Agents of this process, by node.
pub struct LocalGateway {
    agents: BTreeMap<String, AgentHandle>,
    live: watch::Receiver<u64>,
    store: Arc<dyn Store>,
    catalogue: Catalogue,
    log: LogRing,
}

impl LocalGateway {
    pub fn new(
        agents: &[AgentHandle],
        store: Arc<dyn Store>,
        catalogue: Catalogue,
        log: LogRing,
    ) -> Arc<Self> {
        let live = merged(agents.iter().map(AgentHandle::live_changes).collect());
        let agents = agents.iter().map(|agent| (agent.node().to_owned(), agent.clone())).collect();
        Arc::new(Self { agents, live, store, catalogue, log })
    }

    fn of_vm(&self, vm: &Object<Vm>) -> Result<&AgentHandle> {
        let node = placed_on(vm).ok_or_else(|| {
            Error::conflict(format!("VM \"{}\" has no node yet", vm.meta.name))
                .hint("novacron info says why")
        })?;
        self.agent(node)
    }

    async fn holder(&self, image: &Object<Image>) -> Result<(Object<Image>, Name)> {
        let located = tokio::time::timeout(LOCATED_WITHIN, self.located(image)).await;
        located.map_err(|_| {
            Error::unavailable(format!("no node takes image \"{}\"", image.meta.name))
                .hint("novacron node list shows which nodes are ready")
        })?
    }

    /// The image once the planner has given it a node, which it does right after its creation.
    async fn located(&self, image: &Object<Image>) -> Result<(Object<Image>, Name)> {
        let gone = || Error::not_found(Image::KIND, &image.meta.name);
        let at = self.store.snapshot();
        let project = image.meta.project.as_ref().map(Name::as_str).unwrap_or_default();
        let project = object::expect::<Project>(&at, None, project)?.meta.uid;
        let family = key::object::<Image>(Some(project), &image.meta.name);
        let mut watch = self.store.watch(Selection::Prefix(family.clone()), at.revision());
        loop {
            let found = object::by_key::<Image>(&self.store.snapshot(), &family)?;
            let found = found.filter(|found| found.meta.uid == image.meta.uid).ok_or_else(gone)?;
            if let Some(location) = found.status.location.clone() {
                return Ok((found, location.node));
            }
            match watch.next().await {
                None => return Err(Error::unavailable("the server is stopping")),
                Some(Ok(_)) => {}
                // Fallen behind: hear from now on, and look again first.
                Some(Err(_)) => {
                    let now = self.store.snapshot().revision();
                    watch = self.store.watch(Selection::Prefix(family.clone()), now);
                }
            }
        }
    }

    fn agent(&self, node: &str) -> Result<&AgentHandle> {
        let away = || Error::unavailable(format!("node \"{node}\" cannot be reached from here"));
        self.agents.get(node).ok_or_else(away)
    }
}

/// The node that a VM runs on, or is to run on.
fn placed_on(vm: &Object<Vm>) -> Option<&str> {
    Some(vm.status.placement.as_ref()?.node.as_ref()?.as_str())
}

/// One receiver that is raised when any of them is.
fn merged(sources: Vec<watch::Receiver<u64>>) -> watch::Receiver<u64> {
    let (sender, receiver) = watch::channel(0);
    let sender = Arc::new(sender);
    for mut source in sources {
        let sender = sender.clone();
        tokio::spawn(async move {
            while source.changed().await.is_ok() {
                sender.send_modify(|count| *count += 1);
            }
        });
    }
    receiver
}

#[async_trait]
impl Gateway for LocalGateway {
    async fn serial(&self, vm: &Object<Vm>, replay: u64) -> Result<Box<dyn Duplex>> {
        Ok(Box::new(self.of_vm(vm)?.serial(vm, replay).await?))
    }

    async fn screen(&self, vm: &Object<Vm>) -> Result<Box<dyn Duplex>> {
        Ok(Box::new(self.of_vm(vm)?.screen(vm).await?))
    }

    async fn log(
        &self,
        vm: &Object<Vm>,
        source: LogSource,
        tail: u64,
        follow: bool,
    ) -> Result<ByteStream> {
        self.of_vm(vm)?.log(vm, source, tail, follow).await
    }

    async fn node_log(&self, node: &Object<Node>, tail: u64, follow: bool) -> Result<ByteStream> {
        let agent = self.agent(&node.meta.name)?;
        Ok(self.log.read(agent.node(), tail, follow))
    }

    async fn exec(&self, vm: &Object<Vm>, exec: ExecRequest) -> Result<ExecResult> {
        self.of_vm(vm)?.exec(vm, exec).await
    }

    async fn push(&self, vm: &Object<Vm>, path: &str, content: ByteStream) -> Result<()> {
        self.of_vm(vm)?.push(vm, path, content).await
    }

    async fn pull(&self, vm: &Object<Vm>, path: &str) -> Result<ByteStream> {
        self.of_vm(vm)?.pull(vm, path).await
    }

    async fn export_volume(
        &self,
        volume: &Object<Volume>,
        snapshot: Option<&str>,
        into: DiskFormat,
    ) -> Result<Content> {
        let node = volume.status.location.as_ref().ok_or_else(|| {
            let name = volume.name();
            Error::conflict(format!("volume \"{name}\" has no node yet"))
                .hint(format!("`novacron volume show {name}` says why"))
        })?;
        let agent = self.agent(node.node.as_str())?;
        let content = agent.export_volume(volume, snapshot, into).await?;
        Ok(Content { size: content.size.0, bytes: content.bytes })
    }

    async fn export_vm(&self, vm: &Object<Vm>, snapshot: Option<&str>) -> Result<Content> {
        let content = self.of_vm(vm)?.export_vm(vm, snapshot).await?;
        Ok(Content { size: content.size.0, bytes: content.bytes })
    }

    async fn upload(
        &self,
        image: &Object<Image>,
        length: Option<u64>,
        content: ByteStream,
    ) -> Result<()> {
        let (image, node) = self.holder(image).await?;
        self.agent(node.as_str())?.upload(&image, length, content).await
    }

    async fn upload_file(&self, image: &Object<Image>, file: File) -> Result<()> {
        let (image, node) = self.holder(image).await?;
        self.agent(node.as_str())?.upload_file(&image, file).await
    }

    async fn upload_part(
        &self,
        image: &Object<Image>,
        offset: u64,
        total: u64,
        content: ByteStream,
    ) -> Result<Uploaded> {
        let (image, node) = self.holder(image).await?;
        self.agent(node.as_str())?.upload_part(&image, (offset, total), content).await
    }

    async fn uploaded(&self, image: &Object<Image>) -> Result<Uploaded> {
        let (image, node) = self.holder(image).await?;
        self.agent(node.as_str())?.uploaded(&image).await
    }

    async fn catalogue(&self) -> Result<Listing> {
        Ok(Listing { items: self.catalogue.entries().await? })
    }

    async fn vm_hour(&self, vm: &Object<Vm>, from: Time) -> Result<Hour> {
        match placed_on(vm) {
            Some(node) => Ok(self.agent(node)?.hour(vm.meta.uid, from)),
            None => Ok(Hour::default()),
        }
    }

    async fn vm_readings(&self, vms: &[Object<Vm>]) -> Vec<Reading> {
        let reading = |vm| Some(self.agents.get(placed_on(vm)?)?.reading(vm.meta.uid));
        vms.iter().map(|vm| reading(vm).unwrap_or_default()).collect()
    }

    async fn node_hour(&self, node: &Object<Node>, from: Time) -> Result<Hour> {
        Ok(self.agent(&node.meta.name)?.node_hour(from))
    }

    async fn node_readings(&self, nodes: &[Object<Node>]) -> Vec<Reading> {
        let reading = |node: &Object<Node>| Some(self.agents.get(&node.meta.name)?.node_reading());
        nodes.iter().map(|node| reading(node).unwrap_or_default()).collect()
    }

    fn live(&self, target: Uuid) -> Option<Live> {
        self.agents.values().find_map(|agent| agent.live(target))
    }

    fn live_changes(&self) -> watch::Receiver<u64> {
        self.live.clone()
    }
}
