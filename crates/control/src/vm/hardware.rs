//! The machine of a VM: checks of its parts, the rows by which others find what it uses, and what a
//! live guest still holds of the machine that it was started with.

use std::collections::BTreeSet;

use novacron_model::image::ImageKind;
use novacron_model::vm::{Hardware, VmSpec};
use novacron_model::{Error, Image, Node, Object, Result, Vm, key};
use novacron_store::{Snapshot, Txn, object};

use super::{PLACEMENT, cpu_share, disks, is_live, is_stopped, ports};
use crate::admission::{Home, Request, kept_by_project, unchanged_record};
use crate::index::{self, Row, row};
use crate::{capacity, reference};

const CDROMS_MAX: usize = 4;
const NOTES_BYTES_MAX: usize = 8 << 10;

/// What can be judged by the spec alone.
pub(super) fn check(spec: &VmSpec) -> Result<()> {
    if spec.notes.len() > NOTES_BYTES_MAX {
        let message = format!("notes have at most {NOTES_BYTES_MAX} bytes");
        return Err(Error::invalid("spec.notes", message));
    }
    if spec.cdroms.len() > CDROMS_MAX {
        let message = format!("a VM has at most {CDROMS_MAX} CD-ROM drives");
        return Err(Error::invalid("spec.cdroms", message));
    }
    disks::check_names(&spec.disks)?;
    let mut names: BTreeSet<&str> = spec.disks.iter().map(|disk| disk.name.as_str()).collect();
    for (n, cdrom) in spec.cdroms.iter().enumerate() {
        if cdrom.name.as_str().len() > disks::NAME_BYTES_MAX {
            let message =
                format!("the name of a drive has at most {} characters", disks::NAME_BYTES_MAX);
            return Err(Error::invalid(format!("spec.cdroms[{n}].name"), message));
        }
        if !names.insert(cdrom.name.as_str()) {
            let message = format!("two drives are named \"{}\"", cdrom.name);
            return Err(Error::invalid(format!("spec.cdroms[{n}].name"), message));
        }
    }
    let mut tried = BTreeSet::new();
    for (n, name) in spec.boot.iter().enumerate() {
        let field = format!("spec.boot[{n}]");
        if !names.contains(name.as_str()) {
            let known: Vec<_> = names.iter().copied().collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Error::invalid(field, format!("the VM has no drive \"{name}\""))
                .hint(format!("drives that it has: {known}")));
        }
        if !tried.insert(name) {
            return Err(Error::invalid(field, format!("\"{name}\" is named twice")));
        }
    }
    Ok(())
}

/// All rows of a VM's spec but its labels'. `own`: key of the VM, when it exists already.
pub(super) fn rows(
    at: &Snapshot,
    txn: &mut Txn,
    home: &Home,
    spec: &mut VmSpec,
    own: Option<&str>,
) -> Result<Vec<Row>> {
    let mut rows = vec![kept_by_project(home)];
    if let Some(name) = &spec.image
        && let Some(image) = object::get::<Image>(at, Some(home.uid), name.as_str())?
    {
        rows.push(row(index::IMAGE, &image.meta.uid));
    }
    for (n, cdrom) in spec.cdroms.iter().enumerate() {
        let Some(name) = &cdrom.image else { continue };
        let field = format!("spec.cdroms[{n}].image");
        let image = reference::image(at, txn, home, name, &field)?;
        let content = image.status.content.as_ref();
        if content.is_none_or(|content| content.kind != ImageKind::Iso) {
            return Err(Error::invalid(field, format!("image \"{name}\" is not an ISO image"))
                .hint("`novacron image list` shows the kind of each"));
        }
        add(&mut rows, row(index::IMAGE, &image.meta.uid));
    }
    let nics = spec.nics.get_or_insert_default();
    for row in ports::settle(at, txn, home, nics, own)? {
        add(&mut rows, row);
    }
    Ok(rows)
}

/// New rows when something that they tell of has changed. A live guest holds its old ports and
/// networks until it has gone: they stay beside the new ones.
pub(super) fn changed_rows(
    request: &Request<'_>,
    txn: &mut Txn,
    home: &Home,
    old: &Object<Vm>,
    new: &mut Object<Vm>,
) -> Result<Option<Vec<Row>>> {
    if old.spec.nics == new.spec.nics && old.spec.cdroms == new.spec.cdroms {
        return Ok(None);
    }
    let family = key::object::<Vm>(Some(home.uid), old.name());
    let mut rows = rows(request.at, txn, home, &mut new.spec, Some(&family))?;
    check_together(request.at, home, old, &new.spec)?;
    if !is_stopped(old) {
        let kept = held(request.at, &family).into_iter();
        let kept = kept.filter(|(name, _)| [index::NETWORK, index::PORT].contains(&name.as_str()));
        kept.for_each(|row| add(&mut rows, row));
    }
    Ok(Some(rows))
}

