//! What every resource's admission shares.

use novacron_model::request::{DeletePreview, Draft};
use novacron_model::{Kind, Object, Project, Result, Secret, Time};
use novacron_store::{Snapshot, Txn};
use uuid::Uuid;

/// A request on its way into the store.
pub struct Request<'a> {
    pub at: &'a Snapshot,
    pub now: Time,
    /// Who asks, as shown in `meta.owner` and events.
    pub actor: &'a str,
    /// A fresh UUIDv7 with every call.
    pub fresh_uid: &'a mut (dyn FnMut() -> Uuid + Send),
    /// Seals a plain secret under the cluster's data key.
    pub seal: &'a (dyn Fn(&Secret) -> Result<Secret> + Sync),
    /// The project that the request names; absent for kinds of the whole cluster.
    pub project: Option<&'a Object<Project>>,
}

/// What admission decided.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// To be committed as it is; when a precondition fails, admit again on a fresh snapshot.
    pub txn: Txn,
    /// Name (uid) of the task that was created, where the request takes time.
    pub task: Option<Uuid>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// End a running VM with it.
    pub force: bool,
}

/// Admission of one kind. Each function checks its input first and reads nothing but the snapshot.
pub trait Resource: Kind {
    fn create(request: &mut Request<'_>, draft: Draft<Self>) -> Result<Admitted>;

    /// `new` has the same name and uid; only labels, annotations and spec may differ.
    fn update(request: &mut Request<'_>, old: &Object<Self>, new: Object<Self>)
    -> Result<Admitted>;

    fn delete(
        request: &mut Request<'_>,
        old: &Object<Self>,
        options: DeleteOptions,
    ) -> Result<Admitted>;

    /// What [`Resource::delete`] would take along, and what of the object's parts it would leave.
    fn preview_delete(_at: &Snapshot, _object: &Object<Self>) -> DeletePreview {
        DeletePreview::default()
    }
}
