//! Volumes: disks that live apart from the VM that uses them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::catalogue::ImageName;
use crate::error::Error;
use crate::meta::{Kind, Meta, Scope};
use crate::name::Name;
use crate::units::{Bytes, Time};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume;

impl Kind for Volume {
    const KIND: &'static str = "volume";
    const PLURAL: &'static str = "volumes";
    const SCOPE: Scope = Scope::Project;
    type Spec = VolumeSpec;
    type Status = VolumeStatus;

    fn summarize(meta: &Meta, spec: &VolumeSpec, status: &mut VolumeStatus) {
        (status.state, status.reason) = match &status.data {
            _ if meta.deleting.is_some() => (VolumeState::Deleting, None),
            None => (VolumeState::Creating, None),
            Some(VolumeData { error: Some(error), .. }) => {
                (VolumeState::Failed, Some(error.message.clone()))
            }
            Some(data) if data.is_short_of(spec.size) => {
                let error = data.grow_error.as_ref();
                (VolumeState::Growing, error.map(|error| error.message.clone()))
            }
            Some(data) => {
                let error = data.limit_error.as_ref();
                (VolumeState::Ready, error.map(|error| error.message.clone()))
            }
        };
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VolumeSpec {
    /// Size that the guest sees; absent on creation from an image means the image's own size, and
    /// is zero until that is known.
    #[serde(default)]
    pub size: Bytes,
    #[serde(default = "default_pool")]
    pub pool: Name,
    #[serde(default)]
    pub format: DiskFormat,
    /// Image whose content it starts with. A qcow2 volume is an overlay over the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageName>,
    /// Which disk of the image, where that is of a whole VM; the first unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_disk: Option<Name>,
    /// Volume whose content it starts with, as a copy that is independent once it is ready. Pool and
    /// format are the source's, as is the size unless a larger one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<VolumeSource>,
    /// What a guest may ask of it; absent: as much as the host gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<IoLimits>,
}

/// At most this much in a second, reading and writing together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IoLimits {
    /// Operations per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 10, maximum = 1_000_000)]
    pub iops: Option<u32>,
    /// Bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<Bytes>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VolumeSource {
    pub volume: Name,
    /// A snapshot of the VM that has the volume, without the VM's name. Absent: the present content,
    /// which no guest may be changing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Name>,
}

pub(crate) fn default_pool() -> Name {
    match Name::new(crate::pool::DEFAULT) {
        Ok(name) => name,
        Err(_) => unreachable!("a constant that is a label"),
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiskFormat {
    #[default]
    Qcow2,
    Raw,
}

impl DiskFormat {
    /// As `qemu-img -f` and QEMU's block layer write it; also the file's extension.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VolumeStatus {
    /// Derived from the rest.
    #[serde(default)]
    pub state: VolumeState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Writer: the agent of `data.node`.
    #[serde(default)]
    pub data: Option<VolumeData>,
    /// Writer: admission of the VM that uses it; the VM's planner removes one that is leaving. At
    /// most one VM has it.
    #[serde(default)]
    pub attachment: Option<Attachment>,
    /// What it is being copied from; that must stay as it is meanwhile. Writer: admission, once; the
    /// volume controller takes it away when the copy is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copying: Option<Copying>,
    /// Which node holds it. Writer: the volume controller, once.
    #[serde(default)]
    pub location: Option<Location>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VolumeState {
    #[default]
    Creating,
    Ready,
    /// Ready, and not yet as large as its spec says; the reason says what keeps it.
    Growing,
    Failed,
    Deleting,
}

/// The file behind a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VolumeData {
    pub ready: Option<Time>,
    /// Bytes that it takes in the pool.
    #[serde(default)]
    pub used: Bytes,
    /// Size that the guest sees now; absent in what versions wrote that could not grow volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Bytes>,
    /// Why it did not grow when that was last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grow_error: Option<Error>,
    /// Why a running guest does not keep to the limits of the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_error: Option<Error>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// The generation that `error` or `ready` speaks of.
    #[serde(default)]
    pub observed_generation: u64,
}

impl VolumeData {
    /// Whether the disk is known to be smaller than `size`.
    pub fn is_short_of(&self, size: Bytes) -> bool {
        self.grow_error.is_some() || self.size.is_some_and(|now| now < size)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attachment {
    pub vm: Name,
    pub vm_uid: Uuid,
    /// The VM gives it up; it is free once the running guest has let go of it, or has ended.
    #[serde(default)]
    pub leaving: bool,
}

/// The originals of a copy in the making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Copying {
    pub volume_uid: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_uid: Option<Uuid>,
}

/// The node that holds a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Location {
    pub node: Name,
}
