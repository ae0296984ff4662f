//! What an actor sees before it decides: the live process, the snapshots to be worked on.

use novacron_host::{Handle, Phase};
use novacron_model::snapshot::SnapshotState;
use novacron_model::vm::Runtime;
use novacron_model::{Object, Result, Snapshot as VmSnapshot, Vm, key};
use novacron_store::{Key, Snapshot, object};
use uuid::Uuid;

use super::view::{Guest, SnapshotWork};
use crate::node::{Node, project_of};

/// The process of a VM as it is now, or what is known of its end.
pub(super) enum Sight {
    Live(Box<Guest>),
    Gone { last_words: Option<String> },
}

/// Looks for the process under the handle that is known, then under any other: the daemon may have
/// died between starting a guest and storing its handle.
pub(super) async fn guest(node: &Node, uid: Uuid, known: Option<Handle>) -> Result<Sight> {
    let mut last_words = None;
    if let Some(handle) = known.filter(|handle| handle.uid == uid) {
        let observed = node.config.hypervisor.observe(&handle).await?;
        if observed.phase != Phase::Absent {
            return Ok(Sight::Live(Box::new(Guest { handle, observed })));
        }
        last_words = observed.reason;
    }
    if let Some(handle) = node.config.hypervisor.find(uid).await? {
        let observed = node.config.hypervisor.observe(&handle).await?;
        if observed.phase != Phase::Absent {
            return Ok(Sight::Live(Box::new(Guest { handle, observed })));
        }
    }
    Ok(Sight::Gone { last_words })
}

/// The stored handle of a VM's process.
pub(crate) fn handle(runtime: &Runtime) -> Option<Handle> {
    serde_json::from_value(runtime.handle.clone()?).ok()
}

/// Snapshots of a VM that are to be taken or deleted, oldest first.
pub(super) fn snapshots(at: &Snapshot, family: &Key, vm: &Object<Vm>) -> Result<Vec<SnapshotWork>> {
    let project = project_of(family)?;
    let prefix = format!("{}{}.", key::prefix::<VmSnapshot>(Some(project)), vm.name());
    let mut found: Vec<(novacron_model::Time, SnapshotWork)> = Vec::new();
    for record in at.scan(&prefix, &prefix).filter(|record| record.key.section().is_none()) {
        let Ok(Some(snapshot)) = object::by_key::<VmSnapshot>(at, record.key.as_str()) else {
            continue;
        };
        let delete = snapshot.status.state == SnapshotState::Deleting;
        let open = delete || snapshot.status.state == SnapshotState::Creating;
        if open && !crate::report::is_cleaned(at, &record.key) {
            let (name, uid) = (snapshot.meta.name.clone(), snapshot.meta.uid);
            found.push((snapshot.meta.created, SnapshotWork { name, uid, delete }));
        }
    }
    found.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    Ok(found.into_iter().map(|(_, work)| work).collect())
}
