//! Disks and NICs of a VM.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::hardware::{DiskBus, NicModel};
use crate::catalogue::ImageName;
use crate::name::Name;
use crate::units::Bytes;

/// A disk of a VM. When `volume` is absent on creation, a volume named `VM-DISK` is made from
/// `size`, `pool` and `image`, and goes when the VM goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Disk {
    /// Unique in the VM; also the disk's serial number in the guest.
    pub name: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Name>,
    /// For a volume that is made with the VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Bytes>,
    /// For a volume that is made with the VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Name>,
    /// For a volume that is made with the VM; the first disk takes the VM's image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageName>,
    /// The volume was made with the VM and goes with it.
    #[serde(default)]
    pub owned: bool,
    /// The preset's own unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<DiskBus>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Nic {
    /// Absent: the default network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Name>,
    /// Only on networks of kind `user`.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub ports: Vec<PortForward>,
    /// The preset's own unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<NicModel>,
}

/// A port of the host that leads into the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortForward {
    #[serde(default = "loopback")]
    #[schema(value_type = String, example = "127.0.0.1")]
    pub address: IpAddr,
    #[schema(minimum = 1, maximum = 65535)]
    pub host: u16,
    #[schema(minimum = 1, maximum = 65535)]
    pub guest: u16,
    #[serde(default)]
    pub protocol: Protocol,
}

fn loopback() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
}
