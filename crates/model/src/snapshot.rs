//! Snapshots of a VM's disks. The name is `VM.SNAPSHOT`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::meta::{Kind, Meta, NameRule, ObjectRef, Scope};
use crate::name::Name;
use crate::units::{Bytes, Time};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot;

impl Kind for Snapshot {
    const KIND: &'static str = "snapshot";
    const PLURAL: &'static str = "snapshots";
    const SCOPE: Scope = Scope::Project;
    const NAMES: NameRule = NameRule::Owned;
    type Spec = SnapshotSpec;
    type Status = SnapshotStatus;

    fn summarize(meta: &Meta, _spec: &SnapshotSpec, status: &mut SnapshotStatus) {
        (status.state, status.reason) = match &status.data {
            _ if meta.deleting.is_some() => (SnapshotState::Deleting, None),
            None => (SnapshotState::Creating, None),
            Some(SnapshotData { error: Some(error), .. }) => {
                (SnapshotState::Failed, Some(error.message.clone()))
            }
            Some(_) => (SnapshotState::Ready, None),
        };
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotSpec {
    /// The VM it belongs to; the part of the name before the dot.
    pub vm: Name,
    /// The snapshot (`VM.SNAPSHOT`) from which the disks had gone on when it was asked for; set by
    /// the API. It may be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotStatus {
    /// Derived from the rest.
    #[serde(default)]
    pub state: SnapshotState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Writer: the agent of the VM's node.
    #[serde(default)]
    pub data: Option<SnapshotData>,
    /// The clone that it was taken for, with whose last copy it goes. Writer: admission, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_for: Option<ObjectRef>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotState {
    #[default]
    Creating,
    Ready,
    Failed,
    Deleting,
}

/// In what order a guest finds its disks after a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// All file systems were written out and held still, or the guest had shut itself down.
    Filesystem,
    /// As after a power cut: file systems repair themselves, programs may miss their last writes.
    Crash,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotData {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Time>,
    /// Volumes that it covers.
    #[serde(default)]
    pub volumes: Vec<Name>,
    /// What the disks held of their own, beside their image, when it was taken; absent on one of an
    /// older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Bytes>,
    /// What the disks show; absent while the snapshot is not taken, and on one of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<Consistency>,
    /// Why it is not more than `crash`, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}
