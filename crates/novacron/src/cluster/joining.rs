//! A node joins a cluster: asks, writes the answer down, then becomes what it says.
//!
//! ```text
//!  member.key ─▶ ask ─▶ admitted.json ─▶ old store aside, CA, data key ─▶ member.json
//!     made first,         │ from here on only forward, at this start or the next
//!     so that asking again gets the same answer
//! ```

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use novacron_model::invitation::Invitation;
use novacron_model::{Image, Kind, Name, Vm, Volume};
use novacron_pki::{ANY_MEMBER, Authority, MemberKey};
use novacron_raft::wire::{connect_pinned, full};
use novacron_raft::{Options, RaftStore};
use novacron_store::Store;
use tracing::info;

use super::messages::{Admission, JOIN, JoinRequest, to_bytes, to_text};
use super::{Membership, address, membership};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::{identity, state};

const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Joins the cluster of an invitation, unless this node is in one already: whoever starts it again
/// with the same command line means the same cluster.
pub async fn join(config: &Config, data: &DataDir, invitation: &Invitation) -> Result<()> {
    if Membership::read(data.path())?.is_some() {
        info!("this node has joined before; the join token is not needed any more");
        return Ok(());
    }
    let name = config.name.clone().map_or_else(identity::node_name, Ok)?;
    check_empty(data.path(), &name).await?;
    let admission = ask(config, data.path(), name, invitation).await?;
    membership::write(&admitted(data.path()), &admission)?;
    finish(data)
}

/// Brings a join to its end that was answered; where there is none, does nothing. Every step may be
/// done twice.
pub fn finish(data: &DataDir) -> Result<()> {
    let path = data.path();
    let Some(admission) = membership::read::<Admission>(&admitted(path))? else { return Ok(()) };
    if Membership::read(path)?.is_none() {
        state::restore::put_aside(path, &["tls", "data.key", "store"])?;
        Authority::store(&path.join("tls"), &admission.ca, &admission.ca_key)?;
        let key = to_bytes(&admission.data_key).context("the cluster's data key is damaged")?;
        data.adopt_data_key(&key)?;
        Membership { name: admission.name.clone(), number: admission.number }.write(path)?;
    }
    fs::remove_file(admitted(path))?;
    info!(name = %admission.name, number = admission.number, "joined the cluster");
    Ok(())
}

fn admitted(data: &Path) -> PathBuf {
    membership::folder(data).join("admitted.json")
}

/// Refuses to give up what a node holds.
async fn check_empty(data: &Path, name: &Name) -> Result<()> {
    let dir = data.join("store");
    if !dir.exists() {
        return Ok(());
    }
    let store = RaftStore::open(&dir, Options::default()).await?;
    let at = store.snapshot();
    let count = |kind: &str| {
        let families = novacron_control::families(&at);
        families.iter().filter(|family| family.as_str().split('/').next() == Some(kind)).count()
    };
    let kinds = [(Vm::KIND, "VMs"), (Volume::KIND, "volumes"), (Image::KIND, "images")];
    let held = kinds.map(|(one, many)| (count(one), one, many));
    let others = store.known_members().len() > 1;
    store.shutdown().await;
    if others {
        bail!(
            "node \"{name}\" belongs to a cluster already; remove it there, or use a new --data-dir"
        );
    }
    let Some((count, one, many)) = held.into_iter().find(|(count, ..)| *count > 0) else {
        return Ok(());
    };
    let what = if count == 1 { one } else { many };
    bail!(
        "node \"{name}\" holds {count} {what}; export them, or use a new --data-dir: only an empty \
         node joins"
    );
}

async fn ask(
    config: &Config,
    data: &Path,
    name: Name,
    invitation: &Invitation,
) -> Result<Admission> {
    let key = MemberKey::load_or_make(&membership::key_file(data))?;
    let request = JoinRequest {
        secret: invitation.secret.clone(),
        name,
        address: own_address(config)?,
        key: to_text(key.public().as_bytes()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let there = &invitation.address;
    let unreachable = || {
        format!(
            "the cluster at {there} cannot be reached, or is not the one that the join token is of"
        )
    };
    let mut cluster =
        connect_pinned(there, &invitation.fingerprint).await.with_context(unreachable)?;
    let request = Request::post(format!("https://{ANY_MEMBER}{JOIN}"))
        .body(full(serde_json::to_vec(&request)?))?;
    let answer = cluster.send_request(request).await.with_context(unreachable)?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(anyhow::Error::from_boxed).with_context(unreachable)?.to_bytes();
    if !status.is_success() {
        bail!("the cluster refuses this node: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body).context("the cluster's answer cannot be read")
}

/// Where the others will reach this node. The port must be known before it listens.
fn own_address(config: &Config) -> Result<String> {
    let listen: SocketAddr = config.cluster.listen;
    if listen.port() == 0 {
        bail!("a node that joins needs a port of its own: --cluster-listen ADDRESS:PORT");
    }
    address::advertised(config.cluster.advertise.as_deref(), listen)
}
