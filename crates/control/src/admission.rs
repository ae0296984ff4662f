//! What every resource's admission shares.

use novacron_model::meta::{check_labels, check_name};
use novacron_model::request::{DeletePreview, Draft, DraftMeta};
use novacron_model::{
    Code, Error, Kind, Level, Meta, Name, Object, ObjectRef, Project, Result, Secret, Time, key,
};
use novacron_store::{CommitError, Key, Precondition, Snapshot, Txn, object};
use serde_json::Value;
use uuid::Uuid;

use crate::index::{self, Row, row};
use crate::journal::{self, Note, called};
use crate::published::Published;

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
    /// What it knows of the catalogue of images.
    pub published: Published,
}

/// What admission decided.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// To be committed as it is; when a precondition fails, admit again on a fresh snapshot.
    /// Empty when nothing is left to do.
    pub txn: Txn,
    /// Name (uid) of the task that was created, where the request takes time.
    pub task: Option<Uuid>,
}

impl Admitted {
    pub(crate) fn done(txn: Txn) -> Self {
        Self { txn, task: None }
    }

    pub(crate) fn task(txn: Txn, task: Uuid) -> Self {
        Self { txn, task: Some(task) }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// End a running VM with it.
    pub force: bool,
    /// Delete what is protected, too.
    pub unprotect: bool,
}

/// Admission of one kind. Each function checks its input first and reads nothing but the snapshot.
pub trait Resource: Kind {
    /// Fills what a draft leaves out and takes from other objects. Only as JSON it still tells what
    /// was left out from what happens to be the default.
    fn fill_draft(_request: &Request<'_>, _draft: &mut Value) -> Result<()> {
        Ok(())
    }

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

    /// Fills what is not stored with the object but derived from the rest of the store.
    fn complete(_at: &Snapshot, _object: &mut Object<Self>) {}
}

/// The project that a request works in.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub uid: Uuid,
    pub name: Name,
}

impl Home {
    /// Of an object that lives in a project.
    pub fn of<K: Kind>(at: &Snapshot, object: &Object<K>) -> Result<Self> {
        let missing = || Error::internal(format!("{} has no project", called(&object.reference())));
        let name = object.meta.project.clone().ok_or_else(missing)?;
        let project = object::expect::<Project>(at, None, name.as_str())?;
        Ok(Self { uid: project.meta.uid, name })
    }
}

