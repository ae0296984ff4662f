//! Power `bridges`: taps for the NICs of a machine, and what becomes of them while it runs.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::stream::BoxStream;
use novacron_model::{Error, Result};
use uuid::Uuid;

use super::super::{BRIDGES_NEED, Bridges, Handle, Machine, NicPort, Plug};
use super::{QemuHypervisor, Shared};
use crate::network::{Links, Port, Tap};

#[async_trait]
impl Bridges for QemuHypervisor {
    async fn check(&self, bridge: &str) -> Result<()> {
        self.shared.links()?.check(bridge).await
    }

    async fn plugs(&self, handle: &Handle, nics: &[NicPort]) -> Result<Vec<Plug>> {
        let links = self.shared.links()?;
        let mut plugs = vec![Plug::In; nics.len()];
        for port in ports(handle.uid, nics) {
            plugs[port.index] = links.plugged(&port).await?;
        }
        Ok(plugs)
    }

    async fn plug(&self, handle: &Handle, nics: &[NicPort]) -> Result<()> {
        self.guest(handle)?;
        let links = self.shared.links()?;
        for port in ports(handle.uid, nics) {
            links.plug(&port).await?;
        }
        Ok(())
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        match &self.shared.links {
            Some(links) => links.changes(),
            None => Box::pin(futures::stream::pending()),
        }
    }
}

impl Shared {
    fn links(&self) -> Result<&Links> {
        self.links.as_ref().ok_or_else(|| {
            Error::unsupported(BRIDGES_NEED).hint("run the server as root, or use a user network")
        })
    }

    /// The taps of a machine that is about to start, by the index of the NIC. They go with the last
    /// of their descriptors: with QEMU, or at once if that does not start.
    pub(super) async fn taps(&self, machine: &Machine) -> Result<BTreeMap<usize, Tap>> {
        let mut taps = BTreeMap::new();
        for port in ports(machine.uid, &machine.nics) {
            taps.insert(port.index, self.links()?.open(&port).await?);
        }
        Ok(taps)
    }
}

/// The NICs that are on bridges.
fn ports(uid: Uuid, nics: &[NicPort]) -> impl Iterator<Item = Port<'_>> {
    let numbered = nics.iter().enumerate();
    numbered.filter_map(move |(index, nic)| {
        Some(Port { uid, index, mac: nic.mac, bridge: nic.bridge.as_deref()? })
    })
}
