//! Requests that only one node can answer, because it holds the guest, the file or the log, go there
//! from whichever node took them in.
//!
//! ```text
//!  client ─▶ guard ─▶ forward ─┬─ here ─────────────────────────────▶ handler
//!                              └─ there: a connection of its own, ──▶ its guard, forward, handler
//!                                 HTTP/1.1 as it came, the caller in a header
//! ```
//!
//! Who asks was found out here; the other node believes it because a member says so. A request is
//! passed on once.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::TokioIo;
use novacron_model::{Error, Image, Name, Node, Object, Project, Result, Vm, Volume};
use novacron_store::{Snapshot, Store, object};

use crate::auth::{Caller, Peer};
use crate::problem::Refusal;
use crate::state::Api;

/// The caller, as one member tells another.
pub const CALLER: &str = "novacron-caller";
/// How long an upload waits for its image to be given a node.
const LOCATED_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

pub async fn forward(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let passed_on = matches!(request.extensions().get::<Peer>(), Some(Peer::Member));
    let node = if passed_on { None } else { holder(&api, request.uri().path()).await };
    match node.filter(|node| !api.config.nodes.serves(node)) {
        None => next.run(request).await,
        Some(node) => pass_on(&api, &node, request).await.unwrap_or_else(|error| {
            let error = Error::unavailable(format!("node \"{node}\" does not answer: {error}"));
            Refusal::from(error.hint("`novacron cluster status` says who is there")).into_response()
        }),
    }
}

/// The node that alone can answer requests for a path; `None`: any can.
async fn holder(api: &Api, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
    let at = api.store.snapshot();
    match parts.as_slice() {
        [
            "projects",
            project,
            "vms",
            name,
            "exec" | "files" | "export" | "figures" | "logs" | "serial" | "screen",
        ] => {
            let vm: Object<Vm> = find(&at, project, name)?;
            Some(vm.status.placement?.node?.to_string())
        }
        ["projects", project, "volumes", name, "export"] => {
            let volume: Object<Volume> = find(&at, project, name)?;
            Some(volume.status.location?.node.to_string())
        }
        ["projects", project, "images", name, "content"] => {
            let located = located(&*api.store, project, name);
            tokio::time::timeout(LOCATED_WITHIN, located).await.ok()??.into()
        }
        // Of a node that is not there, any node can say so.
        ["nodes", name, "figures" | "logs"] => {
            Some(object::get::<Node>(&at, None, name).ok()??.name().to_owned())
        }
        _ => None,
    }
}

fn find<K: novacron_model::Kind>(at: &Snapshot, project: &str, name: &str) -> Option<Object<K>> {
    let project = object::get::<Project>(at, None, project).ok()??.meta.uid;
    object::get::<K>(at, Some(project), name).ok()?
}

/// The node of an image, which the planner names right after its creation.
async fn located(store: &dyn Store, project: &str, name: &str) -> Option<String> {
    loop {
        let at = store.snapshot();
        let image: Object<Image> = find(&at, project, name)?;
        if let Some(location) = image.status.location {
            return Some(Name::to_string(&location.node));
        }
        let selection = novacron_store::Selection::Prefix("image/".to_owned());
        // Whatever it says, the image is looked at again.
        let _ = store.watch(selection, at.revision()).next().await?;
    }
}

async fn pass_on(api: &Api, node: &str, mut request: Request) -> Result<Response> {
    let failed = |error: &dyn std::fmt::Display| Error::unavailable(error.to_string());
    let caller = request.extensions().get::<Caller>().map(caller_header).transpose()?;
    let stream = api.config.nodes.connect(node).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error))?;
    // It ends with the exchange; what breaks it, the exchange says.
    tokio::spawn(connection.with_upgrades());
    let headers = request.headers_mut();
    headers.remove(CALLER);
    headers.remove(header::AUTHORIZATION);
    headers.remove(header::COOKIE);
    headers.insert(header::HOST, HeaderValue::from_static("node"));
    if let Some(caller) = caller {
        headers.insert(CALLER, caller);
    }
    let upgrade = request.headers().contains_key(header::UPGRADE);
    let near = upgrade.then(|| hyper::upgrade::on(&mut request));
    let mut answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(near) = near
    {
        let far = hyper::upgrade::on(&mut answer);
        tokio::spawn(join(api.closing.clone(), near, far));
    }
    Ok(answer.map(Body::new))
}

/// Carries bytes both ways until either side ends.
async fn join(
    closing: tokio_util::sync::CancellationToken,
    near: hyper::upgrade::OnUpgrade,
    far: hyper::upgrade::OnUpgrade,
) {
    let carried = async {
        let (near, far) = tokio::try_join!(near, far)?;
        let (mut near, mut far) = (TokioIo::new(near), TokioIo::new(far));
        // How it ended, each side sees for itself.
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        Ok::<_, hyper::Error>(())
    };
    if let Some(Err(error)) = closing.run_until_cancelled(carried).await {
        tracing::debug!(%error, "a stream to another node did not come about");
    }
}

fn caller_header(caller: &Caller) -> Result<HeaderValue> {
    let failed = |error: &dyn std::fmt::Display| Error::internal(error.to_string());
    let json = serde_json::to_vec(caller).map_err(|error| failed(&error))?;
    HeaderValue::from_str(&STANDARD.encode(json)).map_err(|error| failed(&error))
}

/// Whom a member speaks for.
pub fn caller_of(request: &Request) -> Option<Caller> {
    let json = STANDARD.decode(request.headers().get(CALLER)?).ok()?;
    serde_json::from_slice(&json).ok()
}
