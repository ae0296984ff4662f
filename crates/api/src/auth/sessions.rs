//! Tokens and sessions: making a token, a sign-in link, trading the link's code for a cookie.

use novacron_control::token;
use novacron_model::request::{Draft, DraftMeta, Session, SignInLink};
use novacron_model::token::{TokenPurpose, TokenSpec};
use novacron_model::{Error, Seconds, Token};
use serde_json::Value;

use super::Caller;
use crate::edge;
use crate::problem::{Answer, Refusal};
use crate::resource::idempotency::Claim;
use crate::resource::typed::create_from;
use crate::resource::{IfMatch, Written, body, commit, to_json};
use crate::state::Api;

const SIGN_IN_LIFETIME: Seconds = Seconds(5 * 60);
const SESSION_LIFETIME: Seconds = Seconds(24 * 60 * 60);
/// Says what a leaked secret is; scanners look for such marks.
const TOKEN_MARK: &str = "novacron_";

/// Creates a token for scripts. The answer holds its secret, this once.
pub async fn create_token(
    api: &Api,
    caller: &Caller,
    draft: Value,
    idempotency: Option<Claim>,
) -> Answer<Written> {
    let draft: Draft<Token> = body::strict(draft)?;
    if draft.spec.purpose != TokenPurpose::Api {
        let error =
            Error::invalid("spec.purpose", "only tokens of purpose api are created by hand");
        return Err(error.hint("POST /v1/sign-in-links makes a sign-in link").into());
    }
    let secret = format!("{TOKEN_MARK}{}", edge::random_secret()?);
    let hash = edge::sha256_hex(&secret);
    let name = draft.meta.name.clone();
    let repeated = idempotency.is_some();
    let created = create_from::<Token>(api, caller, None, idempotency, name, |request| {
        Ok(token::issue(request, draft.clone(), &hash)?)
    })
    .await?;
    let at = api.store.snapshot();
    let ours = token::find(&at, edge::now(), &hash);
    if repeated && ours.is_none_or(|token| token.meta.uid != created.shown.meta.uid) {
        let error = Error::conflict("this key made a token already; its secret was shown once");
        return Err(error.hint("revoke that token and create another").into());
    }
    reveal(created, &secret)
}

/// Puts a secret into the answer, this once.
pub(super) fn reveal(mut created: Written, secret: &str) -> Answer<Written> {
    let mut object = created.shown.value()?;
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        fields.insert("secret".to_owned(), secret.into());
    }
    created.shown.json = to_json(&object)?;
    Ok(created)
}

/// Makes a link that signs a browser in, once.
pub async fn create_link(api: &Api, caller: &Caller) -> Answer<SignInLink> {
    let code = edge::random_secret()?;
    let expires = edge::now().plus(SIGN_IN_LIFETIME);
    let name = format!("signin-{}", edge::fresh_uid().simple());
    let meta = DraftMeta { name, ..DraftMeta::default() };
    let description = format!("made by {}", caller.actor);
    let spec = TokenSpec { purpose: TokenPurpose::SignIn, description, expires: Some(expires) };
    let hash = edge::sha256_hex(&code);
    commit::admitted(api, caller, None, |request| {
        let draft = Draft { meta: meta.clone(), spec: spec.clone() };
        Ok((token::issue(request, draft, &hash)?, ()))
    })
    .await?;
    Ok(SignInLink { url: format!("{}/signin#code={code}", api.base_url), expires })
}

/// Trades a link's code for a session. Gives the session and the cookie's secret.
pub async fn sign_in(api: &Api, code: &str) -> Answer<(Session, String)> {
    let secret = edge::random_secret()?;
    let expires = edge::now().plus(SESSION_LIFETIME);
    let (code_hash, session_hash) = (edge::sha256_hex(code), edge::sha256_hex(&secret));
    let browser = Caller { actor: "browser".to_owned(), credential: super::Credential::Peer };
    commit::admitted(api, &browser, None, |request| {
        Ok((token::trade(request, &code_hash, &session_hash, expires)?, ()))
    })
    .await?;
    Ok((Session { user: browser.actor, expires: Some(expires) }, secret))
}

/// Ends the caller's session; other credentials have none.
pub async fn sign_out(api: &Api, caller: &Caller) -> Answer<()> {
    let super::Credential::Token(token) = &caller.credential else { return Ok(()) };
    if token.purpose != TokenPurpose::Session {
        return Ok(());
    }
    let target = crate::resource::Target { project: None, name: &token.name };
    let operations = crate::resource::Typed::<Token>::OPERATIONS;
    let options = novacron_control::DeleteOptions::default();
    match operations.delete(api, caller, target, options, &IfMatch::default()).await {
        Err(Refusal { error, .. }) if error.code != novacron_model::Code::NotFound => {
            Err(error.into())
        }
        _ => Ok(()),
    }
}

/// The `Set-Cookie` line of a session, or with an empty secret the one that clears it.
pub fn cookie_line(secret: &str, tls: bool) -> String {
    let age = if secret.is_empty() { 0 } else { SESSION_LIFETIME.0 };
    let secure = if tls { "; Secure" } else { "" };
    let name = crate::SESSION_COOKIE;
    format!("{name}={secret}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
}
