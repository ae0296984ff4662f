//! The roll: one record that every change of membership writes, with the highest number that was
//! ever given. As part of each such transaction it keeps numbers from being given twice and two
//! changes from being decided on the same state.

use novacron_model::{Error, Member, Result};
use novacron_store::{Key, Put, Snapshot, Txn, object};
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;

use crate::admission::unchanged_record;

const KEY: &str = "members/roll";

/// More numbers than anybody gives between two backups.
const LEAP: u64 = 1000;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Roll {
    /// Also of members that are gone.
    last: u64,
}

/// The number of the next member.
pub(super) fn next(at: &Snapshot) -> Result<u64> {
    Ok(read(at)?.last + 1)
}

/// Notes a number as given.
pub(super) fn enter(txn: &mut Txn, at: &Snapshot, number: u64) -> Result<()> {
    write(txn, at, &Roll { last: read(at)?.last.max(number) })
}

/// Leaves room: the members of a cluster that a backup was made of may still run, under numbers given
/// after it.
pub(super) fn leap(txn: &mut Txn, at: &Snapshot) -> Result<()> {
    write(txn, at, &Roll { last: read(at)?.last + LEAP })
}

/// Notes that membership changes.
pub(super) fn touch(txn: &mut Txn, at: &Snapshot) -> Result<()> {
    write(txn, at, &read(at)?)
}

fn read(at: &Snapshot) -> Result<Roll> {
    let wrong = |error: serde_json::Error| Error::internal(format!("record {KEY}: {error}"));
    let noted = at.get(KEY).map(|record| serde_json::from_str(record.value.get()).map_err(wrong));
    let noted: Roll = noted.transpose()?.unwrap_or_default();
    let there = object::list::<Member>(at, None);
    let there = there.iter().map(|member| member.spec.number).max().unwrap_or(0);
    Ok(Roll { last: noted.last.max(there) })
}

fn write(txn: &mut Txn, at: &Snapshot, roll: &Roll) -> Result<()> {
    unchanged_record(txn, at, KEY);
    let value = to_raw_value(roll).map_err(|error| Error::internal(error.to_string()))?;
    txn.puts.push(Put { key: Key::new(KEY), value, index: Vec::new() });
    Ok(())
}
