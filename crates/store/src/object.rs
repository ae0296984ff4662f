//! Typed objects on top of opaque records.
//!
//! An object is a family: the record `meta + spec` under the object's key, and one record for each
//! status section behind `#`. Reading assembles them. Writing applies the *difference* between
//! what the writer read and what it wants to the stored document, so fields that this version does
//! not know survive at any depth.

use std::collections::BTreeMap;

use novacron_model::{Error, Kind, Meta, Object, Result, Time, key};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::key::Key;
use crate::snapshot::{Record, Snapshot};
use crate::txn::{Precondition, Put, Txn};

#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct Stored<K: Kind> {
    meta: Meta,
    spec: K::Spec,
}

/// Assembles an object from the records of its family. `None`: there is no spec record.
/// `Err`: a record cannot be decoded by this version.
pub fn assemble<K: Kind>(records: &[&Record]) -> Result<Option<Object<K>>> {
    let Some(own) = records.iter().find(|record| record.key.section().is_none()) else {
        return Ok(None);
    };
    let Stored::<K> { mut meta, spec } = decode(own)?;
    meta.revision = own.revision;
    let mut status: K::Status = serde_json::from_str(&joined_sections(records))
        .map_err(|error| undecodable(&own.key, &error))?;
    K::summarize(&meta, &spec, &mut status);
    Ok(Some(Object { meta, spec, status }))
}

/// The status as one JSON object, with a field for each section. Sections with a `/` in their name,
/// `LIST/ITEM`, are the items of a list, which has a writer for each.
fn joined_sections(records: &[&Record]) -> String {
    let mut fields: Vec<String> = Vec::new();
    let mut lists: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for record in records {
        let Some(name) = record.key.section() else { continue };
        match name.split_once('/') {
            Some((list, _)) => lists.entry(list).or_default().push(record.value.get()),
            None => fields.push(format!("\"{name}\":{}", record.value.get())),
        }
    }
    fields.extend(lists.iter().map(|(name, items)| format!("\"{name}\":[{}]", items.join(","))));
    format!("{{{}}}", fields.join(","))
}

fn decode<T: DeserializeOwned>(record: &Record) -> Result<T> {
    serde_json::from_str(record.value.get()).map_err(|error| undecodable(&record.key, &error))
}

fn undecodable(key: &Key, error: &serde_json::Error) -> Error {
    Error::internal(format!("record {key} cannot be read by this version: {error}"))
}

/// Reads one object by name. `project` is the project's uid for kinds that live in one.
pub fn get<K: Kind>(at: &Snapshot, project: Option<Uuid>, name: &str) -> Result<Option<Object<K>>> {
    assemble(&at.family(&key::object::<K>(project, name)))
}

/// Like [`get`], but a missing object is an error.
pub fn expect<K: Kind>(at: &Snapshot, project: Option<Uuid>, name: &str) -> Result<Object<K>> {
    get(at, project, name)?.ok_or_else(|| Error::not_found(K::KIND, name))
}

/// The object behind a family key.
pub fn by_key<K: Kind>(at: &Snapshot, family: &str) -> Result<Option<Object<K>>> {
    assemble(&at.family(family))
}

/// All objects of a kind in a project (or everywhere), in name order. Records that cannot be
/// decoded are skipped with a warning.
pub fn list<K: Kind>(at: &Snapshot, project: Option<Uuid>) -> Vec<Object<K>> {
    let prefix = key::prefix::<K>(project);
    let mut families: Vec<Vec<&Record>> = Vec::new();
    for record in at.scan(&prefix, &prefix) {
        match families.last_mut() {
            Some(last) if last[0].key.family() == record.key.family() => last.push(record),
            _ => families.push(vec![record]),
        }
    }
    families.iter().filter_map(|records| skip_broken(assemble(records))).collect()
}

/// Objects of a kind that carry an index row, in key order.
pub fn indexed<K: Kind>(at: &Snapshot, name: &str, value: &str) -> Vec<Object<K>> {
    let prefix = format!("{}/", K::KIND);
    let families = at.indexed(name, value, "");
    let ours = families.iter().filter(|family| family.as_str().starts_with(&prefix));
    ours.filter_map(|family| skip_broken(by_key(at, family.as_str()))).collect()
}

fn skip_broken<K: Kind>(assembled: Result<Option<Object<K>>>) -> Option<Object<K>> {
    assembled.unwrap_or_else(|error| {
        tracing::warn!(%error, "record skipped");
        None
    })
}

/// Index rows of an object's labels.
pub fn label_rows(meta: &Meta) -> Vec<(String, String)> {
    meta.labels.iter().map(|(name, value)| (key::label_index(name), value.clone())).collect()
}

/// Adds the creation of an object: refused if the name is taken.
pub fn create<K: Kind>(
    txn: &mut Txn,
    project: Option<Uuid>,
    object: &Object<K>,
    index: Vec<(String, String)>,
) -> Result<()> {
    let key = Key::from(key::object::<K>(project, &object.meta.name));
    txn.preconditions.push(Precondition::Absent(key.clone()));
    let stored = stored_form(&object.meta, &object.spec)?;
    put_value(txn, key, &stored, index)
}

