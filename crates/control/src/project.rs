//! Projects: created with a default network, deleted once nothing is left in them.

use novacron_model::request::{DeletePreview, Draft};
use novacron_model::{Error, Kind, Name, Network, Object, Project, Result, Task, network, project};
use novacron_store::{Precondition, Snapshot, Txn, object};

use crate::admission::{Admitted, DeleteOptions, Request, Resource, check_alive, named};
use crate::index::{self, row};

const DESCRIPTION_BYTES_MAX: usize = 4096;

impl Resource for Project {
    fn create(request: &mut Request<'_>, draft: Draft<Self>) -> Result<Admitted> {
        check(&draft.spec.description)?;
        let mut txn = Txn::new();
        let meta = request.new_meta::<Self>(&mut txn, draft.meta)?;
        let project =
            Object::<Self> { meta, spec: draft.spec, status: project::ProjectStatus::default() };
        request.put_new(&mut txn, &project, Vec::new())?;
        let mut meta = project.meta.clone();
        network::DEFAULT.clone_into(&mut meta.name);
        meta.project = Some(Name::new(project.name())?);
        meta.uid = (request.fresh_uid)();
        meta.labels.clear();
        meta.annotations.clear();
        let spec = network::NetworkSpec::default();
        let status = network::NetworkStatus::default();
        let network = Object::<Network> { meta, spec, status };
        object::create(&mut txn, Some(project.meta.uid), &network, Vec::new())?;
        Ok(Admitted::done(txn))
    }

    fn update(
        request: &mut Request<'_>,
        old: &Object<Self>,
        new: Object<Self>,
    ) -> Result<Admitted> {
        check_alive(old)?;
        check(&new.spec.description)?;
        let mut txn = Txn::new();
        request.put_changed(&mut txn, old, &new, None)?;
        Ok(Admitted::done(txn))
    }

    fn delete(
        request: &mut Request<'_>,
        old: &Object<Self>,
        _options: DeleteOptions,
    ) -> Result<Admitted> {
        let (name, uid) = (old.name(), old.meta.uid);
        if name == project::DEFAULT {
            return Err(Error::conflict(format!("project \"{name}\" is always there")));
        }
        let inside = request.at.indexed(index::PROJECT, &uid.to_string(), "");
        if !inside.is_empty() {
            let list = named(&inside);
            return Err(Error::conflict(format!("project \"{name}\" still has {list}"))
                .hint("delete what is in it first"));
        }
        let mut txn = Txn::new();
        let (key, value) = row(index::PROJECT, &uid);
        txn.preconditions.push(Precondition::NoIndex(key, value));
        for kind in [Network::KIND, Task::KIND] {
            let prefix = format!("{kind}/{uid}/");
            txn.deletes.extend(request.at.scan(&prefix, &prefix).map(|record| record.key.clone()));
        }
        txn.counters.extend(crate::task::forget_all(request.at, uid));
        request.remove(&mut txn, old)?;
        Ok(Admitted::done(txn))
    }

    fn preview_delete(at: &Snapshot, project: &Object<Self>) -> DeletePreview {
        let networks = object::list::<Network>(at, Some(project.meta.uid));
        DeletePreview { goes: networks.iter().map(Object::reference).collect(), stays: Vec::new() }
    }
}

fn check(description: &str) -> Result<()> {
    if description.len() > DESCRIPTION_BYTES_MAX {
        let message = format!("the description is longer than {DESCRIPTION_BYTES_MAX} bytes");
        return Err(Error::invalid("spec.description", message));
    }
    Ok(())
}
