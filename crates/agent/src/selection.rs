//! What lies on this node: lists it, watches it, and wakes whoever is concerned.
//!
//! Everything here is a hint. Actors read the world themselves; a hint too many costs one look, and
//! a lost one is made good by listing again from time to time.

use std::sync::Arc;

use novacron_model::image::ImageContent;
use novacron_model::snapshot::SnapshotState;
use novacron_model::vm::VmState;
use novacron_model::{Image, Kind, Object, Result, Snapshot as VmSnapshot, Vm, Volume, key};
use novacron_store::{Change, Key, Record, Selection, Snapshot, Watch, object};
use tokio::time::sleep;

use crate::actors::Seat;
use crate::node::{Node, project_of};
use crate::{image, vm, volume};

pub(crate) async fn run(node: Arc<Node>) {
    loop {
        let at = node.store.snapshot();
        let mut placed = node.store.watch(placed_here(&node), at.revision());
        let mut snapshots = node.store.watch(snapshots(), at.revision());
        list(&node, &at);
        if follow(&node, &mut placed, &mut snapshots).await.is_none() {
            return;
        }
    }
}

fn placed_here(node: &Node) -> Selection {
    let (name, value) = (key::NODE_INDEX.to_owned(), node.name().to_owned());
    Selection::Index { prefix: String::new(), name, value }
}

fn snapshots() -> Selection {
    Selection::Prefix(key::prefix::<VmSnapshot>(None))
}

/// Hands on hints until everything is to be listed again; `None`: the agent or the store ends.
async fn follow(node: &Arc<Node>, placed: &mut Watch, snapshots: &mut Watch) -> Option<()> {
    let relist = sleep(node.config.timing.relist);
    tokio::pin!(relist);
    loop {
        let changes = tokio::select! {
            () = node.ending.cancelled() => return None,
            () = &mut relist => return Some(()),
            changes = placed.next() => changes?,
            changes = snapshots.next() => changes?,
        };
        let Ok(changes) = changes else { return Some(()) };
        for change in changes {
            match change {
                Change::Family { family, records, .. } => {
                    let records: Vec<&Record> = records.iter().collect();
                    hint(node, &family, &records);
                }
                Change::Gone { family, .. } => {
                    node.actors.wake(&family);
                }
                Change::Entry { .. } => {}
            }
        }
    }
}

fn list(node: &Arc<Node>, at: &Snapshot) {
    for family in at.indexed(key::NODE_INDEX, node.name(), "") {
        hint(node, &family, &at.family(family.as_str()));
    }
    for snapshot in object::list::<VmSnapshot>(at, None) {
        if matches!(snapshot.status.state, SnapshotState::Creating | SnapshotState::Deleting)
            && let Some(vm) = at.family(&family_of_snapshot(at, &snapshot)).first()
        {
            wake(node, &Key::new(vm.key.family()));
        }
    }
    // Whoever works on what has left the selection meanwhile.
    for family in node.actors.seated() {
        node.actors.wake(&family);
    }
}

fn hint(node: &Arc<Node>, family: &Key, records: &[&Record]) {
    let kind = family.as_str().split('/').next().unwrap_or_default();
    let hinted = match kind {
        Vm::KIND => object::assemble::<Vm>(records).map(|vm| {
            if vm.is_some_and(|vm| !vm::at_rest(&vm)) {
                wake(node, family);
            } else {
                node.actors.wake(family);
            }
        }),
        Volume::KIND => object::assemble::<Volume>(records).map(|volume| {
            if let Some(volume) = volume {
                hint_volume(node, family, &volume);
            }
        }),
        Image::KIND => object::assemble::<Image>(records).map(|image| {
            if image.is_some_and(|image| !image_at_rest(&image)) {
                wake(node, family);
            }
        }),
        VmSnapshot::KIND => hint_snapshot(node, family),
        _ => Ok(()),
    };
    if let Err(error) = hinted {
        tracing::warn!(%family, %error, "left alone");
    }
}

/// A volume concerns its own actor and the VM that waits for it.
fn hint_volume(node: &Arc<Node>, family: &Key, volume: &Object<Volume>) {
    if !volume::at_rest(volume) {
        wake(node, family);
    }
    let Ok(project) = project_of(family) else { return };
    let at = node.store.snapshot();
    // Also the one that waits until its disk has been copied.
    let source = volume.spec.source.as_ref().and_then(|source| {
        object::get::<Volume>(&at, Some(project), source.volume.as_str()).ok().flatten()
    });
    let attachments = [
        volume.status.attachment.as_ref(),
        source.as_ref().and_then(|source| source.status.attachment.as_ref()),
    ];
    for attachment in attachments.into_iter().flatten() {
        hint_vm(node, &Key::from(key::object::<Vm>(Some(project), attachment.vm.as_str())));
    }
}

fn hint_vm(node: &Arc<Node>, family: &Key) {
    let at = node.store.snapshot();
    let Ok(Some(vm)) = object::by_key::<Vm>(&at, family.as_str()) else { return };
    // One that failed for want of a disk is at rest until the disk is there.
    if vm.status.state == VmState::Failed || !vm::at_rest(&vm) {
        wake(node, family);
    }
}

/// A snapshot is work for its VM's actor.
fn hint_snapshot(node: &Arc<Node>, family: &Key) -> Result<()> {
    let at = node.store.snapshot();
    let Some(snapshot) = object::by_key::<VmSnapshot>(&at, family.as_str())? else {
        return Ok(());
    };
    if snapshot.status.state != SnapshotState::Ready {
        wake(node, &Key::from(family_of_snapshot(&at, &snapshot)));
    }
    Ok(())
}

fn family_of_snapshot(at: &Snapshot, snapshot: &Object<VmSnapshot>) -> String {
    let project = snapshot.meta.project.as_ref();
    let project = project.and_then(|name| {
        object::get::<novacron_model::Project>(at, None, name.as_str()).ok().flatten()
    });
    key::object::<Vm>(project.map(|project| project.meta.uid), snapshot.spec.vm.as_str())
}

fn image_at_rest(image: &Object<Image>) -> bool {
    let settled = |content: &ImageContent| {
        content.error.is_some() || content.ready.is_some() && !content.sha256.is_empty()
    };
    image.meta.deleting.is_none() && image.status.content.as_ref().is_some_and(settled)
}

/// Wakes the family's actor, or gives it one.
pub(crate) fn wake(node: &Arc<Node>, family: &Key) {
    if node.actors.wake(family) || node.ending.is_cancelled() {
        return;
    }
    let Some(seat) = node.actors.sit(family) else {
        node.actors.wake(family);
        return;
    };
    let kind = family.as_str().split('/').next().unwrap_or_default();
    match kind {
        Vm::KIND => act(node, vm::actor::run(node.clone(), seat)),
        Volume::KIND => act(node, volume::run(node.clone(), seat)),
        Image::KIND => act(node, image::run(node.clone(), seat)),
        _ => drop::<Seat>(seat),
    }
}

fn act(node: &Node, actor: impl Future<Output = ()> + Send + 'static) {
    node.spawn(actor);
}

/// Hands the driver's events to the actors of the guests concerned.
pub(crate) async fn forward_guest_events(node: Arc<Node>) {
    use futures::StreamExt;
    let mut events = node.config.hypervisor.events();
    loop {
        let event = tokio::select! {
            () = node.ending.cancelled() => return,
            event = events.next() => event,
        };
        let Some(event) = event else { return };
        tracing::debug!(uid = %event.uid, event = event.name, "guest event");
        node.actors.wake_guest(event.uid);
    }
}
