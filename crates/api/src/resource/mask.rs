//! Secrets on their way out and in: what the store holds sealed is shown as set, and the sealed
//! form is never taken from a client.

use novacron_model::Error;
use serde_json::{Value, json};

use crate::problem::Answer;

/// Replaces every sealed secret of a spec.
pub fn mask(spec: &mut Value) {
    if is_sealed(spec) {
        *spec = json!({ "set": true });
        return;
    }
    match spec {
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(fields) => fields.values_mut().for_each(mask),
        _ => {}
    }
}

/// Refuses a body whose spec has a secret in a form that clients may not send: sealed, or set
/// where there is nothing to keep.
pub fn refuse_sealed(body: &Value) -> Answer<()> {
    match find(&body["spec"], "spec") {
        None => Ok(()),
        Some(field) => {
            let message = format!("{field} is a secret; write it as text");
            Err(Error::invalid(field, message).into())
        }
    }
}

/// Whether there is anything to mask in an object's text. Within a JSON string the quotes would be
/// escaped, so this is a key.
pub fn may_hold_sealed(json: &str) -> bool {
    json.contains("\"sealed\":")
}

pub fn is_sealed(value: &Value) -> bool {
    is_only(value, "sealed", Value::is_string)
}

pub fn is_set(value: &Value) -> bool {
    is_only(value, "set", Value::is_boolean)
}

fn is_only(value: &Value, key: &str, of: fn(&Value) -> bool) -> bool {
    value.as_object().is_some_and(|fields| fields.len() == 1 && fields.get(key).is_some_and(of))
}

fn find(value: &Value, path: &str) -> Option<String> {
    if is_sealed(value) || is_set(value) {
        return Some(path.to_owned());
    }
    match value {
        Value::Array(items) => {
            let mut each = items.iter().enumerate();
            each.find_map(|(index, item)| find(item, &format!("{path}[{index}]")))
        }
        Value::Object(fields) => {
            fields.iter().find_map(|(name, field)| find(field, &format!("{path}.{name}")))
        }
        _ => None,
    }
}