impl Request<'_> {
    /// The project of the request.
    pub(crate) fn home(&self) -> Result<Home> {
        let project = self.project.ok_or_else(|| Error::internal("a request without project"))?;
        Ok(Home { uid: project.meta.uid, name: Name::new(project.name())? })
    }

    /// The uid under which objects of a kind are keyed: the project's, or none.
    fn scope<K: Kind>(&self) -> Option<Uuid> {
        match K::SCOPE {
            novacron_model::Scope::Project => self.project.map(|project| project.meta.uid),
            novacron_model::Scope::Cluster => None,
        }
    }

    /// Checks a draft's name, labels and annotations, and gives the object its identity. The
    /// project, if any, must not change until the transaction is applied.
    pub(crate) fn new_meta<K: Kind>(&mut self, txn: &mut Txn, draft: DraftMeta) -> Result<Meta> {
        check_name::<K>(&draft.name)?;
        let project = match K::SCOPE {
            novacron_model::Scope::Project => Some(self.home()?.name),
            novacron_model::Scope::Cluster => None,
        };
        let family = key::object::<K>(self.scope::<K>(), &draft.name);
        if self.at.get(&family).is_some() {
            let kind = key::display_kind(K::KIND);
            return Err(Error::conflict(format!("{kind} \"{}\" exists already", draft.name))
                .at("meta.name"));
        }
        // What was written after an object of this name had gone is not the new one's.
        txn.deletes.extend(self.at.family(&family).into_iter().map(|left| left.key.clone()));
        if let (Some(_), Some(owner)) = (&project, self.project) {
            unchanged(txn, None, owner);
        }
        let meta = Meta {
            name: draft.name,
            project,
            uid: (self.fresh_uid)(),
            owner: self.actor.to_owned(),
            revision: 0,
            generation: 1,
            created: self.now,
            deleting: None,
            labels: draft.labels,
            annotations: draft.annotations,
        };
        check_notes(&meta)?;
        Ok(meta)
    }

    pub(crate) fn note(
        &self,
        txn: &mut Txn,
        kind: &str,
        about: &ObjectRef,
        text: String,
    ) -> Result<()> {
        let object = Some(about.clone());
        let level = Level::Info;
        journal::note(txn, self.now, Note { actor: self.actor, level, kind, object, text })
    }

    /// Creates an object that nothing has to be done for: record and event.
    pub(crate) fn put_new<K: Kind>(
        &self,
        txn: &mut Txn,
        object: &Object<K>,
        rows: Vec<Row>,
    ) -> Result<()> {
        let mut index = object::label_rows(&object.meta);
        index.extend(rows);
        object::create(txn, self.scope::<K>(), object, index)?;
        let about = object.reference();
        self.note(
            txn,
            &format!("{}.created", K::KIND),
            &about,
            format!("{} was created", called(&about)),
        )
    }

    /// Writes changed labels, annotations and spec, with an event if anything differs. Rows other
    /// than the labels' are kept unless `rows` replaces them.
    pub(crate) fn put_changed<K: Kind>(
        &self,
        txn: &mut Txn,
        old: &Object<K>,
        new: &Object<K>,
        rows: Option<Vec<Row>>,
    ) -> Result<()> {
        check_identity(old, new)?;
        check_notes(&new.meta)?;
        if old.meta == new.meta && old.spec == new.spec {
            return Ok(());
        }
        rewrite(txn, self.at, self.scope::<K>(), old, new, rows)?;
        let about = old.reference();
        self.note(
            txn,
            &format!("{}.updated", K::KIND),
            &about,
            format!("{} was changed", called(&about)),
        )
    }

    /// Removes an object that nobody has to clean up for.
    pub(crate) fn remove<K: Kind>(&self, txn: &mut Txn, old: &Object<K>) -> Result<()> {
        txn.frees = true;
        object::remove(txn, self.at, self.scope::<K>(), old);
        let about = old.reference();
        self.note(
            txn,
            &format!("{}.deleted", K::KIND),
            &about,
            format!("{} was deleted", called(&about)),
        )
    }
}

/// Writes an object's spec record; index rows that are not labels stay unless given.
pub(crate) fn rewrite<K: Kind>(
    txn: &mut Txn,
    at: &Snapshot,
    scope: Option<Uuid>,
    old: &Object<K>,
    new: &Object<K>,
    rows: Option<Vec<Row>>,
) -> Result<()> {
    let mut index = object::label_rows(&new.meta);
    let label = key::label_index("");
    let kept = || {
        let record = at.get(&key::object::<K>(scope, old.name()));
        let rows = record.map(|record| record.index.to_vec()).unwrap_or_default();
        rows.into_iter().filter(|(name, _)| !name.starts_with(&label)).collect()
    };
    index.extend(rows.unwrap_or_else(kept));
    object::update(txn, at, scope, old, new, index)
}

/// The transaction holds only if the object's spec record stays as it was read.
pub(crate) fn unchanged<K: Kind>(txn: &mut Txn, scope: Option<Uuid>, object: &Object<K>) {
    let key = Key::from(key::object::<K>(scope, object.name()));
    let precondition = Precondition::At(key, object.meta.revision);
    if !txn.preconditions.contains(&precondition) {
        txn.preconditions.push(precondition);
    }
}

