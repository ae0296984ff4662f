//! The operations of one kind.

use std::any::Any;
use std::marker::PhantomData;

use async_trait::async_trait;
use novacron_control::{DeleteOptions, Request, Resource, coming};
use novacron_model::catalogue::{CatalogueEntry, is_entry};
use novacron_model::meta::check_name;
use novacron_model::request::{DeletePreview, Draft};
use novacron_model::task::{Live, TaskSpec, step};
use novacron_model::{Code, Error, Object, Task, key};
use novacron_store::{Record, Snapshot, object};
use serde_json::Value;
use uuid::Uuid;

use super::idempotency::{self, Claim};
use super::{Deleted, IfMatch, Operations, Shown, Target, Written, body, commit, mask, patch};
use crate::auth::Caller;
use crate::problem::{Answer, Refusal};
use crate::state::Api;

/// Stands for a kind.
pub struct Typed<K>(PhantomData<fn() -> K>);

impl<K: Resource> Typed<K> {
    pub const OPERATIONS: &'static dyn Operations = &Self(PhantomData);
}

#[async_trait]
impl<K: Resource> Operations for Typed<K> {
    fn prefix(&self, project: Option<Uuid>) -> String {
        key::prefix::<K>(project)
    }

    fn check_name(&self, name: &str) -> Answer<()> {
        check_name::<K>(name).map_err(|error| Refusal::malformed(error.at("name")))
    }

    fn show(&self, api: &Api, at: &Snapshot, records: &[&Record]) -> Answer<Option<Shown>> {
        object::assemble::<K>(records)?.map(|object| shown(api, at, object)).transpose()
    }

    async fn create(
        &self,
        api: &Api,
        caller: &Caller,
        project: Option<&str>,
        body: Value,
        idempotency: Option<Claim>,
    ) -> Answer<Written> {
        mask::refuse_sealed(&body)?;
        let entries = published(api, &body).await;
        let draft: Draft<K> = body::strict(body.clone())?;
        let name = draft.meta.name;
        create_from::<K>(api, caller, project, idempotency, name, |request| {
            request.published.entries.clone_from(&entries);
            let mut filled = body.clone();
            K::fill_draft(request, &mut filled)?;
            Ok(K::create(request, body::strict(filled)?)?)
        })
        .await
    }

    async fn patch(
        &self,
        api: &Api,
        caller: &Caller,
        target: Target<'_>,
        wanted: &Value,
        if_match: &IfMatch,
    ) -> Answer<Written> {
        self.check_name(target.name)?;
        let ((), task) = commit::admitted(api, caller, target.project, |request| {
            let old = expect::<K>(request, target.name)?;
            if_match.check(&old)?;
            let new = patch::apply(&old, wanted)?;
            Ok((K::update(request, &old, new)?, ()))
        })
        .await?;
        let at = api.store.snapshot();
        let scope = super::scope_uid(&at, target.project)?;
        let shown = shown(api, &at, object::expect::<K>(&at, scope, target.name)?)?;
        Ok(Written { shown, task })
    }

    async fn delete(
        &self,
        api: &Api,
        caller: &Caller,
        target: Target<'_>,
        options: DeleteOptions,
        if_match: &IfMatch,
    ) -> Answer<Deleted> {
        self.check_name(target.name)?;
        let ((), task) = commit::admitted(api, caller, target.project, |request| {
            let old = expect::<K>(request, target.name)?;
            if_match.check(&old)?;
            Ok((K::delete(request, &old, options)?, ()))
        })
        .await?;
        Ok(task.map_or(Deleted::Gone, Deleted::Task))
    }

    fn preview_delete(&self, api: &Api, target: Target<'_>) -> Answer<DeletePreview> {
        self.check_name(target.name)?;
        let at = api.store.snapshot();
        let scope = super::scope_uid(&at, target.project)?;
        let object = object::expect::<K>(&at, scope, target.name)?;
        Ok(K::preview_delete(&at, &object))
    }
}

