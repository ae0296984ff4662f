//! Members: the nodes that make up the cluster, and how each takes part in its decisions.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::meta::{Kind, Scope};

/// A member is called as its node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member;

impl Kind for Member {
    const KIND: &'static str = "member";
    const PLURAL: &'static str = "members";
    const SCOPE: Scope = Scope::Cluster;
    type Spec = MemberSpec;
    type Status = MemberStatus;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberSpec {
    /// The node's id in Raft. Fixed, and never given to another.
    pub number: u64,
    /// Where the other nodes reach it, `HOST:PORT`; may be empty as long as it is alone.
    #[serde(default)]
    pub address: String,
    #[serde(default)]
    pub role: MemberRole,
}

/// How a member takes part. Voters decide together; more than half of them must be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Votes when the cluster needs its vote.
    #[default]
    Auto,
    /// Always votes.
    Voter,
    /// Never votes.
    Worker,
    /// Always votes, and runs no VMs.
    Witness,
}

impl MemberRole {
    pub fn may_vote(self) -> bool {
        self != Self::Worker
    }

    /// Votes whatever the others do.
    pub fn must_vote(self) -> bool {
        matches!(self, Self::Voter | Self::Witness)
    }
}

/// What is live stands in [`crate::cluster::ClusterView`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberStatus {}

/// Checks `HOST:PORT`: a name, an IPv4 address or an IPv6 address in brackets. An address that
/// stands for all of a machine's leads nobody there and is refused.
pub fn check_address(field: &str, text: &str) -> Result<()> {
    let wrong = |why: &str| {
        let shown: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
        Error::invalid(field, format!("\"{shown}\" is not an address of a node: {why}"))
            .hint("write HOST:PORT, such as 10.0.0.1:7601 or [2001:db8::1]:7601")
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("the port is missing"))?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || port.parse::<u16>().unwrap_or(0) == 0 {
        return Err(wrong("the port is not a number from 1 to 65535"));
    }
    let unspecified = if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(|| wrong("a bracket is missing"))?;
        inner.parse::<Ipv6Addr>().map_err(|_| wrong("not an IPv6 address"))?.is_unspecified()
    } else if let Ok(address) = host.parse::<Ipv4Addr>() {
        address.is_unspecified()
    } else if is_host_name(host) {
        false
    } else {
        return Err(wrong("not a name and not an IP address"));
    };
    if unspecified {
        return Err(wrong("it stands for every address of a machine"));
    }
    Ok(())
}

/// RFC 1123, section 2.1. A last label of digits only would be read as an IPv4 address.
fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        let bytes = label.as_bytes();
        matches!(bytes.len(), 1..=63)
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
            && bytes[0] != b'-'
            && bytes[bytes.len() - 1] != b'-'
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253
        && host.split('.').all(label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_one_machine() {
        for good in ["10.0.0.1:7601", "[2001:db8::1]:7601", "n1.example.org:1", "n1:65535"] {
            assert_eq!(check_address("address", good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "n1",
            ":7601",
            "n1:",
            "n1:0",
            "n1:+1",
            "n1:65536",
            "0.0.0.0:7601",
            "[::]:7601",
            "2001:db8::1:7601",
            "[n1]:7601",
            "[::1:7601",
            "10.0.0:7601",
            "n 1:7601",
            "-n1:7601",
            "https://n1:7601",
        ] {
            let error = check_address("address", bad).unwrap_err();
            assert_eq!(error.field.as_deref(), Some("address"), "{bad}");
        }
    }
}
