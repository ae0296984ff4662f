//! What belongs to no kind: the system itself, sessions, probes, this API's description.

use std::sync::{Arc, OnceLock};

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use novacron_model::request::{Session, SignIn, System};
use novacron_model::{Code, Error};

use super::call::Call;
use super::payload::Payload;
use super::streams::outward;
use crate::auth::{Caller, Peer, sessions};
use crate::edge;
use crate::problem::Answer;
use crate::state::Api;

pub async fn system(call: Call) -> Answer<Response> {
    call.params(&[])?;
    call.accepts("application/json")?;
    Ok(Json(describe(&call.api)).into_response())
}

pub async fn catalogue(call: Call) -> Answer<Response> {
    call.params(&[])?;
    call.accepts("application/json")?;
    Ok(Json(call.api.gateway.catalogue().await?).into_response())
}

pub async fn cluster(call: Call) -> Answer<Response> {
    call.params(&[])?;
    call.accepts("application/json")?;
    Ok(Json(call.api.config.cluster.view().await).into_response())
}

/// What `GET /v1/system` says.
pub fn describe(api: &Api) -> System {
    let (store_free, store_full) = (api.config.store_space)();
    System {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: api.config.node.clone(),
        simulated: api.config.simulated,
        revision: api.store.snapshot().revision(),
        time: edge::now(),
        store_free,
        store_full,
    }
}

/// The whole state, for `novacron state restore`. Whoever may ask may do anything.
pub async fn backup(call: Call) -> Answer<Response> {
    call.params(&[])?;
    let content = (call.api.config.backup)()?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"novacron-state.backup\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, outward(&call, content)).into_response())
}

pub async fn session(call: Call) -> Answer<Response> {
    call.params(&[])?;
    call.accepts("application/json")?;
    Ok(Json(session_of(&call.caller)).into_response())
}

/// Who is asking, as `GET /v1/session` says it.
pub fn session_of(caller: &Caller) -> Session {
    Session { user: caller.actor.clone(), expires: caller.expires() }
}

pub async fn sign_in(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    body: Payload,
) -> Answer<Response> {
    if !api.config.readiness.is_ready() {
        return Err(Error::unavailable("the store is not ready yet").hint("try again").into());
    }
    let SignIn { code } = body.into()?;
    let (session, secret) = sessions::sign_in(&api, &code).await?;
    with_cookie((StatusCode::CREATED, Json(session)).into_response(), &secret, peer)
}

pub async fn sign_out(Extension(peer): Extension<Peer>, call: Call) -> Answer<Response> {
    call.params(&[])?;
    sessions::sign_out(&call.api, &call.caller).await?;
    with_cookie(StatusCode::NO_CONTENT.into_response(), "", peer)
}

fn with_cookie(mut response: Response, secret: &str, peer: Peer) -> Answer<Response> {
    let tls = matches!(peer, Peer::Tcp { tls: true, .. });
    let line = HeaderValue::from_str(&sessions::cookie_line(secret, tls))
        .map_err(|error| Error::internal(error.to_string()))?;
    response.headers_mut().insert(header::SET_COOKIE, line);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

pub async fn sign_in_link(call: Call) -> Answer<Response> {
    call.params(&[])?;
    let link = sessions::create_link(&call.api, &call.caller).await?;
    Ok((StatusCode::CREATED, Json(link)).into_response())
}

pub async fn openapi() -> Response {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let document = DOCUMENT.get_or_init(crate::openapi::openapi);
    ([(header::CONTENT_TYPE, "application/json")], document.as_str()).into_response()
}

pub async fn healthz() -> &'static str {
    "ok\n"
}

pub async fn readyz(State(api): State<Arc<Api>>) -> Answer<&'static str> {
    if api.config.readiness.is_ready() {
        return Ok("ready\n");
    }
    Err(Error::unavailable("the store is not ready yet").hint("try again").into())
}

/// The own CA's certificate, where there is one.
pub async fn ca(State(api): State<Arc<Api>>) -> Answer<Response> {
    let none = || Error::new(Code::NotFound, "this server has no certificate authority of its own");
    let authority = api.authority.as_ref().ok_or_else(none)?;
    let media = [(header::CONTENT_TYPE, "application/x-pem-file")];
    Ok((media, authority.ca_pem.clone()).into_response())
}
