//! Join tokens: issued with the hash of a secret that is never seen here, used up by
//! [`crate::member::join`], expired.

use novacron_model::join_token::{JOIN_HASH_INDEX, JoinTokenSpec, JoinTokenStatus};
use novacron_model::request::Draft;
use novacron_model::{Error, JoinToken, Object, Result, Seconds, Time};
use novacron_store::{Precondition, Snapshot, Txn, object};

use crate::admission::{Admitted, DeleteOptions, Request, Resource};
use crate::plan::Plan;
use crate::token::check_description;

/// Status section with the token's one use.
pub(crate) const USED: &str = "used";

const LIFETIME: Seconds = Seconds(60 * 60);
const LIFETIME_MIN: Seconds = Seconds(60);
const LIFETIME_MAX: Seconds = Seconds(7 * 24 * 60 * 60);
/// What clocks may differ by, and what a request may take, before a minute is called too short.
const SLACK: Seconds = Seconds(10);

/// Creates a join token whose secret has this hex SHA-256.
pub fn issue(
    request: &mut Request<'_>,
    draft: Draft<JoinToken>,
    secret_hash: &str,
) -> Result<Admitted> {
    let expires = check_expiry(request.now, draft.spec.expires)?;
    check_description(&draft.spec.description)?;
    let mut txn = Txn::new();
    let hash = (JOIN_HASH_INDEX.to_owned(), secret_hash.to_owned());
    txn.preconditions.push(Precondition::NoIndex(hash.0.clone(), hash.1.clone()));
    let meta = request.new_meta::<JoinToken>(&mut txn, draft.meta)?;
    let spec = JoinTokenSpec { expires: Some(expires), ..draft.spec };
    let token = Object::<JoinToken> { meta, spec, status: JoinTokenStatus::default() };
    request.put_new(&mut txn, &token, vec![hash])?;
    Ok(Admitted::done(txn))
}

/// The join token of a secret with this hex SHA-256, used or not, if it has not expired.
pub fn find(at: &Snapshot, now: Time, secret_hash: &str) -> Option<Object<JoinToken>> {
    let found = object::indexed::<JoinToken>(at, JOIN_HASH_INDEX, secret_hash);
    found.into_iter().next().filter(|token| token.spec.expires.is_some_and(|until| until > now))
}

/// Removes a join token when its time is up. A used one stays until then: who has joined with it
/// may ask again.
pub(crate) fn plan(at: &Snapshot, token: &Object<JoinToken>, now: Time) -> Plan {
    if let Some(expires) = token.spec.expires.filter(|expires| *expires > now) {
        return Plan::wake(expires);
    }
    let mut txn = Txn::new().freeing();
    object::remove(&mut txn, at, None, token);
    Plan::commit(txn)
}

fn check_expiry(now: Time, asked: Option<Time>) -> Result<Time> {
    let Some(expires) = asked else { return Ok(now.plus(LIFETIME)) };
    let left = Seconds(expires.since(now) / 1000 + SLACK.0);
    if left < LIFETIME_MIN || expires > now.plus(LIFETIME_MAX).plus(SLACK) {
        let message = "a join token is valid for between a minute and seven days";
        return Err(Error::invalid("spec.expires", message));
    }
    Ok(expires)
}

impl Resource for JoinToken {
    fn create(_request: &mut Request<'_>, _draft: Draft<Self>) -> Result<Admitted> {
        Err(Error::internal("a join token is issued with the hash of its secret"))
    }

    fn update(
        _request: &mut Request<'_>,
        old: &Object<Self>,
        _new: Object<Self>,
    ) -> Result<Admitted> {
        let message = format!("join token \"{}\" cannot be changed", old.name());
        Err(Error::unsupported(message).hint("delete it and create another"))
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
