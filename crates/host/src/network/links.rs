//! Bridges and taps as the kernel knows them, over one netlink connection of its own.

use std::collections::BTreeMap;
use std::io;

use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use novacron_model::{Error, Result};
use rtnetlink::packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoKind, LinkAttribute, LinkInfo, LinkMessage,
};
use rtnetlink::{Handle, LinkUnspec, MulticastGroup, new_multicast_connection};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Port, Tap, tap};
use crate::hypervisor::{Plug, no_such_bridge};

/// The links of the network namespace in which it was made.
pub struct Links {
    handle: Handle,
    /// Bridges by name, with their indexes.
    bridges: watch::Receiver<BTreeMap<String, u32>>,
    /// Ends the tasks with it.
    _stop: DropGuard,
}

/// What is of interest of a link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Link {
    index: u32,
    name: String,
    is_bridge: bool,
    mtu: u32,
    /// Index of the bridge that it is in.
    master: Option<u32>,
    alias: String,
}

impl Links {
    /// Opens the connection; must be called within a tokio runtime.
    pub fn new() -> io::Result<Self> {
        let (connection, handle, mut messages) = new_multicast_connection(&[MulticastGroup::Link])?;
        let stop = CancellationToken::new();
        let (told, bridges) = watch::channel(BTreeMap::new());
        tokio::spawn(stop.clone().run_until_cancelled_owned(connection));
        let asks = handle.clone();
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            loop {
                match list_bridges(&asks).await {
                    Ok(now) => {
                        told.send_if_modified(|before| {
                            let changed = *before != now;
                            *before = now;
                            changed
                        });
                    }
                    Err(error) => tracing::warn!(%error, "bridges cannot be listed"),
                }
                // One look for all that has happened until then.
                if messages.next().await.is_none() {
                    return;
                }
                while messages.try_recv().is_ok() {}
            }
        }));
        Ok(Self { handle, bridges, _stop: stop.drop_guard() })
    }

    /// A hint with each bridge that comes or goes.
    pub fn changes(&self) -> BoxStream<'static, ()> {
        let bridges = self.bridges.clone();
        futures::stream::unfold(bridges, |mut bridges| async move {
            bridges.changed().await.ok()?;
            Some(((), bridges))
        })
        .boxed()
    }

    /// Whether a tap can be plugged into this bridge now.
    pub async fn check(&self, bridge: &str) -> Result<()> {
        self.bridge(bridge).await.map(drop)
    }

    /// A new tap in its bridge, up.
    pub async fn open(&self, port: &Port<'_>) -> Result<Tap> {
        let bridge = self.bridge(port.bridge).await?;
        let name = port.link_name();
        let fd = tap::make(&name).map_err(|error| not_made(&name, &error))?;
        let Some(link) = self.find(&name).await? else {
            return Err(Error::unavailable(format!("tap {name} vanished as soon as it was made")));
        };
        let own = LinkUnspec::new_with_index(link.index)
            .alias(port.alias())
            .address(port.host_mac().to_vec())
            .build();
        self.set(own, &name).await?;
        self.keep_silent(link.index).await;
        self.plug_in(link.index, &name, &bridge).await?;
        Ok(Tap { fd, mtu: bridge.mtu })
    }

    /// How a live guest's tap is plugged in.
    pub async fn plugged(&self, port: &Port<'_>) -> Result<Plug> {
        let Some(link) = self.own(port).await? else {
            let text = format!("the tap of NIC {} was deleted: restart the VM", port.index);
            return Ok(Plug::Cut(text));
        };
        Ok(match self.bridge(port.bridge).await {
            Err(error) => Plug::Cut(error.message),
            Ok(bridge) if link.master == Some(bridge.index) => Plug::In,
            Ok(_) => Plug::Out,
        })
    }

    /// Puts a live guest's tap into its bridge if it is not there.
    pub async fn plug(&self, port: &Port<'_>) -> Result<()> {
        let Some(link) = self.own(port).await? else { return Ok(()) };
        let bridge = self.bridge(port.bridge).await?;
        if link.master == Some(bridge.index) {
            return Ok(());
        }
        self.plug_in(link.index, &link.name, &bridge).await
    }

    /// Else the host itself would speak IPv6 to the guest. A kernel without IPv6 refuses, and is as
    /// silent.
    async fn keep_silent(&self, index: u32) {
        let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        let inet6 = LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![none])]);
        let message = LinkUnspec::new_with_index(index).append_extra_attribute(inet6).build();
        if let Err(error) = self.handle.link().set(message).execute().await {
            tracing::debug!(%error, "the tap has IPv6 of its own");
        }
    }

    /// The MTU first: a bridge takes the least of its ports'.
    async fn plug_in(&self, index: u32, name: &str, bridge: &Link) -> Result<()> {
        let sized = LinkUnspec::new_with_index(index).mtu(bridge.mtu).build();
        self.set(sized, name).await?;
        let plugged = LinkUnspec::new_with_index(index).controller(bridge.index).up().build();
        self.set(plugged, name).await
    }

    async fn set(&self, message: LinkMessage, name: &str) -> Result<()> {
        let done = self.handle.link().set(message).execute().await;
        done.map_err(|error| {
            Error::unavailable(format!("tap {name} cannot be plugged in: {}", says(&error)))
        })
    }

    /// The tap of a port, if it is NovaCron's.
    async fn own(&self, port: &Port<'_>) -> Result<Option<Link>> {
        let found = self.find(&port.link_name()).await?;
        Ok(found.filter(|link| link.alias == port.alias()))
    }

    async fn bridge(&self, name: &str) -> Result<Link> {
        match self.find(name).await? {
            None => Err(no_such_bridge(name)),
            Some(link) if link.is_bridge => Ok(link),
            Some(_) => Err(Error::conflict(format!("\"{name}\" is not a Linux bridge"))
                .hint("put it into a bridge, and name that; docs/networks.md shows how")),
        }
    }

    async fn find(&self, name: &str) -> Result<Option<Link>> {
        let mut found = Box::pin(self.handle.link().get().match_name(name).execute());
        match found.try_next().await {
            Ok(message) => Ok(message.as_ref().map(read)),
            Err(error) if code(&error) == Some(-libc::ENODEV) => Ok(None),
            Err(error) => Err(Error::unavailable(format!(
                "link \"{name}\" cannot be looked at: {}",
                says(&error)
            ))),
        }
    }
}

