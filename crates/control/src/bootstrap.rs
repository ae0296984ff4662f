//! What exists from the start: a project, a pool, a network.

use novacron_model::{Kind, Meta, Name, Network, Object, Pool, Project, Result, Time};
use novacron_model::{network, pool, project};
use novacron_store::{Snapshot, Txn, object};
use uuid::Uuid;

/// Creates what is missing of the default project with its default network, and of the default
/// pool. Empty when all are there: to be called on every start.
pub fn bootstrap(at: &Snapshot, now: Time, fresh_uid: &mut dyn FnMut() -> Uuid) -> Result<Txn> {
    let mut txn = Txn::new();
    let home = match object::get::<Project>(at, None, project::DEFAULT)? {
        Some(project) => project.meta.uid,
        None => add::<Project>(&mut txn, now, fresh_uid, project::DEFAULT, None)?,
    };
    if object::get::<Pool>(at, None, pool::DEFAULT)?.is_none() {
        add::<Pool>(&mut txn, now, fresh_uid, pool::DEFAULT, None)?;
    }
    if object::get::<Network>(at, Some(home), network::DEFAULT)?.is_none() {
        let project = Some((home, Name::new(project::DEFAULT)?));
        add::<Network>(&mut txn, now, fresh_uid, network::DEFAULT, project)?;
    }
    Ok(txn)
}

fn add<K: Kind>(
    txn: &mut Txn,
    now: Time,
    fresh_uid: &mut dyn FnMut() -> Uuid,
    name: &str,
    project: Option<(Uuid, Name)>,
) -> Result<Uuid>
where
    K::Spec: Default,
{
    let uid = fresh_uid();
    let (scope, project) = project.unzip();
    let meta = Meta {
        name: name.to_owned(),
        project,
        uid,
        owner: crate::journal::CONTROL.to_owned(),
        revision: 0,
        generation: 1,
        created: now,
        deleting: None,
        labels: std::collections::BTreeMap::new(),
        annotations: std::collections::BTreeMap::new(),
    };
    let object = Object::<K> { meta, spec: K::Spec::default(), status: K::Status::default() };
    object::create(txn, scope, &object, Vec::new())?;
    Ok(uid)
}
