//! What an actor sees of its guest's NICs, and whether a bridge of this node can be used.

use novacron_host::Handle;
use novacron_host::hypervisor::{BRIDGES_NEED, NicPort, Plug};
use novacron_model::{Error, Object, Result, Vm};
use novacron_store::{Key, Snapshot};

use super::machine;
use super::view::Nic;
use crate::node::Node;

/// Whether NICs can be plugged into a bridge of this node now.
pub(crate) async fn check(node: &Node, bridge: &str) -> Result<()> {
    let checked = match node.config.hypervisor.bridges() {
        Some(bridges) => bridges.check(bridge).await,
        None => Err(Error::unsupported(BRIDGES_NEED)
            .hint("run the node's server as root, or use a network of kind user")),
    };
    checked.map_err(|error| Error { message: here(node, &error.message), ..error })
}

/// The NICs of a live guest. Empty when they cannot be looked at, which is said in the log: nothing
/// else of the guest depends on it.
pub(super) async fn nics(
    node: &Node,
    at: &Snapshot,
    family: &Key,
    vm: &Object<Vm>,
    handle: &Handle,
) -> Vec<Nic> {
    seen(node, at, family, vm, handle).await.unwrap_or_else(|error| {
        tracing::warn!(vm = %family, %error, "NICs cannot be looked at");
        Vec::new()
    })
}

async fn seen(
    node: &Node,
    at: &Snapshot,
    family: &Key,
    vm: &Object<Vm>,
    handle: &Handle,
) -> Result<Vec<Nic>> {
    let ports = ports(at, family, vm)?;
    let on_any = ports.iter().any(|port| port.bridge.is_some());
    let plugs = match node.config.hypervisor.bridges() {
        Some(bridges) if on_any => bridges.plugs(handle, &ports).await?,
        // The rights went with an earlier daemon.
        None if on_any => {
            let lost = |port: &NicPort| match port.bridge {
                Some(_) => Plug::Cut(BRIDGES_NEED.to_owned()),
                None => Plug::In,
            };
            ports.iter().map(lost).collect()
        }
        _ => vec![Plug::In; ports.len()],
    };
    let nic = |(port, plug): (NicPort, Plug)| Nic {
        mac: port.mac.map(|byte| format!("{byte:02x}")).join(":"),
        bridge: port.bridge,
        plug: match plug {
            Plug::Cut(reason) => Plug::Cut(here(node, &reason)),
            plug => plug,
        },
    };
    Ok(ports.into_iter().zip(plugs).map(nic).collect())
}

/// The NICs that the live guest was given; the spec may have gone ahead.
pub(super) fn ports(at: &Snapshot, family: &Key, vm: &Object<Vm>) -> Result<Vec<NicPort>> {
    let given = vm.status.runtime.as_ref().and_then(|runtime| runtime.hardware.as_ref());
    let nics = given.map(|hardware| hardware.nics.as_slice()).or(vm.spec.nics.as_deref());
    machine::nics(at, family, vm, nics.unwrap_or_default())
}

fn here(node: &Node, text: &str) -> String {
    format!("{text} on node \"{}\"", node.name())
}
