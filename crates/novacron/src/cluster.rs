//! This node as a member of its cluster.
//!
//! ```text
//!  joining ─▶ membership (which number am I) ─▶ Member: key, certificate, links to the others
//!                                                  │
//!        door ◀── other members and joiners ───────┤
//!        steward ─▶ while this node leads: plans, and who votes
//!        others ─▶ requests that another node must answer
//!        view ─▶ what the API says of the cluster
//! ```
//!
//! A node that is alone opens no port to others. The first join token, or `--cluster-listen`, opens
//! it; so does having others.

mod address;
mod door;
mod joining;
mod listed;
mod membership;
mod messages;
mod others;
mod steward;
mod view;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result};
use novacron_api::ForMembers;
use novacron_model::member::MemberRole;
use novacron_model::{DataKey, Error, JoinToken, Member as Listed, Name, Object};
use novacron_pki::{ANY_MEMBER, Authority, Identity, MemberKey, Purpose, member_name};
use novacron_raft::wire::{self, Links};
use novacron_raft::{Options, RaftStore};
use novacron_store::{Store, object};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::data_dir::DataDir;

pub use joining::{finish, join};
pub use membership::Membership;
pub use others::Others;
pub use steward::{lead, watch_own};
pub use view::Door as ApiDoor;

/// A member's certificate lasts this long
const LASTS: Duration = Duration::from_hours(30 * 24);
/// and is made anew after this long.
const RENEWED: Duration = Duration::from_hours(10 * 24);

/// What this node is to others.
pub struct Member {
    pub name: Name,
    pub number: u64,
    authority: Authority,
    identity: Identity,
    key: MemberKey,
    data_key: DataKey,
    links: Arc<Links>,
    store: OnceLock<Arc<RaftStore>>,
    /// What serves the API to other members.
    api: OnceLock<ForMembers>,
    listen: SocketAddr,
    advertise: Option<String>,
    /// Where others reach this node, once it listens.
    listening: Mutex<Option<String>>,
    /// Ends what serves other members, later than all that waits for them.
    end: CancellationToken,
}

impl Member {
    /// Makes what the node shows to others: its key lies in the data directory, its certificate is
    /// made at each start.
    pub fn new(config: &Config, data: &DataDir, membership: Membership) -> Result<Arc<Self>> {
        let Membership { name, number } = membership;
        let authority = Authority::load_or_make(&data.path().join("tls"))?;
        let key = MemberKey::load_or_make(&membership::key_file(data.path()))?;
        let certificate = certificate(&authority, &key, number)?;
        let identity = Identity::new(authority.certificate().clone(), &key, certificate)?;
        let links = Arc::new(Links::new(identity.client()?));
        Ok(Arc::new(Self {
            name,
            number,
            authority,
            identity,
            key,
            data_key: data.data_key()?,
            links,
            store: OnceLock::new(),
            api: OnceLock::new(),
            listen: config.cluster.listen,
            advertise: config.cluster.advertise.clone(),
            listening: Mutex::new(None),
            end: CancellationToken::new(),
        }))
    }

    /// How the store of this member is opened.
    pub fn store_options(&self) -> (Options, Arc<Links>) {
        // Whoever has joined has another number than the founder.
        let options = Options { node: self.number, found: self.number == 1, ..Options::default() };
        (options, self.links.clone())
    }

    /// Serves other members no more.
    pub fn close(&self) {
        self.end.cancel();
    }

    /// From here on others are answered from this store.
    pub fn serve_from(&self, store: Arc<RaftStore>) {
        // Given once, by the server that has opened it.
        let _ = self.store.set(store);
    }

    /// From here on other members reach this node's API.
    pub fn serve_api(&self, api: ForMembers) {
        // Given once, by the server that has started it.
        let _ = self.api.set(api);
    }

    fn store(&self) -> novacron_model::Result<&Arc<RaftStore>> {
        self.store.get().ok_or_else(|| Error::unavailable("the store is not open yet"))
    }

    /// Whether this node votes and runs nothing.
    pub fn is_witness(&self) -> novacron_model::Result<bool> {
        let at = self.store()?.snapshot();
        let own = object::get::<Listed>(&at, None, self.name.as_str())?;
        Ok(own.is_some_and(|own| own.spec.role == MemberRole::Witness))
    }

    /// Whether there are others, or will be as soon as they can reach this node.
    pub fn has_others(&self) -> novacron_model::Result<bool> {
        let store = self.store()?;
        let at = store.snapshot();
        let now = crate::clock::now();
        let valid = |token: &Object<JoinToken>| token.spec.expires.is_none_or(|end| end > now);
        Ok(self.number != 1
            || store.known_members().len() > 1
            || object::list::<Listed>(&at, None).len() > 1
            || object::list::<JoinToken>(&at, None).iter().any(valid))
    }

    /// Listens for others, if it does not yet; returns where they reach this node.
    pub async fn listen(self: &Arc<Self>) -> Result<String> {
        let mut listening = self.listening.lock().await;
        if let Some(address) = &*listening {
            return Ok(address.clone());
        }
        let listener = TcpListener::bind(self.listen).await.with_context(|| {
            format!(
                "cannot listen for other nodes on {}; choose another with --cluster-listen",
                self.listen
            )
        })?;
        let bound = listener.local_addr()?;
        let address = address::advertised(self.advertise.as_deref(), bound)?;
        let tls = self.identity.server()?;
        let door = Arc::new(door::Door { member: self.clone() });
        tokio::spawn(wire::serve(listener, tls, door, self.end.clone()));
        tokio::spawn(self.clone().keep_certificate());
        info!(%bound, %address, "listening for other nodes");
        *listening = Some(address.clone());
        Ok(address)
    }

    /// Where others reach this node; empty while it does not listen.
    pub async fn address(&self) -> String {
        self.listening.lock().await.clone().unwrap_or_default()
    }

    async fn keep_certificate(self: Arc<Self>) {
        while self.end.run_until_cancelled(tokio::time::sleep(RENEWED)).await.is_some() {
            let renewed = certificate(&self.authority, &self.key, self.number)
                .and_then(|certificate| self.identity.renew(&self.key, certificate));
            if let Err(error) = renewed {
                warn!(%error, "the member's certificate was not renewed");
            }
        }
    }
}

fn certificate(
    authority: &Authority,
    key: &MemberKey,
    number: u64,
) -> novacron_model::Result<rustls::pki_types::CertificateDer<'static>> {
    let names = vec![member_name(number), ANY_MEMBER.to_owned()];
    authority.issue(&key.public(), names, Purpose::Member, LASTS)
}
