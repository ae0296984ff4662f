//! How objects are named in the store: `kind/scope/name`, sections behind `#`.
//!
//! `#` sorts below every character of a name, so an object's records stand together in key order:
//! `vm/P/web`, `vm/P/web#orders`, `vm/P/web#runtime`, then `vm/P/web-2`.

use uuid::Uuid;

use crate::meta::{Kind, Scope};

/// The scope part of the key of objects that belong to the whole cluster.
pub const CLUSTER: &str = "-";

/// The index under which an agent finds what lies on its node: (`node`, the node's name), carried
/// by `vm#placement`, `volume#location` and `image#location`.
pub const NODE_INDEX: &str = "node";

/// The index under which a volume or a snapshot finds what is being copied from it: (`copies`, its
/// uid), carried by `volume#copying`.
pub const COPIES_INDEX: &str = "copies";

/// The index under which a family finds what waits for it to change: (`waits-on`, the family's key),
/// carried by `task#open`, `vm#releasing`, `volume#copying` and
/// `snapshot#taken_for`.
pub const WAITS_ON: &str = "waits-on";

/// The section that an agent puts, empty, once nothing of a deleted object is left on its node;
/// whoever sees it may remove the object.
pub const CLEANED: &str = "cleaned";

/// Key of an object's spec record. `project` is the project's uid; it must be given for kinds of
/// [`Scope::Project`] and is ignored for others.
pub fn object<K: Kind>(project: Option<Uuid>, name: &str) -> String {
    format!("{}{name}", prefix::<K>(project))
}

/// Prefix of all objects of a kind in a project.
pub fn prefix<K: Kind>(project: Option<Uuid>) -> String {
    match (K::SCOPE, project) {
        (Scope::Project, Some(uid)) => format!("{}/{uid}/", K::KIND),
        (Scope::Project, None) => format!("{}/", K::KIND),
        (Scope::Cluster, _) => format!("{}/{CLUSTER}/", K::KIND),
    }
}

/// Key of a status section of an object.
pub fn section(object: &str, section: &str) -> String {
    format!("{object}#{section}")
}

/// A kind as written in sentences: `VM`, `volume`, `join token`.
pub fn display_kind(kind: &str) -> &str {
    match kind {
        "vm" => "VM",
        "join-token" => "join token",
        other => other,
    }
}

/// The index under which labels are found: (`label:KEY`, value).
pub fn label_index(key: &str) -> String {
    format!("label:{key}")
}
