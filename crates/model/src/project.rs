//! Projects: the scope of names and, later, of rights and quotas.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::meta::{Kind, Scope};

/// The project that exists from the start.
pub const DEFAULT: &str = "default";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Project;

impl Kind for Project {
    const KIND: &'static str = "project";
    const PLURAL: &'static str = "projects";
    const SCOPE: Scope = Scope::Cluster;
    type Spec = ProjectSpec;
    type Status = ProjectStatus;
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectSpec {
    #[serde(default)]
    pub description: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectStatus {}