/// A medium must lie on the VM's node.
fn check_together(at: &Snapshot, home: &Home, old: &Object<Vm>, spec: &VmSpec) -> Result<()> {
    let Some(node) = super::node(old) else { return Ok(()) };
    for (n, cdrom) in spec.cdroms.iter().enumerate() {
        let Some(name) = &cdrom.image else { continue };
        let image = object::get::<Image>(at, Some(home.uid), name.as_str())?;
        let place = image.and_then(|image| image.status.location);
        if let Some(place) = place.filter(|place| place.node != *node) {
            let message = format!(
                "image \"{name}\" is on node \"{}\", but VM \"{}\" is on node \"{node}\"",
                place.node,
                old.name()
            );
            return Err(Error::conflict(message).at(format!("spec.cdroms[{n}].image")));
        }
    }
    Ok(())
}

/// Gives back what only the former machine of a guest held: its share of the node, ports, networks.
pub(super) fn settle(at: &Snapshot, family: &str, vm: &Object<Vm>) -> Result<Option<Txn>> {
    if !follows(vm, |has, wanted| has.nics == wanted.nics) {
        return Ok(None);
    }
    let home = Home::of(at, vm)?;
    let mut txn = Txn::new();
    let mut spec = vm.spec.clone();
    let wanted: BTreeSet<Row> =
        rows(at, &mut txn, &home, &mut spec, Some(family))?.into_iter().collect();
    if held(at, family).into_iter().collect::<BTreeSet<_>>() != wanted {
        let rows = Some(wanted.into_iter().collect());
        crate::admission::rewrite(&mut txn, at, Some(home.uid), vm, vm, rows)?;
        return Ok(Some(txn));
    }
    let same_share =
        |has: &Hardware, wanted: &Hardware| (has.cpus, has.memory) == (wanted.cpus, wanted.memory);
    if follows(vm, same_share) { shrink(at, family, vm) } else { Ok(None) }
}

/// The guest has what the spec asks for as far as `same` looks, or there is none.
fn follows(vm: &Object<Vm>, same: impl Fn(&Hardware, &Hardware) -> bool) -> bool {
    let has = vm.status.runtime.as_ref().and_then(|runtime| runtime.hardware.as_ref());
    !is_live(vm) || has.is_some_and(|has| same(has, &vm.spec.hardware()))
}

/// A share that is larger than the spec asks for.
fn shrink(at: &Snapshot, family: &str, vm: &Object<Vm>) -> Result<Option<Txn>> {
    let Some(placement) = &vm.status.placement else { return Ok(None) };
    let Some(name) = &placement.node else { return Ok(None) };
    let (cpu, memory) = (cpu_share(vm.spec.cpus), vm.spec.memory);
    if cpu >= placement.cpu && memory >= placement.memory {
        return Ok(None);
    }
    let node = object::expect::<Node>(at, None, name.as_str())?;
    let Some(all) = capacity::of(&node) else { return Ok(None) };
    let mut txn = Txn { frees: true, ..Txn::new() };
    let home = Home::of(at, vm)?;
    crate::admission::unchanged(&mut txn, Some(home.uid), vm);
    unchanged_record(&mut txn, at, &key::section(family, PLACEMENT));
    unchanged_record(&mut txn, at, &key::section(family, "runtime"));
    let (cpu, memory) = (cpu.min(placement.cpu), memory.min(placement.memory));
    txn.counters.extend(capacity::resize(name.as_str(), all, placement, cpu, memory));
    let mut placement = placement.clone();
    (placement.cpu, placement.memory) = (cpu, memory);
    let rows = vec![row(index::NODE, name)];
    object::put_section(&mut txn, at, family, PLACEMENT, &placement, rows)?;
    Ok(Some(txn))
}

/// What a live guest holds until it has gone; one that an older version started has what its spec
/// asks for.
pub(super) fn still_held(vm: &Object<Vm>) -> Option<Hardware> {
    let runtime = vm.status.runtime.as_ref().filter(|_| is_live(vm))?;
    Some(runtime.hardware.clone().unwrap_or_else(|| vm.spec.hardware()))
}

fn held(at: &Snapshot, family: &str) -> Vec<Row> {
    let label = key::label_index("");
    let rows = at.get(family).map(|record| record.index.to_vec()).unwrap_or_default();
    rows.into_iter().filter(|(name, _)| !name.starts_with(&label)).collect()
}

fn add(rows: &mut Vec<Row>, row: Row) {
    if !rows.contains(&row) {
        rows.push(row);
    }
}
