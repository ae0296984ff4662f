//! What can be done with objects, the same for every kind: one implementation, generic over
//! `control`'s [`Resource`], that REST and GraphQL share through the object-safe [`Operations`].

pub mod body;
pub mod commit;
pub mod idempotency;
pub mod list;
pub mod mask;
pub mod patch;
pub(crate) mod typed;

use async_trait::async_trait;
use novacron_control::DeleteOptions;
use novacron_model::request::DeletePreview;
use novacron_model::{Error, Meta, Project};
use novacron_store::{Record, Revision, Snapshot, object};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::auth::Caller;
use crate::problem::{Answer, Refusal};
use crate::state::Api;

pub use typed::{Typed, live};

/// An object as it goes out: secrets masked, derived fields and live progress filled in.
#[derive(Debug, Clone)]
pub struct Shown {
    pub meta: Meta,
    /// The object, written out once for all who send it on.
    pub json: Box<RawValue>,
}

impl Shown {
    pub fn value(&self) -> Answer<Value> {
        let value = serde_json::from_str(self.json.get());
        value.map_err(|error| Error::internal(error.to_string()).into())
    }
}

/// Writes out what an answer holds.
pub fn to_json<T: Serialize>(value: &T) -> Answer<Box<RawValue>> {
    to_raw_value(value).map_err(|error| Error::internal(error.to_string()).into())
}

/// What a creation or a change answers with.
#[derive(Debug, Clone)]
pub struct Written {
    pub shown: Shown,
    /// The task that makes it real, where there is one.
    pub task: Option<Uuid>,
}

/// What a deletion answers with.
#[derive(Debug, Clone)]
pub enum Deleted {
    Gone,
    /// It takes time; the task follows it.
    Task(Uuid),
}

/// An object that a request names.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// For kinds that live in one.
    pub project: Option<&'a str>,
    pub name: &'a str,
}

/// What `If-Match` asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum IfMatch {
    #[default]
    Any,
    /// The spec's last write must be one of these.
    Revision(Vec<Revision>),
}

#[async_trait]
pub trait Operations: Send + Sync {
    /// The keys of the kind's objects start with this.
    fn prefix(&self, project: Option<Uuid>) -> String;

    /// Refuses names that no object of the kind can have.
    fn check_name(&self, name: &str) -> Answer<()>;

    /// An object from the records of its family.
    fn show(&self, api: &Api, at: &Snapshot, records: &[&Record]) -> Answer<Option<Shown>>;

    async fn create(
        &self,
        api: &Api,
        caller: &Caller,
        project: Option<&str>,
        body: Value,
        idempotency: Option<idempotency::Claim>,
    ) -> Answer<Written>;

    async fn patch(
        &self,
        api: &Api,
        caller: &Caller,
        target: Target<'_>,
        patch: &Value,
        if_match: &IfMatch,
    ) -> Answer<Written>;

    async fn delete(
        &self,
        api: &Api,
        caller: &Caller,
        target: Target<'_>,
        options: DeleteOptions,
        if_match: &IfMatch,
    ) -> Answer<Deleted>;

    fn preview_delete(&self, api: &Api, target: Target<'_>) -> Answer<DeletePreview>;
}

/// The uid of a project by its name.
pub fn project_uid(at: &Snapshot, name: &str) -> Answer<Uuid> {
    novacron_model::Name::new(name).map_err(|error| Refusal::malformed(error.at("project")))?;
    Ok(object::expect::<Project>(at, None, name)?.meta.uid)
}

/// The scope part of a target's key.
pub fn scope_uid(at: &Snapshot, project: Option<&str>) -> Answer<Option<Uuid>> {
    project.map(|name| project_uid(at, name)).transpose()
}

/// Reads one object.
pub fn get(api: &Api, at: &Snapshot, row: &crate::table::Row, target: Target<'_>) -> Answer<Shown> {
    row.ops.check_name(target.name)?;
    let scope = scope_uid(at, target.project)?;
    let family = format!("{}{}", row.ops.prefix(scope), target.name);
    let shown = row.ops.show(api, at, &at.family(&family))?;
    shown.ok_or_else(|| Error::not_found(row.kind, target.name).into())
}
