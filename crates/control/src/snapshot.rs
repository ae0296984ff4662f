//! Snapshots of a VM's disks: taken and deleted by the VM's node, gone with the VM.

use novacron_model::request::{Draft, DraftMeta};
use novacron_model::snapshot::{SnapshotSpec, SnapshotStatus};
use novacron_model::task::Action;
use novacron_model::{Error, Kind, Name, Node, Object, Result, Snapshot, Time, Vm, key};
use novacron_store::{Key, Snapshot as At, Txn, object};

use crate::admission::{
    Admitted, DeleteOptions, Request, Resource, check_alive, fixed, kept_by_project, unchanged,
};
use crate::index::{self, row};
use crate::plan::Plan;
use crate::{copying, placing, task};

impl Resource for Snapshot {
    fn create(request: &mut Request<'_>, draft: Draft<Self>) -> Result<Admitted> {
        let home = request.home()?;
        let owner = draft.meta.name.split_once('.').map_or("", |(owner, _)| owner);
        if owner != draft.spec.vm.as_str() {
            let message = format!("a snapshot of VM \"{}\" is named VM.SNAPSHOT", draft.spec.vm);
            return Err(Error::invalid("meta.name", message)
                .hint(format!("such as {}.before", draft.spec.vm)));
        }
        let vm = object::get::<Vm>(request.at, Some(home.uid), draft.spec.vm.as_str())?;
        let vm = vm.ok_or_else(|| Error::not_found("vm", draft.spec.vm.as_str()).at("spec.vm"))?;
        if draft.spec.parent.is_some() {
            return Err(Error::invalid("spec.parent", "what a snapshot comes from is known")
                .hint("leave it out"));
        }
        let mut txn = Txn::new();
        let snapshot = take(request, &mut txn, &vm, draft.meta)?;
        let task = task::begin(request, &mut txn, Action::Snapshot, &snapshot, 0)?;
        Ok(Admitted::task(txn, task))
    }

    fn update(
        request: &mut Request<'_>,
        old: &Object<Self>,
        new: Object<Self>,
    ) -> Result<Admitted> {
        check_alive(old)?;
        if old.spec.vm != new.spec.vm {
            return Err(fixed("spec.vm"));
        }
        if old.spec.parent != new.spec.parent {
            return Err(fixed("spec.parent"));
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
        if old.meta.deleting.is_some() {
            return task::again(request, old, Action::Delete);
        }
        let mut txn = Txn::new();
        copying::none_from(request.at, &mut txn, old)?;
        let task = placing::begin_deletion(request, &mut txn, old)?;
        Ok(Admitted::task(txn, task))
    }
}

/// A new snapshot of a VM, which its node then takes.
pub(crate) fn take(
    request: &mut Request<'_>,
    txn: &mut Txn,
    vm: &Object<Vm>,
    draft: DraftMeta,
) -> Result<Object<Snapshot>> {
    check_alive(vm)?;
    check_power(request.at, vm)?;
    let home = request.home()?;
    unchanged(txn, Some(home.uid), vm);
    let meta = request.new_meta::<Snapshot>(txn, draft)?;
    let spec = SnapshotSpec { vm: Name::new(vm.name())?, parent: parent(request.at, vm) };
    let snapshot = Object::<Snapshot> { meta, spec, status: SnapshotStatus::default() };
    let rows = vec![kept_by_project(&home), row(index::VM, &vm.meta.uid)];
    request.put_new(txn, &snapshot, rows)?;
    Ok(snapshot)
}

/// What the disks of a VM go on from now: its newest snapshot, or the one that they have gone back to
/// since.
fn parent(at: &At, vm: &Object<Vm>) -> Option<String> {
    let all = object::indexed::<Snapshot>(at, index::VM, &vm.meta.uid.to_string());
    let usable = all.iter().filter(|snapshot| snapshot.meta.deleting.is_none());
    let newest = usable.max_by_key(|snapshot| (snapshot.meta.created, snapshot.meta.uid));
    let orders = &vm.status.orders;
    match newest {
        Some(newest) if orders.restore_at.is_none_or(|at| at < newest.meta.created) => {
            Some(newest.meta.name.clone())
        }
        _ => orders.restore_from.clone(),
    }
}

/// The VM must have a node whose driver can take snapshots.
fn check_power(at: &At, vm: &Object<Vm>) -> Result<()> {
    let name = vm.name();
    let node = vm.status.placement.as_ref().and_then(|placement| placement.node.as_ref());
    let Some(node) = node else {
        return Err(Error::conflict(format!(
            "VM \"{name}\" has no disks yet: it waits for a node"
        )));
    };
    let report = object::expect::<Node>(at, None, node.as_str())?.status.report;
    let mut drivers = report.iter().flat_map(|report| &report.hypervisors);
    if drivers.any(|driver| driver.powers.iter().any(|power| power == "snapshots")) {
        return Ok(());
    }
    let message = format!("node \"{node}\" of VM \"{name}\" cannot take snapshots");
    Err(Error::unsupported(message))
}

/// The family of the VM that a snapshot's family names.
pub(crate) fn vm_of(family: &str) -> Option<Key> {
    let (prefix, name) = family.rsplit_once('/')?;
    let (vm, _) = name.split_once('.')?;
    let (_, project) = prefix.split_once('/')?;
    Some(Key::from(format!("{}/{project}/{vm}", Vm::KIND)))
}

/// Removes a deleted snapshot when it is out of the disks. One whose VM is gone went with it.
/// One that was taken for a clone goes with its last copy.
pub(crate) fn plan(at: &At, family: &str, now: Time) -> Result<Plan> {
    let Some(snapshot) = object::by_key::<Snapshot>(at, family)? else {
        return Ok(Plan::default());
    };
    let home = crate::admission::Home::of(at, &snapshot)?;
    if snapshot.meta.deleting.is_none() {
        let served = copying::served(at, &home, &snapshot, now)?;
        return Ok(served.map(Plan::commit).unwrap_or_default());
    }
    let vm = object::get::<Vm>(at, Some(home.uid), snapshot.spec.vm.as_str())?;
    let mine = row(index::VM, &vm.as_ref().map(|vm| vm.meta.uid).unwrap_or_default());
    let alive = at.get(family).is_some_and(|record| record.index.contains(&mine));
    let node = vm.as_ref().and_then(crate::vm::node);
    let cleaned = match node {
        Some(node) => placing::is_cleaned(at, family, node),
        None => at.get(&key::section(family, key::CLEANED)).is_some(),
    };
    if alive && !cleaned {
        return Ok(Plan::default());
    }
    let mut txn = Txn { frees: true, ..Txn::new() };
    object::remove(&mut txn, at, Some(home.uid), &snapshot);
    Ok(Plan::commit(txn))
}
