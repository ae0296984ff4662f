//! What goes over the API beside objects: bodies of verbs, pages, one-time answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::meta::{Kind, Meta, ObjectRef};
use crate::name::Name;
use crate::token::TokenSpec;
use crate::units::{Bytes, Seconds, Time};
use crate::vm::{DiskBus, Protocol, Run};

/// What a client sends to create an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Draft<K: Kind> {
    pub meta: DraftMeta,
    pub spec: K::Spec,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DraftMeta {
    pub name: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Body of `stop` and `restart` of a VM, and of `stop-guests` of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StopRequest {
    /// How long the guest may take; 60 s unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Seconds>,
    /// Cut the power when the time is up.
    #[serde(default)]
    pub force: bool,
}

/// Body of `attach`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttachRequest {
    pub volume: Name,
    /// Name of the disk in the VM; the volume's name unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Name>,
    /// The preset's own unless said. SATA takes no disk while its guest runs: that waits for the next
    /// start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<DiskBus>,
}

/// Body of `detach`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DetachRequest {
    pub volume: Name,
}

/// Body of `restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RestoreRequest {
    /// The snapshot's name without the VM's.
    pub snapshot: Name,
    /// Stop a VM that runs, and let it run again afterwards; otherwise such a VM is refused.
    #[serde(default)]
    pub stop: bool,
}

/// Body of `clone`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CloneRequest {
    /// Of the new VM.
    pub name: Name,
    /// The snapshot to clone, without the VM's name. Absent: the disks as they are; of a VM that is not
    /// stopped, a snapshot is taken for it that goes afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Name>,
    /// What the new VM is to do: `stopped` unless said.
    #[serde(default)]
    pub run: Run,
}

/// What a deletion takes along and what it leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletePreview {
    pub goes: Vec<ObjectRef>,
    pub stays: Vec<ObjectRef>,
}

/// Body of `exec`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExecRequest {
    /// Program and arguments; no shell.
    #[schema(min_items = 1, max_items = 1024)]
    pub argv: Vec<String>,
    /// `NAME=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Base64; what the program reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// 60 s unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Seconds>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExecResult {
    /// 128 + signal when it was killed.
    pub exit_code: i32,
    /// Base64.
    pub stdout: String,
    /// Base64.
    pub stderr: String,
    /// The guest agent kept only part of the output.
    #[serde(default)]
    pub truncated: bool,
}

/// Whether a path of a file in a guest is absolute: `/etc/hosts`, and with a drive's letter
/// `C:\Windows\hosts` or `C:/Windows/hosts`. Which of them a guest knows it says itself.
pub fn is_guest_path(path: &str) -> bool {
    match path.as_bytes() {
        [b'/', ..] => true,
        [drive, b':', b'\\' | b'/', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    }
}

/// Body of `tickets`: opens a stream from where no header can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TicketRequest {
    pub stream: GuestStream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuestStream {
    Serial,
    Screen,
}

/// Good for one use within 30 seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    pub ticket: String,
    /// Path and query of the WebSocket.
    pub url: String,
    pub expires: Time,
}

/// Which log of a VM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    #[default]
    Serial,
    Qemu,
    /// What the node's agent has done and met with the VM since it was started.
    Agent,
}

/// Body of `POST /v1/session`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignIn {
    /// The one-time code of a sign-in link.
    pub code: String,
}

/// A link for a browser; the code stands in its fragment, which browsers do not send.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInLink {
    pub url: String,
    pub expires: Time,
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// `root`, `uid 1000`, `token ci`, `browser`.
    pub user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
}

/// A new token with its secret, which is shown this once.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    pub meta: Meta,
    pub spec: TokenSpec,
    pub secret: String,
}

/// `GET /v1/system`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct System {
    pub version: String,
    /// The node that answers.
    pub node: String,
    /// Hosts and guests are simulated.
    pub simulated: bool,
    pub revision: u64,
    pub time: Time,
    /// Free space on the disk of the store.
    pub store_free: Bytes,
    /// Only deletes are taken.
    pub store_full: bool,
}

/// A port forward in the form that people type: `[ADDR:]HOST:GUEST[/udp]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortText(pub crate::vm::PortForward);

impl std::str::FromStr for PortText {
    type Err = crate::Error;

    fn from_str(text: &str) -> crate::Result<Self> {
        let bad = || {
            crate::Error::new(crate::Code::Invalid, format!("\"{text}\" is not a port forward"))
                .hint("write [ADDRESS:]HOST_PORT:GUEST_PORT[/udp], such as 8080:80")
        };
        let (ports, protocol) = match text.rsplit_once('/') {
            None => (text, Protocol::Tcp),
            Some((ports, "tcp")) => (ports, Protocol::Tcp),
            Some((ports, "udp")) => (ports, Protocol::Udp),
            Some(_) => return Err(bad()),
        };
        let (rest, guest) = ports.rsplit_once(':').ok_or_else(bad)?;
        let (address, host) = rest.rsplit_once(':').unwrap_or(("127.0.0.1", rest));
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(bad);
        Ok(Self(crate::vm::PortForward {
            address: address.parse().map_err(|_| bad())?,
            host: port(host)?,
            guest: port(guest)?,
            protocol,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_path_is_absolute() {
        for good in ["/", "/etc/hosts", r"C:\x", "c:/x", r"z:\"] {
            assert!(is_guest_path(good), "{good}");
        }
        for bad in ["", "etc", "C:", "C:x", r"\x", r"1:\x", r"CC:\x"] {
            assert!(!is_guest_path(bad), "{bad}");
        }
    }

    #[test]
    fn port_forwards_read_as_people_write_them() {
        let read = |text: &str| text.parse::<PortText>().map(|port| port.0);
        let plain = read("8080:80").unwrap();
        assert_eq!((plain.host, plain.guest, plain.protocol), (8080, 80, Protocol::Tcp));
        assert!(plain.address.is_loopback());
        assert_eq!(read("0.0.0.0:53:53/udp").unwrap().protocol, Protocol::Udp);
        assert_eq!(read("[::1]:8080:80").unwrap().address.to_string(), "::1");
        for bad in ["", "80", "a:b", "0:80", "80:0", "70000:80", "8080:80/sctp", "x:8080:80"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
