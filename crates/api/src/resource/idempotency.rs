//! `Idempotency-Key`: the answer to a creation is found again by its key for a day, also after a
//! restart, because a record of it is committed with the creation itself.

use std::collections::BTreeMap;

use novacron_control::Admitted;
use novacron_model::{Error, Seconds, Time};
use novacron_store::{Key, Precondition, Put, Record, Snapshot, Txn};
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use uuid::Uuid;

use crate::edge;
use crate::problem::Answer;

const PREFIX: &str = "idempotency/";
const LIFETIME: Seconds = Seconds(24 * 60 * 60);
/// How many of its neighbours a new record looks at, to take the outdated ones away. Keys are
/// hashes, so every record is somebody's neighbour before long.
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
    let neighbours = at.scan(PREFIX, &claim.key).chain(at.scan(PREFIX, PREFIX)).take(SWEEP);
    let old = neighbours.filter(|near| near.key != key && outdated(near, record.time));
    // One that is claimed again meanwhile must stay.
    let old: BTreeMap<_, _> = old.map(|old| (old.key.clone(), old.revision)).collect();
    for (key, revision) in old {
        txn.preconditions.push(Precondition::At(key.clone(), revision));
        txn.deletes.push(key);
    }
    txn.puts.push(Put { key, value, index: Vec::new() });
    Ok(())
}

fn outdated(record: &Record, now: Time) -> bool {
    let earlier: Option<Earlier> = serde_json::from_str(record.value.get()).ok();
    earlier.is_some_and(|earlier| earlier.time.plus(LIFETIME) <= now)
}

#[cfg(test)]
mod tests {
    use novacron_store::{MemStore, Store};

    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    async fn create(store: &MemStore, key: &str, time: Time) {
        let (at, claim) = (store.snapshot(), Claim::new("ana", key, "/v1", &"".into()));
        let (family, request) = (key.to_owned(), claim.request.clone());
        let record = Earlier { request, time, family, task: None };
        let mut txn = Txn::new();
        assert!(remember(&at, &claim, &record, &mut txn).is_ok());
        store.commit(txn).await.unwrap();
    }

    #[tokio::test]
    async fn outdated_records_go_and_others_stay() {
        let store = MemStore::new();
        for number in 0..100 {
            create(&store, &format!("old {number}"), Time(0)).await;
        }
        // Long after, and a few at a time.
        for number in 0..100 {
            create(&store, &format!("new {number}"), Time(30 * DAY)).await;
        }
        let at = store.snapshot();
        let left: Vec<Earlier> = at
            .scan(PREFIX, PREFIX)
            .map(|record| serde_json::from_str(record.value.get()).unwrap())
            .collect();
        let fresh = left.iter().filter(|record| record.time == Time(30 * DAY)).count();
        assert_eq!((left.len(), fresh), (100, 100));
    }

    #[tokio::test]
    async fn a_key_stands_for_its_request_for_a_day() {
        let store = MemStore::new();
        create(&store, "a", Time(0)).await;
        let (at, claim) = (store.snapshot(), Claim::new("ana", "a", "/v1", &"".into()));
        assert!(matches!(earlier(&at, &claim, Time(DAY - 1)), Ok(Some(_))));
        assert!(matches!(earlier(&at, &claim, Time(DAY)), Ok(None)));
        let other = Claim { request: "other".to_owned(), ..claim };
        assert!(earlier(&at, &other, Time(DAY - 1)).is_err());
        create(&store, "a", Time(2 * DAY)).await;
        assert_eq!(store.snapshot().scan(PREFIX, PREFIX).count(), 1);
    }
}
