//! From a request to a committed transaction: admit on a snapshot, commit, and when the world has
//! moved meanwhile, admit again on a fresh one.

use novacron_control::{Admitted, Request, admission};
use novacron_model::{Object, Project, Secret};
use novacron_store::{CommitError, Txn, object};
use uuid::Uuid;

use crate::auth::Caller;
use crate::edge;
use crate::problem::Answer;
use crate::state::Api;

/// How often a request is admitted anew before it gives up.
const ATTEMPTS: usize = 16;

/// Commits what `admit` decides. Its second value comes back with the task's name.
pub async fn admitted<T: Send>(
    api: &Api,
    caller: &Caller,
    project: Option<&str>,
    mut admit: impl FnMut(&mut Request<'_>) -> Answer<(Admitted, T)> + Send,
) -> Answer<(T, Option<Uuid>)> {
    let mut attempt = 1;
    loop {
        let (Admitted { txn, task }, value) = decide(api, caller, project, &mut admit)?;
        if txn.is_empty() {
            return Ok((value, task));
        }
        match api.store.commit(txn).await {
            Ok(_) => return Ok((value, task)),
            Err(CommitError::Precondition { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(admission::refusal(&error).into()),
        }
    }
}

/// Decides without committing.
fn decide<T>(
    api: &Api,
    caller: &Caller,
    project: Option<&str>,
    admit: &mut (impl FnMut(&mut Request<'_>) -> Answer<(Admitted, T)> + Send),
) -> Answer<(Admitted, T)> {
    let at = api.store.snapshot();
    let project: Option<Object<Project>> = match project {
        None => None,
        Some(name) => {
            super::project_uid(&at, name)?;
            Some(object::expect(&at, None, name)?)
        }
    };
    let seal = |secret: &Secret| edge::seal(&api.config.data_key, secret);
    let mut request = Request {
        at: &at,
        now: edge::now(),
        actor: &caller.actor,
        fresh_uid: &mut edge::fresh_uid,
        seal: &seal,
        project: project.as_ref(),
        published: novacron_control::published::Published::default(),
    };
    admit(&mut request)
}

/// An admission that changes nothing.
pub fn nothing() -> Admitted {
    Admitted { txn: Txn::new(), task: None }
}
