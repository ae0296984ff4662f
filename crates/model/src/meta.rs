//! What every object has: identity, revision, generation, labels.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::name::Name;
use crate::units::Time;

/// Where a kind's objects live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Cluster,
    Project,
}

/// What an object of a kind may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// One DNS label.
    Label,
    /// `OWNER.LABEL`: unique under the object it belongs to (a snapshot of a VM).
    Owned,
    /// Chosen by the server: the object's uid.
    Uid,
}

/// A resource. One declaration feeds store keys, REST paths, GraphQL fields and CLI nouns.
pub trait Kind: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// Singular, lower case: the store's key prefix and the CLI's noun (`vm`).
    const KIND: &'static str;
    /// The path segment of the API (`vms`).
    const PLURAL: &'static str;
    const SCOPE: Scope;
    const NAMES: NameRule = NameRule::Label;
    /// Wanted; written by users, or by a controller in their place.
    type Spec: Serialize + DeserializeOwned + Clone + Debug + PartialEq + Send + Sync + ToSchema;
    /// What is: a JSON object with one key per section, each section with exactly one writer.
    type Status: Serialize
        + DeserializeOwned
        + Clone
        + Debug
        + PartialEq
        + Default
        + Send
        + Sync
        + ToSchema;

    /// Fills the derived fields of a status (`state`, `reason`), which are never stored.
    fn summarize(_meta: &Meta, _spec: &Self::Spec, _status: &mut Self::Status) {}
}

/// An object as the API shows it: the spec's record and the status sections, assembled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Object<K: Kind> {
    pub meta: Meta,
    pub spec: K::Spec,
    #[serde(default)]
    pub status: K::Status,
}

impl<K: Kind> Object<K> {
    pub fn reference(&self) -> ObjectRef {
        ObjectRef {
            kind: K::KIND.to_owned(),
            project: self.meta.project.clone(),
            name: self.meta.name.clone(),
            uid: self.meta.uid,
        }
    }

    pub fn name(&self) -> &str {
        &self.meta.name
    }
}

/// Identity and history of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Meta {
    /// Unique in its scope; never changes.
    pub name: String,
    /// The project's name; absent for kinds of the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    /// UUIDv7. Files, processes and sockets on hosts are named by it.
    pub uid: Uuid,
    /// Who created it.
    #[serde(default)]
    pub owner: String,
    /// The store's revision of the spec's last write: the `ETag`. Not stored in the record itself.
    #[serde(default)]
    pub revision: u64,
    /// Counts changes of the spec.
    pub generation: u64,
    pub created: Time,
    /// Set once deletion was asked for; the object vanishes when its owners have cleaned up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleting: Option<Time>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Points at one object, also after its name has been given to another (by `uid`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObjectRef {
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    pub name: String,
    pub uid: Uuid,
}

const LABELS_MAX: usize = 64;

/// Checks label keys and values: up to 63 of `A-Za-z0-9-_.`; a key may have a `prefix/`.
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<()> {
    if labels.len() > LABELS_MAX {
        return Err(Error::invalid("meta.labels", format!("more than {LABELS_MAX} labels")));
    }
    let plain = |text: &str| {
        text.len() <= 63 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    for (key, value) in labels {
        let (prefix, rest) = key.split_once('/').unwrap_or(("", key));
        if rest.is_empty() || !plain(rest) || !plain(prefix) || !plain(value) {
            let shown: String = key.chars().filter(|c| !c.is_control()).take(64).collect();
            return Err(Error::invalid(format!("meta.labels.{shown}"), "not a label")
                .hint("keys and values are up to 63 letters, digits, '-', '_' and '.'"));
        }
    }
    Ok(())
}

/// Checks a name against the kind's rule.
pub fn check_name<K: Kind>(name: &str) -> Result<()> {
    match K::NAMES {
        NameRule::Label => Name::new(name).map(drop),
        NameRule::Owned => {
            let (owner, label) = name.split_once('.').unwrap_or((name, ""));
            Name::new(owner).and(Name::new(label)).map(drop)
        }
        NameRule::Uid => Uuid::parse_str(name)
            .map(drop)
            .map_err(|_| Error::invalid("meta.name", format!("\"{name}\" is not a uid"))),
    }
}
