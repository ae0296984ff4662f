//! Nouns: where a kind's objects stand in the API, how they are called and shown.

use novacron_model::key::display_kind;
use novacron_model::{Kind, Scope};

use crate::client::segment;
use crate::table::Column;

/// One per kind, declared in the noun's own file.
pub struct Noun {
    /// `vm`
    pub kind: &'static str,
    plural: &'static str,
    scope: Scope,
    pub columns: &'static [Column],
}

impl Noun {
    pub const fn of<K: Kind>(columns: &'static [Column]) -> Self {
        Self { kind: K::KIND, plural: K::PLURAL, scope: K::SCOPE, columns }
    }

    /// `/v1/projects/default/vms`
    pub fn collection(&self, project: &str) -> String {
        match self.scope {
            Scope::Cluster => format!("/v1/{}", self.plural),
            Scope::Project => format!("/v1/projects/{}/{}", segment(project), self.plural),
        }
    }

    /// `/v1/projects/default/vms/web`
    pub fn path(&self, project: &str, name: &str) -> String {
        format!("{}/{}", self.collection(project), segment(name))
    }

    /// `VM "web"`
    pub fn called(&self, name: &str) -> String {
        format!("{} \"{name}\"", display_kind(self.kind))
    }

    /// `VMs`
    pub fn many(&self) -> String {
        format!("{}s", display_kind(self.kind))
    }
}
