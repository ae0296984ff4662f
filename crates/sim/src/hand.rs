//! A user's hand: sends requests through admission into the store, as the API does.

use std::sync::Arc;

use novacron_agent::Clock;
use novacron_control::{Admitted, DeleteOptions, Request, Resource, refusal};
use novacron_model::request::{Draft, DraftMeta};
use novacron_model::{Error, Kind, Object, Project, Result, Scope, Secret, project};
use novacron_store::{CommitError, Store, object};
use uuid::Uuid;

const TRIES: usize = 50;

/// Acts in the default project.
#[derive(Clone)]
pub struct Hand {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
}

impl Hand {
    pub async fn create<K: Resource>(&self, name: &str, spec: K::Spec) -> Result<Option<Uuid>> {
        self.admit(|request| {
            let meta = DraftMeta { name: name.to_owned(), ..DraftMeta::default() };
            K::create(request, Draft { meta, spec: spec.clone() })
        })
        .await
    }

    pub async fn delete<K: Resource>(&self, name: &str, force: bool) -> Result<Option<Uuid>> {
        self.act::<K>(name, |request, object| {
            K::delete(request, object, DeleteOptions { force, ..DeleteOptions::default() })
        })
        .await
    }

    /// A verb on an object, admitted again as long as the world changes underneath.
    pub async fn act<K: Kind>(
        &self,
        name: &str,
        mut verb: impl FnMut(&mut Request<'_>, &Object<K>) -> Result<Admitted>,
    ) -> Result<Option<Uuid>> {
        self.admit(|request| {
            let home = request.project.map(|project| project.meta.uid);
            let object = object::expect::<K>(request.at, home, name)?;
            verb(request, &object)
        })
        .await
    }

    pub fn get<K: Kind>(&self, name: &str) -> Result<Option<Object<K>>> {
        let at = self.store.snapshot();
        let project = match K::SCOPE {
            Scope::Project => {
                Some(object::expect::<Project>(&at, None, project::DEFAULT)?.meta.uid)
            }
            Scope::Cluster => None,
        };
        object::get(&at, project, name)
    }

    async fn admit(
        &self,
        mut decide: impl FnMut(&mut Request<'_>) -> Result<Admitted>,
    ) -> Result<Option<Uuid>> {
        for _ in 0..TRIES {
            let admitted = self.decide(&mut decide)?;
            if admitted.txn.is_empty() {
                return Ok(admitted.task);
            }
            match self.store.commit(admitted.txn).await {
                Ok(_) => return Ok(admitted.task),
                Err(CommitError::Precondition { .. }) => {}
                Err(error) => return Err(refusal(&error)),
            }
        }
        Err(Error::unavailable("the world changes too fast"))
    }

    fn decide(
        &self,
        decide: &mut impl FnMut(&mut Request<'_>) -> Result<Admitted>,
    ) -> Result<Admitted> {
        let at = self.store.snapshot();
        let home = object::expect::<Project>(&at, None, project::DEFAULT)?;
        let mut fresh_uid = Uuid::now_v7;
        let mut request = Request {
            at: &at,
            now: self.clock.now(),
            actor: "sim",
            fresh_uid: &mut fresh_uid,
            seal: &|secret: &Secret| Ok(secret.clone()),
            project: Some(&home),
            published: novacron_control::published::Published::default(),
        };
        decide(&mut request)
    }
}
