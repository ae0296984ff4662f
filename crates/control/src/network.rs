//! Networks: deleted once no VM has a NIC on them.

use novacron_model::request::Draft;
use novacron_model::{Error, Network, Object, Result, network};
use novacron_store::{Precondition, Txn};

use crate::admission::{Admitted, DeleteOptions, Request, Resource, fixed, kept_by_project, named};
use crate::index::{self, row};

impl Resource for Network {
    fn create(request: &mut Request<'_>, draft: Draft<Self>) -> Result<Admitted> {
        draft.spec.check()?;
        let mut txn = Txn::new();
        let meta = request.new_meta::<Self>(&mut txn, draft.meta)?;
        let network =
            Object::<Self> { meta, spec: draft.spec, status: network::NetworkStatus::default() };
        request.put_new(&mut txn, &network, vec![kept_by_project(&request.home()?)])?;
        Ok(Admitted::done(txn))
    }

    fn update(
        request: &mut Request<'_>,
        old: &Object<Self>,
        new: Object<Self>,
    ) -> Result<Admitted> {
        if old.spec.kind != new.spec.kind {
            return Err(fixed("spec.kind"));
        }
        if old.spec.bridge != new.spec.bridge {
            return Err(
                fixed("spec.bridge").hint("create another network, and move the NICs to it")
            );
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
        let name = old.name();
        if name == network::DEFAULT {
            return Err(Error::conflict(format!("network \"{name}\" is always there")));
        }
        let users = request.at.indexed(index::NETWORK, &old.meta.uid.to_string(), "");
        if !users.is_empty() {
            let list = named(&users);
            return Err(Error::conflict(format!("network \"{name}\" is used by {list}"))
                .hint("delete them or move their NICs first"));
        }
        let (key, value) = row(index::NETWORK, &old.meta.uid);
        let mut txn = Txn::new().require(Precondition::NoIndex(key, value));
        request.remove(&mut txn, old)?;
        Ok(Admitted::done(txn))
    }
}
