//! Join tokens: making one, as the string that a new node is started with.

use novacron_control::join_token;
use novacron_model::request::Draft;
use novacron_model::{Error, Invitation, JoinToken};
use serde_json::Value;

use super::Caller;
use super::sessions::reveal;
use crate::edge;
use crate::problem::Answer;
use crate::resource::idempotency::Claim;
use crate::resource::typed::create_from;
use crate::resource::{Written, body};
use crate::state::Api;

/// Creates a join token. The answer holds, this once, the secret together with what leads here.
pub async fn create_token(
    api: &Api,
    caller: &Caller,
    draft: Value,
    idempotency: Option<Claim>,
) -> Answer<Written> {
    let draft: Draft<JoinToken> = body::strict(draft)?;
    let invite = api.config.cluster.invite(draft.spec.loopback).await?;
    let secret = edge::random_secret()?;
    let invitation = Invitation::new(&invite.address, &invite.fingerprint, &secret)?;
    let hash = edge::sha256_hex(&secret);
    let name = draft.meta.name.clone();
    let created = create_from::<JoinToken>(api, caller, None, idempotency, name, |request| {
        Ok(join_token::issue(request, draft.clone(), &hash)?)
    })
    .await?;
    let ours = join_token::find(&api.store.snapshot(), edge::now(), &hash);
    if ours.is_none_or(|token| token.meta.uid != created.shown.meta.uid) {
        let error = Error::conflict("this key made a join token already; it was shown once");
        return Err(error.hint("delete that token and create another").into());
    }
    reveal(created, &invitation.to_string())
}