/// The catalogue, if the body names an entry of it. Where it cannot be read, the node that imports
/// says so.
async fn published(api: &Api, body: &Value) -> Option<Vec<CatalogueEntry>> {
    let spec = &body["spec"];
    let disks = spec["disks"].as_array().into_iter().flatten().map(|disk| &disk["image"]);
    let mut names = disks.chain([&spec["image"]]).filter_map(Value::as_str);
    if !names.any(is_entry) {
        return None;
    }
    api.gateway.catalogue().await.ok().map(|catalogue| catalogue.items)
}

/// Creates an object by an admission, once per idempotency key.
pub async fn create_from<K: Resource>(
    api: &Api,
    caller: &Caller,
    project: Option<&str>,
    idempotency: Option<Claim>,
    name: String,
    mut admit: impl FnMut(&mut Request<'_>) -> Answer<novacron_control::Admitted> + Send,
) -> Answer<Written> {
    let (earlier, task) = commit::admitted(api, caller, project, |request| {
        if let Some(claim) = &idempotency
            && let Some(earlier) = idempotency::earlier(request.at, claim, request.now)?
        {
            return Ok((commit::nothing(), Some(earlier)));
        }
        let mut admitted = admit(request)?;
        if let Some(claim) = &idempotency {
            let scope = request.project.map(|project| project.meta.uid);
            let family = key::object::<K>(scope, &name);
            let record = idempotency::record(claim, &family, &admitted, request.now);
            idempotency::remember(request.at, claim, &record, &mut admitted.txn)?;
        }
        Ok((admitted, None))
    })
    .await?;
    let at = api.store.snapshot();
    let (family, task) = match earlier {
        Some(earlier) => (earlier.family, earlier.task),
        None => (key::object::<K>(super::scope_uid(&at, project)?, &name), task),
    };
    let object = object::by_key::<K>(&at, &family)?
        .ok_or_else(|| Error::conflict("it was created and has been deleted since"))?;
    Ok(Written { shown: shown(api, &at, object)?, task })
}

fn expect<K: Resource>(request: &Request<'_>, name: &str) -> Answer<Object<K>> {
    let scope = request.project.map(|project| project.meta.uid);
    Ok(object::expect::<K>(request.at, scope, name)?)
}

fn shown<K: Resource>(api: &Api, at: &Snapshot, mut object: Object<K>) -> Answer<Shown> {
    K::complete(at, &mut object);
    if let Some(task) = (&mut object as &mut dyn Any).downcast_mut::<Object<Task>>()
        && task.status.outcome.is_none()
    {
        task.status.live = live(api, &task.spec);
    }
    let json = super::to_json(&object)?;
    let mut shown = Shown { meta: object.meta, json };
    if mask::may_hold_sealed(shown.json.get()) {
        let mut value = shown.value()?;
        mask::mask(&mut value["spec"]);
        shown.json = super::to_json(&value)?;
    }
    Ok(shown)
}

/// How far a running task has come.
pub fn live(api: &Api, task: &TaskSpec) -> Option<Live> {
    let own = api.gateway.live(task.target.uid).map(|live| task.place(live));
    // Of an image or a disk that it waits for, the progress is its own.
    let awaited = || api.gateway.live(coming::awaited_by(&api.store.snapshot(), task)?);
    match own {
        Some(own) if own.step == step::WAIT_FOR_DISKS => {
            let shown = awaited().map(|live| Live { log: own.log.clone(), ..task.place(live) });
            shown.or(Some(own))
        }
        own => own.or_else(awaited).or_else(|| {
            let why = coming::why_pending(&api.store.snapshot(), task)?;
            Some(Live::at(&why, 0, 0))
        }),
    }
}

impl IfMatch {
    /// Refuses unless the object's spec was last written at an accepted revision.
    pub fn check<K: Resource>(&self, object: &Object<K>) -> Answer<()> {
        let revision = object.meta.revision;
        match self {
            Self::Any => Ok(()),
            Self::Revision(wanted) if wanted.contains(&revision) => Ok(()),
            Self::Revision(_) => {
                let kind = key::display_kind(K::KIND);
                let text = format!(
                    "{kind} \"{}\" has changed: its ETag is \"{revision}\" now",
                    object.name()
                );
                let error = Error::new(Code::PreconditionFailed, text);
                Err(error.hint("read it again, then repeat the change").into())
            }
        }
    }
}
