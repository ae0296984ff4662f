//! Pools: named directories on nodes; deleted once no volume and no image lies in them.

use novacron_model::request::Draft;
use novacron_model::{Error, Object, Pool, Result, pool};
use novacron_store::{Precondition, Snapshot, Txn, object};

use crate::admission::{Admitted, DeleteOptions, Request, Resource, fixed, named};
use crate::index::{self, row};

const PATH_BYTES_MAX: usize = 1024;

impl Resource for Pool {
    fn create(request: &mut Request<'_>, draft: Draft<Self>) -> Result<Admitted> {
        if let Some(path) = &draft.spec.path {
            check_path(request.at, path)?;
        }
        let mut txn = Txn::new();
        let meta = request.new_meta::<Self>(&mut txn, draft.meta)?;
        let pool = Object::<Self> { meta, spec: draft.spec, status: pool::PoolStatus::default() };
        request.put_new(&mut txn, &pool, Vec::new())?;
        Ok(Admitted::done(txn))
    }

    fn update(
        request: &mut Request<'_>,
        old: &Object<Self>,
        new: Object<Self>,
    ) -> Result<Admitted> {
        if old.spec.kind != new.spec.kind {
            return Err(fixed("spec.kind"));
        }
        if old.spec.path != new.spec.path {
            return Err(fixed("spec.path"));
        }
        let mut txn = Txn::new();
        request.put_changed(&mut txn, old, &new, None)?;
        Ok(Admitted::done(txn))
    }

    fn delete(
        request: &mut Request<'_>,
        old: &Object<Self>,
        _options: DeleteOptions,
    ) -> Result<Admitted> {
        let name = old.name();
        if name == pool::DEFAULT {
            return Err(Error::conflict(format!("pool \"{name}\" is always there")));
        }
        let inside = request.at.indexed(index::POOL, name, "");
        if !inside.is_empty() {
            let list = named(&inside);
            return Err(Error::conflict(format!("pool \"{name}\" holds {list}"))
                .hint("delete what lies in it first"));
        }
        let (key, value) = row(index::POOL, name);
        let mut txn = Txn::new().require(Precondition::NoIndex(key, value));
        request.remove(&mut txn, old)?;
        Ok(Admitted::done(txn))
    }
}

fn check_path(at: &Snapshot, path: &str) -> Result<()> {
    let field = "spec.path";
    let tricky = |part: &str| part == ".." || part == ".";
    let odd = path.chars().any(char::is_control) || path.len() > PATH_BYTES_MAX;
    if odd
        || !path.starts_with('/')
        || path.split('/').any(tricky)
        || path.trim_matches('/').is_empty()
    {
        return Err(Error::invalid(field, "the path of a pool is an absolute directory")
            .hint("write it without \".\" and \"..\", such as /srv/novacron"));
    }
    let same = |pool: &Object<Pool>| {
        let other = pool.spec.path.as_deref();
        other.is_some_and(|other| other.trim_end_matches('/') == path.trim_end_matches('/'))
    };
    if let Some(pool) = object::list::<Pool>(at, None).iter().find(|pool| same(pool)) {
        let message = format!("the directory belongs to pool \"{}\"", pool.name());
        return Err(Error::conflict(message).at(field));
    }
    Ok(())
}
