//! What the API tells of the cluster.

use std::sync::Arc;

use async_trait::async_trait;
use novacron_api::cluster::{Cluster, Invite};
use novacron_model::cluster::MemberView;
use novacron_model::{ClusterView, Error, Member as Listed, Object, Result};
use novacron_raft::Member as Seen;
use novacron_store::{Store, object};

use super::{Member, address};

/// The API's way to this member.
pub struct Door {
    pub member: Arc<Member>,
}

#[async_trait]
impl Cluster for Door {
    async fn view(&self) -> ClusterView {
        let Ok(store) = self.member.store() else { return ClusterView::of(None, 0, Vec::new()) };
        let seen = store.members().await;
        let listed = object::list::<Listed>(&store.snapshot(), None);
        let voters = store.known_voters();
        let members = listed.iter().map(|member| {
            let number = member.spec.number;
            let seen = seen.iter().find(|seen| seen.number == number);
            view(member, seen, voters.contains(&number))
        });
        ClusterView::of(None, store.term(), members.collect())
    }

    async fn invite(&self, loopback: bool) -> Result<Invite> {
        let told =
            self.member.listen().await.map_err(|error| Error::conflict(format!("{error:#}")))?;
        if address::is_loopback(&told) && !loopback {
            return Err(Error::conflict(format!(
                "other machines cannot reach this node at {told}"
            ))
            .at("loopback")
            .hint("start the server with --advertise ADDRESS; or pass --loopback when all nodes run on this machine"));
        }
        self.member.register().await?;
        Ok(Invite { address: told, fingerprint: self.member.authority.fingerprint() })
    }
}

fn view(member: &Object<Listed>, seen: Option<&Seen>, voter: bool) -> MemberView {
    MemberView {
        name: member.name().to_owned(),
        number: member.spec.number,
        address: member.spec.address.clone(),
        role: member.spec.role,
        voter,
        leader: seen.is_some_and(|seen| seen.leader),
        reachable: seen.map(|seen| seen.reachable),
        lag: seen.and_then(|seen| seen.lag),
    }
}
