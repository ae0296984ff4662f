//! Deletion of a VM: asked for here, finished by [`super::finalise`].

use novacron_model::request::DeletePreview;
use novacron_model::task::Action;
use novacron_model::{Error, Object, Result, Snapshot, Vm, Volume};
use novacron_store::{Snapshot as At, Txn, object};

use super::is_live;
use crate::admission::{Admitted, DeleteOptions, Home, Request};
use crate::index;
use crate::{copying, placing, task};

pub(super) fn delete(
    request: &mut Request<'_>,
    old: &Object<Vm>,
    options: DeleteOptions,
) -> Result<Admitted> {
    if old.meta.deleting.is_some() {
        return task::again(request, old, Action::Delete);
    }
    if old.spec.protected && !options.unprotect {
        let message = format!("VM \"{}\" is protected against deletion", old.name());
        let hint = "delete it with --unprotect, if that is meant";
        return Err(Error::conflict(message).at("spec.protected").hint(hint));
    }
    if is_live(old) && !options.force {
        return Err(Error::conflict(format!("VM \"{}\" is running", old.name()))
            .hint("stop it first, or delete it with --force"));
    }
    let mut txn = Txn::new();
    copying::none_of_disks(request.at, &mut txn, &request.home()?, old)?;
    let task = placing::begin_deletion(request, &mut txn, old)?;
    Ok(Admitted::task(txn, task))
}

/// Volumes made with the VM and its snapshots go; other volumes stay.
pub(super) fn preview(at: &At, vm: &Object<Vm>) -> DeletePreview {
    let mut preview = DeletePreview::default();
    let Ok(home) = Home::of(at, vm) else { return preview };
    for disk in &vm.spec.disks {
        let Some(name) = &disk.volume else { continue };
        let volume = object::get::<Volume>(at, Some(home.uid), name.as_str());
        let Ok(Some(volume)) = volume else { continue };
        let list = if disk.owned { &mut preview.goes } else { &mut preview.stays };
        list.push(volume.reference());
    }
    let snapshots = object::indexed::<Snapshot>(at, index::VM, &vm.meta.uid.to_string());
    preview.goes.extend(snapshots.iter().map(Object::reference));
    preview
}
