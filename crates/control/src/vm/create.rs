//! Creation of a VM: its volumes, its attachments and its task, all in one transaction.

use novacron_model::request::Draft;
use novacron_model::task::Action;
use novacron_model::vm::{Nic, Run, VmSpec, VmStatus};
use novacron_model::{Error, Image, Object, Result, Vm, Volume, key};
use novacron_store::{Txn, object};

use super::{check, disks, hardware, schedule};
use crate::admission::{Admitted, Home, Request};
use crate::index::{self, row};
use crate::{copying, published, reference, task, volume};

pub(super) fn create(request: &mut Request<'_>, draft: Draft<Vm>) -> Result<Admitted> {
    let home = request.home()?;
    let mut txn = Txn::new();
    let mut spec = draft.spec;
    let meta = request.new_meta::<Vm>(&mut txn, draft.meta)?;
    if spec.run == Run::Paused {
        return Err(Error::invalid("spec.run", "a new VM is running or stopped"));
    }
    check::size(request.at, &spec)?;
    // A guest made from an image is told at least its name.
    if spec.image.is_some() {
        spec.cloud_init.get_or_insert_default();
    }
    if let Some(told) = &mut spec.cloud_init {
        check::cloud_init(request, told, None)?;
    }
    let image = image(request, &mut txn, &home, &mut spec)?;
    if let Some(image) = &image {
        volume::refuse_iso(image, "spec.image")?;
    }
    spec.nics.get_or_insert_with(|| vec![Nic::default()]);
    let mut rows = hardware::rows(request.at, &mut txn, &home, &mut spec, None)?;
    let own = image.iter().map(|image| row(index::IMAGE, &image.meta.uid));
    let own: Vec<_> = own.filter(|row| !rows.contains(row)).collect();
    rows.extend(own);
    let disks = disks::settle(request, &mut txn, &home, &meta.name, &mut spec, image.as_ref())?;
    hardware::check(&spec)?;
    schedule::check(&spec)?;

    let vm = Object::<Vm> { meta, spec, status: VmStatus::default() };
    request.put_new(&mut txn, &vm, rows)?;
    attach_all(request, &mut txn, &home, &vm, disks)?;
    let task = task::begin(request, &mut txn, Action::Create, &vm, 0)?;
    Ok(Admitted::task(txn, task))
}

/// The image that the VM is made from. Entries of the catalogue become images here.
fn image(
    request: &mut Request<'_>,
    txn: &mut Txn,
    home: &Home,
    spec: &mut VmSpec,
) -> Result<Option<Object<Image>>> {
    published::settle(request, txn, &mut spec.image, "spec.image")?;
    for (n, disk) in spec.disks.iter_mut().enumerate() {
        published::settle(request, txn, &mut disk.image, &format!("spec.disks[{n}].image"))?;
    }
    let Some(name) = &spec.image else { return Ok(None) };
    reference::image_to_come(request, txn, home, name, "spec.image").map(Some)
}

pub(super) fn attach_all(
    request: &Request<'_>,
    txn: &mut Txn,
    home: &Home,
    vm: &Object<Vm>,
    disks: disks::Disks,
) -> Result<()> {
    for (made, rows) in disks.made {
        object::create(txn, Some(home.uid), &made, rows)?;
        let family = key::object::<Volume>(Some(home.uid), made.name());
        volume::attach(txn, request.at, &family, vm)?;
        if let Some(copying) = &made.status.copying {
            copying::begin(txn, request.at, home, &made, copying)?;
        }
    }
    for family in disks.taken {
        volume::attach(txn, request.at, &family, vm)?;
    }
    Ok(())
}
