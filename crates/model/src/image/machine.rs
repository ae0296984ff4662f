//! The machine in an image of a whole VM: what a VM made from it takes where its maker says nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::name::Name;
use crate::units::Bytes;
use crate::vm::{Cdrom, CloudInit, DiskBus, Firmware, Nic, Preset, RestartPolicy};

/// A VM as it was when it was exported, without secrets and without the media in its drives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageMachine {
    /// Of the VM that was exported.
    pub name: Name,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    pub cpus: u32,
    pub memory: Bytes,
    #[serde(default)]
    pub preset: Preset,
    #[serde(default)]
    pub firmware: Firmware,
    #[serde(default)]
    pub tpm: bool,
    #[serde(default)]
    pub restart: RestartPolicy,
    /// In boot order; the image holds the content of each.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub disks: Vec<ImageDisk>,
    #[serde(default)]
    #[schema(max_items = 8)]
    pub nics: Vec<Nic>,
    #[serde(default)]
    #[schema(max_items = 4)]
    pub cdroms: Vec<Cdrom>,
    /// As in a VM's spec.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub boot: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_init: Option<CloudInit>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
}

/// A disk of an image that has several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageDisk {
    pub name: Name,
    /// Size that the guest sees.
    #[serde(default)]
    pub size: Bytes,
    /// The preset's own unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<DiskBus>,
}

impl ImageMachine {
    pub fn disk(&self, name: &str) -> Option<&ImageDisk> {
        self.disks.iter().find(|disk| disk.name.as_str() == name)
    }
}