/// The transaction holds only if a record stays as the snapshot has it, also if that is absent.
pub(crate) fn unchanged_record(txn: &mut Txn, at: &Snapshot, key: &str) {
    txn.preconditions.push(match at.get(key) {
        Some(record) => Precondition::At(record.key.clone(), record.revision),
        None => Precondition::Absent(Key::new(key)),
    });
}

/// The rows of an object that keeps its project from being deleted.
pub(crate) fn kept_by_project(home: &Home) -> Row {
    row(index::PROJECT, &home.uid)
}

/// An object that is going takes no changes.
pub(crate) fn check_alive<K: Kind>(object: &Object<K>) -> Result<()> {
    if object.meta.deleting.is_some() {
        return Err(Error::conflict(format!("{} is being deleted", called(&object.reference()))));
    }
    Ok(())
}

fn check_identity<K: Kind>(old: &Object<K>, new: &Object<K>) -> Result<()> {
    let (was, is) = (&old.meta, &new.meta);
    let fields = [
        ("meta.name", was.name == is.name),
        ("meta.project", was.project == is.project),
        ("meta.uid", was.uid == is.uid),
        ("meta.owner", was.owner == is.owner),
        ("meta.created", was.created == is.created),
        ("meta.deleting", was.deleting == is.deleting),
        ("meta.generation", was.generation == is.generation),
    ];
    match fields.iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(fixed(field)),
        None => Ok(()),
    }
}

/// The error for a change of a field that never changes.
pub(crate) fn fixed(field: &str) -> Error {
    Error::invalid(field, format!("{field} cannot be changed"))
}

const ANNOTATIONS_BYTES_MAX: usize = 64 << 10;

pub(crate) fn check_notes(meta: &Meta) -> Result<()> {
    check_labels(&meta.labels)?;
    let bytes: usize = meta.annotations.iter().map(|(key, text)| key.len() + text.len()).sum();
    if bytes > ANNOTATIONS_BYTES_MAX {
        return Err(Error::invalid(
            "meta.annotations",
            format!("annotations have {bytes} bytes; {ANNOTATIONS_BYTES_MAX} are the limit"),
        ));
    }
    Ok(())
}

/// `VM "a", volume "b" and 3 more`: for refusals that name who is in the way.
pub(crate) fn named(families: &[Key]) -> String {
    const SHOWN: usize = 5;
    let name = |family: &Key| {
        let mut parts = family.as_str().splitn(3, '/');
        let kind = key::display_kind(parts.next().unwrap_or_default());
        format!("{kind} \"{}\"", parts.nth(1).unwrap_or_default())
    };
    let list: Vec<_> = families.iter().take(SHOWN).map(name).collect();
    match families.len().saturating_sub(SHOWN) {
        0 => list.join(", "),
        more => format!("{} and {more} more", list.join(", ")),
    }
}

/// What a client is told when a commit was refused for good. A failed precondition is not: admit
/// again on a fresh snapshot.
pub fn refusal(error: &CommitError) -> Error {
    match error {
        CommitError::Precondition { .. } => {
            Error::new(Code::PreconditionFailed, "the world changed while the request was decided")
                .hint("try again")
        }
        CommitError::Limit { name, .. } => crate::capacity::exhausted(name),
        CommitError::StorageFull => {
            Error::new(Code::StorageFull, "the disk of the store is full; only deletions are taken")
                .hint("free space on the disk of the data directory")
        }
        CommitError::TooLarge { bytes, max } => Error::new(
            Code::TooLarge,
            format!("the request makes a record of {bytes} bytes; {max} are the limit"),
        ),
        CommitError::NoLeader => Error::unavailable(
            "no node leads the cluster, so nothing can be changed; nothing was done",
        )
        .hint("a majority of the voters must run and reach each other: `novacron cluster status`"),
        CommitError::Unknown(why) => Error::unavailable(format!(
            "it is not known whether the request was carried out: {why}"
        ))
        .hint("look, then try again"),
    }
}
