//! JSON merge patches (RFC 7396) on the parts of an object that users may write.

use novacron_control::Resource;
use novacron_model::{Error, Meta, Object};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{body, mask};
use crate::problem::{Answer, Refusal};

/// The object as the patch wants it. `Err` when the patch touches what cannot be written.
pub fn apply<K: Resource>(old: &Object<K>, patch: &Value) -> Answer<Object<K>> {
    let Value::Object(parts) = patch else {
        return Err(Refusal::malformed(Error::invalid("", "a patch is a JSON object")));
    };
    let mut new = old.clone();
    for (name, part) in parts {
        match name.as_str() {
            "meta" => new.meta = patched_meta(&old.meta, part)?,
            "spec" => new.spec = patched_spec::<K>(&old.spec, part)?,
            _ => return Err(unknown(name)),
        }
    }
    Ok(new)
}

#[derive(Serialize, Deserialize)]
struct Notes {
    labels: std::collections::BTreeMap<String, String>,
    annotations: std::collections::BTreeMap<String, String>,
}

fn patched_meta(old: &Meta, patch: &Value) -> Answer<Meta> {
    let Value::Object(fields) = patch else {
        return Err(Refusal::malformed(Error::invalid("meta", "meta is a JSON object")));
    };
    let current = to_value(old)?;
    let mut notes = json!({ "labels": old.labels, "annotations": old.annotations });
    for (name, value) in fields {
        let slot = match notes.get_mut(name) {
            Some(slot) => slot,
            None if current.get(name) == Some(value) => continue,
            None if current.get(name).is_some() => {
                let field = format!("meta.{name}");
                let error = Error::invalid(field.clone(), format!("{field} cannot be changed"));
                return Err(error.into());
            }
            None => return Err(unknown(&format!("meta.{name}"))),
        };
        if !(value.is_object() || value.is_null()) {
            let field = format!("meta.{name}");
            let error = Error::invalid(field.clone(), format!("{field} is a JSON object"));
            return Err(Refusal::malformed(error));
        }
        merge(slot, value);
        if slot.is_null() {
            *slot = Value::Object(Map::new());
        }
    }
    let Notes { labels, annotations } = body::strict_merged(notes)?;
    Ok(Meta { labels, annotations, ..old.clone() })
}

/// Wrapped, so that paths of errors begin with `spec`.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct Wrapped<K: Resource> {
    spec: K::Spec,
}

fn patched_spec<K: Resource>(old: &K::Spec, patch: &Value) -> Answer<K::Spec> {
    if !patch.is_object() {
        return Err(Refusal::malformed(Error::invalid("spec", "spec is a JSON object")));
    }
    let mut spec = to_value(old)?;
    merge(&mut spec, patch);
    let wrapped: Wrapped<K> = body::strict_merged(json!({ "spec": spec }))?;
    Ok(wrapped.spec)
}

/// Merges `patch` into `target`: null takes away, objects merge, the rest replaces. A secret sent
/// back as it was shown stays.
pub fn merge(target: &mut Value, patch: &Value) {
    if mask::is_set(patch) && mask::is_sealed(target) {
        return;
    }
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() || mask::is_sealed(target) {
        *target = Value::Object(Map::new());
    }
    let Value::Object(into) = target else { return };
    for (name, value) in fields {
        if value.is_null() {
            into.remove(name);
        } else {
            merge(into.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

fn unknown(field: &str) -> Refusal {
    let field: String = field.chars().filter(|c| !c.is_control()).take(256).collect();
    let error = Error::invalid(field.clone(), format!("there is no field {field}"));
    Refusal::malformed(error.hint("a patch may have meta.labels, meta.annotations and spec"))
}

fn to_value<T: Serialize>(value: &T) -> Answer<Value> {
    serde_json::to_value(value).map_err(|error| Error::internal(error.to_string()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_follows_the_examples_of_the_rfc() {
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (mut target, patch, wanted) in cases {
            merge(&mut target, &patch);
            assert_eq!(target, wanted, "{patch}");
        }
    }

    #[test]
    fn a_secret_sent_back_as_shown_stays() {
        let mut spec = json!({ "password": { "sealed": "abc" }, "x": 1 });
        merge(&mut spec, &json!({ "password": { "set": true }, "x": 2 }));
        assert_eq!(spec, json!({ "password": { "sealed": "abc" }, "x": 2 }));
        merge(&mut spec, &json!({ "password": "new" }));
        assert_eq!(spec["password"], "new");
    }
}
