//! `Idempotency-Key`: the answer to a creation is found again by its key for a day, also after a
//! restart, because a record of it is committed with the creation itself.

use novacron_control::Admitted;
use novacron_model::{Error, Seconds, Time};
use novacron_store::{Key, Precondition, Put, Snapshot, Txn};
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use uuid::Uuid;

use crate::edge;
use crate::problem::Answer;

const PREFIX: &str = "idempotency/";
/// Index row that finds records by the day they were made.
const DAY_INDEX: &str = "idempotency-day";
const LIFETIME: Seconds = Seconds(24 * 60 * 60);
/// How many outdated records a new one sweeps away.
const SWEEP: usize = 16;

/// A key as a request presents it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The record's key: made from caller and `Idempotency-Key`.
    key: String,
    /// Hash over what was asked for.
    request: String,
}

/// What an earlier request with the same key made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Earlier {
    request: String,
    time: Time,
    pub family: String,
    pub task: Option<Uuid>,
}

impl Claim {
    /// `path` and `body` tell whether a repeated request is the same.
    pub fn new(actor: &str, key: &str, path: &str, body: &serde_json::Value) -> Self {
        Self {
            key: format!("{PREFIX}{}", edge::sha256_hex(format!("{actor}\n{key}"))),
            request: edge::sha256_hex(format!("{path}\n{body}")),
        }
    }
}

/// What the key stands for already. `Err` when it stands for another request.
pub fn earlier(at: &Snapshot, claim: &Claim, now: Time) -> Answer<Option<Earlier>> {
    let Some(record) = at.get(&claim.key) else { return Ok(None) };
    let earlier: Earlier = serde_json::from_str(record.value.get())
        .map_err(|error| Error::internal(format!("record {}: {error}", claim.key)))?;
    if earlier.time.plus(LIFETIME) <= now {
        return Ok(None);
    }
    if earlier.request != claim.request {
        let error = Error::invalid("Idempotency-Key", "the key was used for another request");
        return Err(error.hint("use a fresh key for each creation").into());
    }
    Ok(Some(earlier))
}

pub fn record(claim: &Claim, family: &str, admitted: &Admitted, now: Time) -> Earlier {
    Earlier {
        request: claim.request.clone(),
        time: now,
        family: family.to_owned(),
        task: admitted.task,
    }
}

/// Adds the record to the creation's transaction, and the sweep of outdated ones.
pub fn remember(at: &Snapshot, claim: &Claim, record: &Earlier, txn: &mut Txn) -> Answer<()> {
    let key = Key::new(&claim.key);
    txn.preconditions.push(match at.get(&claim.key) {
        None => Precondition::Absent(key.clone()),
        Some(old) => Precondition::At(key.clone(), old.revision),
    });
    let value = to_raw_value(record).map_err(|error| Error::internal(error.to_string()))?;
    let today = day(record.time);
    let outdated = (2..=8).flat_map(|ago| at.indexed(DAY_INDEX, &(today - ago).to_string(), ""));
    txn.deletes.extend(outdated.filter(|old| *old != key).take(SWEEP));
    txn.puts.push(Put { key, value, index: vec![(DAY_INDEX.to_owned(), today.to_string())] });
    Ok(())
}

fn day(time: Time) -> i64 {
    time.0.div_euclid(24 * 60 * 60 * 1000)
}
