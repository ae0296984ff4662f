//! From a request's JSON to a typed value, strictly.

use novacron_model::strict;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::{Answer, Refusal};

/// Decodes a body that a client sent.
pub fn strict<T: Serialize + DeserializeOwned>(body: Value) -> Answer<T> {
    strict::decode(body).map_err(Refusal::malformed)
}

/// Decodes what a patch made of an object: well-formed, so what is wrong is its meaning.
pub fn strict_merged<T: Serialize + DeserializeOwned>(merged: Value) -> Answer<T> {
    strict::decode(merged).map_err(Refusal::from)
}

/// JSON knows no integers: `2.0` is the same number as `2`, and some clients write it so.
pub fn whole_numbers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Number(number) if number.is_f64() => {
            // Up to 2^53 every integer has its own float.
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15);
            if let Some(whole) = float.and_then(|float| format!("{float:.0}").parse::<i64>().ok()) {
                *value = whole.into();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use novacron_model::Vm;
    use novacron_model::request::Draft;
    use serde_json::json;

    use super::*;

    fn field_at_fault(body: Value) -> Option<String> {
        strict::<Draft<Vm>>(body).err().and_then(|refusal| refusal.error.field)
    }

    #[test]
    fn refusals_name_the_field() {
        let meta = json!({ "name": "web" });
        let with = |spec: Value| field_at_fault(json!({ "meta": meta, "spec": spec }));
        assert_eq!(with(json!({})), None);
        assert_eq!(with(json!({ "cpus": "two" })).as_deref(), Some("spec.cpus"));
        assert_eq!(with(json!({ "cpu": 2 })).as_deref(), Some("spec.cpu"));
        assert_eq!(
            with(json!({ "disks": [{ "name": "a" }, { "name": "b", "sise": 1 }] })).as_deref(),
            Some("spec.disks[1].sise")
        );
        assert_eq!(with(json!({ "disks": [{}] })).as_deref(), Some("spec.disks[0].name"));
        assert_eq!(
            with(json!({ "cloud_init": { "hostnam": "x" } })).as_deref(),
            Some("spec.cloud_init.hostnam")
        );
        assert_eq!(with(json!({ "disks": [["root"]] })).as_deref(), Some("spec.disks[0]"));
        assert_eq!(with(json!({ "cloud_init": [] })).as_deref(), Some("spec.cloud_init"));
        assert_eq!(with(json!([])).as_deref(), Some("spec"));
        assert_eq!(with(json!({ "image": "../x" })).as_deref(), Some("spec.image"));
        assert_eq!(field_at_fault(json!({ "meta": meta })).as_deref(), Some("spec"));
    }
}
