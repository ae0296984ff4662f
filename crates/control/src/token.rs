//! Tokens: issued with the hash of a secret that is never seen here, traded, revoked, expired.

use novacron_model::request::{Draft, DraftMeta};
use novacron_model::token::{HASH_INDEX, TokenPurpose, TokenSpec, TokenStatus};
use novacron_model::{Code, Error, Object, Result, Time, Token};
use novacron_store::{Precondition, Snapshot, Txn, object};

use crate::admission::{Admitted, DeleteOptions, Request, Resource, fixed};
use crate::plan::Plan;

const DESCRIPTION_BYTES_MAX: usize = 1024;

/// Creates a token whose secret has this hex SHA-256.
pub fn issue(
    request: &mut Request<'_>,
    draft: Draft<Token>,
    secret_hash: &str,
) -> Result<Admitted> {
    let mut txn = Txn::new();
    add(request, &mut txn, draft, secret_hash)?;
    Ok(Admitted::done(txn))
}

/// Trades the one-time code of a sign-in link for a session. The code's token is deleted by the
/// same transaction, so of two trades one fails.
pub fn trade(
    request: &mut Request<'_>,
    sign_in_hash: &str,
    session_hash: &str,
    expires: Time,
) -> Result<Admitted> {
    let sign_in = find(request.at, request.now, sign_in_hash)
        .filter(|token| token.spec.purpose == TokenPurpose::SignIn);
    let sign_in = sign_in.ok_or_else(|| {
        Error::new(Code::Unauthenticated, "the sign-in link is used up, expired or wrong")
            .hint("run `novacron web` for a new one")
    })?;
    let mut txn = Txn::new();
    object::remove(&mut txn, request.at, None, &sign_in);
    let name = format!("session-{}", (request.fresh_uid)().simple());
    let meta = DraftMeta { name, ..DraftMeta::default() };
    let spec = TokenSpec {
        purpose: TokenPurpose::Session,
        description: sign_in.spec.description.clone(),
        expires: Some(expires),
    };
    add(request, &mut txn, Draft { meta, spec }, session_hash)?;
    Ok(Admitted::done(txn))
}

/// The token of a secret with this hex SHA-256, if it has not expired.
pub fn find(at: &Snapshot, now: Time, secret_hash: &str) -> Option<Object<Token>> {
    let token = object::indexed::<Token>(at, HASH_INDEX, secret_hash).into_iter().next()?;
    token.spec.expires.is_none_or(|expires| expires > now).then_some(token)
}

/// Removes a token when its time is up.
pub(crate) fn plan(at: &Snapshot, token: &Object<Token>, now: Time) -> Plan {
    let Some(expires) = token.spec.expires else { return Plan::default() };
    if expires > now {
        return Plan::wake(expires);
    }
    let mut txn = Txn { frees: true, ..Txn::new() };
    object::remove(&mut txn, at, None, token);
    Plan::commit(txn)
}

impl Resource for Token {
    fn create(_request: &mut Request<'_>, _draft: Draft<Self>) -> Result<Admitted> {
        Err(Error::internal("a token is issued with the hash of its secret"))
    }

    fn update(
        request: &mut Request<'_>,
        old: &Object<Self>,
        new: Object<Self>,
    ) -> Result<Admitted> {
        if old.spec.purpose != new.spec.purpose {
            return Err(fixed("spec.purpose"));
        }
        if old.spec.expires != new.spec.expires {
            return Err(fixed("spec.expires").hint("create a new token"));
        }
        check_description(&new.spec.description)?;
        let mut txn = Txn::new();
        request.put_changed(&mut txn, old, &new, None)?;
        Ok(Admitted::done(txn))
    }

    fn delete(
        request: &mut Request<'_>,
        old: &Object<Self>,
        _options: DeleteOptions,
    ) -> Result<Admitted> {
        let mut txn = Txn::new();
        request.remove(&mut txn, old)?;
        Ok(Admitted::done(txn))
    }
}

fn add(
    request: &mut Request<'_>,
    txn: &mut Txn,
    draft: Draft<Token>,
    secret_hash: &str,
) -> Result<()> {
    check_description(&draft.spec.description)?;
    if draft.spec.expires.is_some_and(|expires| expires <= request.now) {
        return Err(Error::invalid("spec.expires", "the time of expiry has passed already"));
    }
    if draft.spec.purpose != TokenPurpose::Api && draft.spec.expires.is_none() {
        return Err(Error::invalid("spec.expires", "sign-in codes and sessions must expire"));
    }
    let hash = (HASH_INDEX.to_owned(), secret_hash.to_owned());
    txn.preconditions.push(Precondition::NoIndex(hash.0.clone(), hash.1.clone()));
    let meta = request.new_meta::<Token>(txn, draft.meta)?;
    let token = Object::<Token> { meta, spec: draft.spec, status: TokenStatus::default() };
    request.put_new(txn, &token, vec![hash])
}

pub(crate) fn check_description(description: &str) -> Result<()> {
    if description.len() > DESCRIPTION_BYTES_MAX {
        let message = format!("the description is longer than {DESCRIPTION_BYTES_MAX} bytes");
        return Err(Error::invalid("spec.description", message));
    }
    Ok(())
}
