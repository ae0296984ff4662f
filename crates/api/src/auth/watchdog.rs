//! Ends streams whose credential ends: the token was revoked or has expired, or the server is
//! shutting down.

use std::sync::Arc;
use std::time::Duration;

use novacron_model::{Token, key};
use novacron_store::{Change, Selection, object};

use super::{Caller, Credential, TokenRef};
use crate::edge;
use crate::state::Api;

/// Why streams end that their client would go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Closing,
    Expired,
    Revoked,
}

/// Returns when the caller's streams must end.
pub async fn ended(api: Arc<Api>, caller: Caller) -> Ended {
    let token = match &caller.credential {
        Credential::Peer => {
            api.closing.cancelled().await;
            return Ended::Closing;
        }
        Credential::Token(token) => token,
    };
    tokio::select! {
        () = api.closing.cancelled() => Ended::Closing,
        () = expired(token) => Ended::Expired,
        () = revoked(&api, token) => Ended::Revoked,
    }
}

async fn expired(token: &TokenRef) {
    let Some(expires) = token.expires else { return std::future::pending().await };
    loop {
        let left = expires.since(edge::now());
        if left == 0 {
            return;
        }
        // The clock may jump: look again at least every minute.
        tokio::time::sleep(Duration::from_millis(left.min(60_000))).await;
    }
}

async fn revoked(api: &Api, token: &TokenRef) {
    let family = key::object::<Token>(None, &token.name);
    loop {
        let at = api.store.snapshot();
        let held = object::by_key::<Token>(&at, &family).ok().flatten();
        if held.is_none_or(|held| held.meta.uid != token.uid) {
            return;
        }
        let mut watch = api.store.watch(Selection::Prefix(family.clone()), at.revision());
        let about_us = |change: &Change| match change {
            Change::Family { family: changed, .. } | Change::Gone { family: changed, .. } => {
                changed.as_str() == family
            }
            Change::Entry { .. } => false,
        };
        loop {
            match watch.next().await {
                None => return,
                Some(Err(_)) => break,
                Some(Ok(changes)) if changes.iter().any(about_us) => break,
                Some(Ok(_)) => {}
            }
        }
    }
}
