//! Networks that NICs plug into.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::meta::{Kind, Meta, Scope};
use crate::name::Name;

/// The network that exists from the start.
pub const DEFAULT: &str = "user";

/// Names of the sections that nodes write: `nodes/NODE`.
pub const NODES: &str = "nodes";

/// Bytes of a link's name in Linux (`IFNAMSIZ` without the final zero).
const LINK_NAME_MAX: usize = 15;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network;

impl Kind for Network {
    const KIND: &'static str = "network";
    const PLURAL: &'static str = "networks";
    const SCOPE: Scope = Scope::Project;
    type Spec = NetworkSpec;
    type Status = NetworkStatus;

    fn summarize(_meta: &Meta, spec: &NetworkSpec, status: &mut NetworkStatus) {
        if spec.kind == NetworkKind::User {
            (status.state, status.reason) = (NetworkState::Ready, None);
            return;
        }
        status.reason = status.nodes.iter().find_map(|node| node.reason.clone());
        status.state = if status.nodes.is_empty() {
            NetworkState::Pending
        } else if status.nodes.iter().any(|node| node.ready) {
            NetworkState::Ready
        } else {
            NetworkState::Failed
        };
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkSpec {
    #[serde(default)]
    pub kind: NetworkKind,
    /// Of kind `bridge`: the Linux bridge, which has to be there on each node that is to take part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 15)]
    pub bridge: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkKind {
    /// Outbound through the host's own stack plus port forwards; needs no rights.
    #[default]
    User,
    /// A Linux bridge of the node: guests are neighbours of whatever else is on it. Needs root.
    Bridge,
}

impl NetworkSpec {
    /// Whether kind and bridge go together, and the bridge's name is one that a link can have.
    pub fn check(&self) -> Result<()> {
        let field = "spec.bridge";
        match (self.kind, &self.bridge) {
            (NetworkKind::User, None) => Ok(()),
            (NetworkKind::User, Some(_)) => {
                Err(Error::invalid(field, "a network of kind user has no bridge")
                    .hint("set spec.kind to bridge"))
            }
            (NetworkKind::Bridge, None) => {
                Err(Error::invalid(field, "a network of kind bridge needs the name of its bridge")
                    .hint("`ip -brief link show type bridge` lists those of a node"))
            }
            (NetworkKind::Bridge, Some(bridge)) if is_link_name(bridge) => Ok(()),
            (NetworkKind::Bridge, Some(_)) => Err(Error::invalid(
                field,
                format!(
                    "a bridge's name has 1 to {LINK_NAME_MAX} ASCII characters, without spaces, \
                     \"/\" and \":\""
                ),
            )
            .hint("`ip -brief link show type bridge` lists those of a node")),
        }
    }
}

/// What the kernel takes as a link's name (`dev_valid_name`), in ASCII.
fn is_link_name(name: &str) -> bool {
    let odd = |b: u8| !b.is_ascii_graphic() || b == b'/' || b == b':';
    !matches!(name, "" | "." | "..") && name.len() <= LINK_NAME_MAX && !name.bytes().any(odd)
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkStatus {
    /// Derived from the rest.
    #[serde(default)]
    pub state: NetworkState,
    /// Derived: what a node lacks, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of kind `bridge`: a section for each node that has looked. Writer: that node's agent.
    #[serde(default)]
    pub nodes: Vec<NetworkNode>,
}

impl NetworkStatus {
    /// What a node has said.
    pub fn on(&self, node: &str) -> Option<&NetworkNode> {
        self.nodes.iter().find(|each| each.node.as_str() == node)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkState {
    /// No node has looked yet.
    #[default]
    Pending,
    /// Some node is ready.
    Ready,
    Failed,
}

/// Whether NICs can be plugged into the network on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkNode {
    pub node: Name,
    pub ready: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_is_named_as_the_kernel_names_links() {
        let check = |bridge: &str| {
            NetworkSpec { kind: NetworkKind::Bridge, bridge: Some(bridge.to_owned()) }.check()
        };
        for good in ["br0", "vmbr0.100", "a", "fifteen-letters", "br-lan_1"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "a\tb", "eth0:1", "sixteen-letters!", "brücke"] {
            assert_eq!(check(bad).unwrap_err().field.as_deref(), Some("spec.bridge"), "{bad}");
        }
    }

    #[test]
    fn a_network_is_ready_where_some_node_is() {
        let spec = NetworkSpec { kind: NetworkKind::Bridge, bridge: Some("br0".to_owned()) };
        let state = |ready: &[bool]| {
            let node = |ready: &bool| NetworkNode {
                node: Name::new("n").unwrap(),
                ready: *ready,
                reason: (!ready).then(|| "gone".to_owned()),
            };
            let nodes = ready.iter().map(node).collect();
            let mut status = NetworkStatus { nodes, ..NetworkStatus::default() };
            Network::summarize(&meta(), &spec, &mut status);
            (status.state, status.reason.is_some())
        };
        assert_eq!(state(&[]), (NetworkState::Pending, false));
        assert_eq!(state(&[true]), (NetworkState::Ready, false));
        assert_eq!(state(&[true, false]), (NetworkState::Ready, true));
        assert_eq!(state(&[false]), (NetworkState::Failed, true));
    }

    fn meta() -> Meta {
        serde_json::from_value(serde_json::json!({
            "name": "lan", "uid": "00000000-0000-0000-0000-000000000000", "owner": "",
            "revision": 1, "generation": 1, "created": "2026-01-01T00:00:00Z",
        }))
        .unwrap()
    }
}