/// Adds an update of an object's meta and spec. The write is refused if the record has changed
/// since `old` was read. `generation` rises when the spec differs.
pub fn update<K: Kind>(
    txn: &mut Txn,
    at: &Snapshot,
    project: Option<Uuid>,
    old: &Object<K>,
    new: &Object<K>,
    index: Vec<(String, String)>,
) -> Result<()> {
    let key = Key::from(key::object::<K>(project, &old.meta.name));
    let record = at.get(key.as_str());
    let record = record.ok_or_else(|| Error::not_found(K::KIND, &old.meta.name))?;
    let mut meta = new.meta.clone();
    if new.spec != old.spec {
        meta.generation = meta.generation.max(old.meta.generation + 1);
    }
    let mut stored: Value = decode(record)?;
    let read = stored_form(&old.meta, &old.spec)?;
    let wanted = stored_form(&meta, &new.spec)?;
    apply_difference(&mut stored, &read, &wanted);
    txn.preconditions.push(Precondition::At(key.clone(), old.meta.revision));
    put_value(txn, key, &stored, index)
}

/// Adds a write of a status section, without a precondition: sections have one writer.
pub fn put_section<T: Serialize + DeserializeOwned>(
    txn: &mut Txn,
    at: &Snapshot,
    object: &str,
    section: &str,
    value: &T,
    index: Vec<(String, String)>,
) -> Result<()> {
    let key = Key::from(key::section(object, section));
    let wanted = to_value(value)?;
    let mut stored = match at.get(key.as_str()) {
        None => wanted.clone(),
        Some(record) => decode(record)?,
    };
    if let Some(read) = at.get(key.as_str()).and_then(|record| decode::<T>(record).ok()) {
        apply_difference(&mut stored, &to_value(&read)?, &wanted);
    } else {
        stored = wanted;
    }
    put_value(txn, key, &stored, index)
}

/// Adds the deletion of an object with all its sections, if the spec is still as it was read.
pub fn remove<K: Kind>(txn: &mut Txn, at: &Snapshot, project: Option<Uuid>, object: &Object<K>) {
    let key = key::object::<K>(project, &object.meta.name);
    txn.preconditions.push(Precondition::At(Key::new(&key), object.meta.revision));
    txn.deletes.extend(at.family(&key).into_iter().map(|record| record.key.clone()));
}

/// Marks an object for deletion; its owners clean up and the last one removes it.
pub fn mark_deleting<K: Kind>(object: &Object<K>, now: Time) -> Object<K> {
    let mut marked = object.clone();
    if marked.meta.deleting.is_none() {
        marked.meta.deleting = Some(now);
        marked.meta.generation += 1;
    }
    marked
}

fn stored_form<S: Serialize>(meta: &Meta, spec: &S) -> Result<Value> {
    let mut meta = to_value(meta)?;
    if let Some(fields) = meta.as_object_mut() {
        fields.remove("revision");
    }
    Ok(Value::Object(Map::from_iter([
        ("meta".to_owned(), meta),
        ("spec".to_owned(), to_value(spec)?),
    ])))
}

fn to_value<T: Serialize>(value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::internal(error.to_string()))
}

fn put_value(
    txn: &mut Txn,
    key: Key,
    value: &impl Serialize,
    index: Vec<(String, String)>,
) -> Result<()> {
    let text = serde_json::to_string(value).map_err(|error| Error::internal(error.to_string()))?;
    let value = RawValue::from_string(text).map_err(|error| Error::internal(error.to_string()))?;
    txn.puts.push(Put { key, value, index });
    Ok(())
}

/// Changes `stored` where `wanted` differs from `read`, and leaves the rest alone.
pub fn apply_difference(stored: &mut Value, read: &Value, wanted: &Value) {
    if read == wanted {
        return;
    }
    match (&mut *stored, read, wanted) {
        (Value::Object(stored), Value::Object(read), Value::Object(wanted)) => {
            for gone in read.keys().filter(|field| !wanted.contains_key(*field)) {
                stored.remove(gone);
            }
            for (field, value) in wanted {
                match (stored.get_mut(field), read.get(field)) {
                    (Some(slot), Some(before)) => apply_difference(slot, before, value),
                    _ => {
                        stored.insert(field.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(stored), Value::Array(read), Value::Array(wanted))
            if stored.len() == read.len() && read.len() == wanted.len() =>
        {
            for ((slot, before), value) in stored.iter_mut().zip(read).zip(wanted) {
                apply_difference(slot, before, value);
            }
        }
        (slot, _, _) => *slot = wanted.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    #[test]
    fn sections_with_a_slash_are_items_of_a_list() {
        let record = |key: &str, value: &str| Record {
            key: Key::new(key),
            value: Arc::from(RawValue::from_string(value.to_owned()).unwrap()),
            revision: 1,
            index: Vec::new().into(),
        };
        let records = [
            record("network/P/lan", "{}"),
            record("network/P/lan#nodes/a", "1"),
            record("network/P/lan#nodes/b", "2"),
            record("network/P/lan#other", "3"),
        ];
        let joined = joined_sections(&records.iter().collect::<Vec<_>>());
        let joined: Value = serde_json::from_str(&joined).unwrap();
        assert_eq!(joined, json!({"nodes": [1, 2], "other": 3}));
    }

    #[test]
    fn unknown_fields_survive_a_write() {
        let mut stored = json!({"a": 1, "new": {"x": 1}, "list": [{"b": 1, "new": 2}]});
        let read = json!({"a": 1, "c": 3, "list": [{"b": 1}]});
        let wanted = json!({"a": 2, "list": [{"b": 5}]});
        apply_difference(&mut stored, &read, &wanted);
        assert_eq!(stored, json!({"a": 2, "new": {"x": 1}, "list": [{"b": 5, "new": 2}]}));
    }
}
