//! The guard before every handler. Over TCP it checks `Host` and `Origin`, then asks for a valid
//! credential unless the path is open; what is behind the guard is not told to strangers, so that
//! unknown paths answer like known ones.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use novacron_model::Error;
use novacron_model::token::TokenPurpose;

use super::{Caller, Peer, origin};
use crate::problem::{Answer, Refusal};
use crate::state::Api;
use crate::{edge, forward};

pub async fn guard(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    match admit(&api, &request) {
        Err(refusal) => return refusal.into_response(),
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
        }
    }
    next.run(request).await
}

fn admit(api: &Api, request: &Request) -> Answer<Option<Caller>> {
    let open = is_open(request.method(), request.uri().path());
    let peer = request.extensions().get::<Peer>().copied();
    if let Some(Peer::Tcp { local, .. }) = peer {
        origin::check(api, local, request)?;
    }
    if !open && !api.config.readiness.is_ready() {
        return Err(Error::unavailable("the store is not ready yet").hint("try again").into());
    }
    match peer {
        Some(Peer::Unix { uid }) => Ok(Some(Caller::peer(uid))),
        Some(Peer::Member) if open => Ok(forward::caller_of(request)),
        Some(Peer::Member) => {
            forward::caller_of(request).map(Some).ok_or_else(Refusal::unauthenticated)
        }
        _ if open => Ok(credential(api, request).ok()),
        _ => credential(api, request).map(Some),
    }
}

/// What needs no credential: the console's files, probes, the API's description, signing in.
fn is_open(method: &Method, path: &str) -> bool {
    let reading = method == Method::GET || method == Method::HEAD;
    match path {
        "/v1/session" => method == Method::POST,
        "/v1/openapi.json" => reading,
        _ => {
            let inside = ["/v1", "/graphql", "/metrics"];
            let within = |root: &str| {
                path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            !inside.iter().any(|root| within(root))
        }
    }
}

fn credential(api: &Api, request: &Request) -> Answer<Caller> {
    let headers = request.headers();
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let secret = value.to_str().ok().and_then(|text| {
            let (scheme, secret) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
        });
        return by_secret(api, secret.unwrap_or_default(), TokenPurpose::Api);
    }
    if let Some(secret) = cookie(request) {
        return by_secret(api, secret, TokenPurpose::Session);
    }
    match api.tickets.redeem(request.uri(), edge::now()) {
        Some(caller) => Ok(caller),
        None => Err(Refusal::unauthenticated()),
    }
}

fn by_secret(api: &Api, secret: &str, purpose: TokenPurpose) -> Answer<Caller> {
    if secret.is_empty() {
        return Err(Refusal::unauthenticated());
    }
    let hash = edge::sha256_hex(secret);
    let token = novacron_control::token::find(&api.store.snapshot(), edge::now(), &hash);
    match token.filter(|token| token.spec.purpose == purpose) {
        Some(token) => Ok(Caller::token(&token)),
        None => Err(Refusal::unauthenticated()),
    }
}

fn cookie(request: &Request) -> Option<&str> {
    let lines = request.headers().get_all(header::COOKIE).iter();
    let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
    named.find(|(name, _)| *name == crate::SESSION_COOKIE).map(|(_, value)| value)
}