async fn list_bridges(handle: &Handle) -> Result<BTreeMap<String, u32>, rtnetlink::Error> {
    let mut request = handle.link().get();
    // The kernel leaves the others out; one that does not is no harm.
    let kind = LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]);
    request.message_mut().attributes.push(kind);
    let mut all = Box::pin(request.execute());
    let mut bridges = BTreeMap::new();
    while let Some(message) = all.try_next().await? {
        let link = read(&message);
        if link.is_bridge {
            bridges.insert(link.name, link.index);
        }
    }
    Ok(bridges)
}

fn read(message: &LinkMessage) -> Link {
    let mut link = Link { index: message.header.index, ..Link::default() };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::IfAlias(alias) => link.alias.clone_from(alias),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Controller(index) => link.master = Some(*index),
            LinkAttribute::LinkInfo(infos) => {
                link.is_bridge |= infos.contains(&LinkInfo::Kind(InfoKind::Bridge));
            }
            _ => {}
        }
    }
    link
}

fn not_made(name: &str, error: &io::Error) -> Error {
    let failed = Error::unavailable(format!("tap {name} cannot be made: {error}"));
    match error.raw_os_error() {
        Some(libc::EBUSY) => failed.hint(format!(
            "a link of this name is there already; `ip link delete {name}` removes it"
        )),
        Some(libc::ENOENT | libc::ENODEV) => failed.hint("load the kernel module tun"),
        _ => failed,
    }
}

fn code(error: &rtnetlink::Error) -> Option<i32> {
    let rtnetlink::Error::NetlinkError(message) = error else { return None };
    message.code.map(i32::from)
}

/// The kernel's own words, where it is the kernel that refuses.
fn says(error: &rtnetlink::Error) -> String {
    match code(error) {
        Some(code) => io::Error::from_raw_os_error(-code).to_string(),
        None => error.to_string(),
    }
}
