//! What a guest is told at its first boot (cloud-init, NoCloud).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::secret::Secret;

/// Contents of the `cidata` disk. `user_data` as given wins over the other fields where both
/// speak of the same thing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CloudInit {
    /// Absent: the VM's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Lines of `authorized_keys` for the image's default user.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub ssh_keys: Vec<String>,
    /// Of the image's default user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// `#cloud-config`, a script, or any other form of cloud-init's user data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
    /// Additional lines of `meta-data` (YAML).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<String>,
    /// `network-config` version 1 or 2 (YAML).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_config: Option<String>,
}
