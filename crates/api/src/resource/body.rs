//! From JSON to a typed value, strictly: unknown fields are refused, and every refusal names the
//! field at fault.

use novacron_model::{Code, Error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::{Answer, Refusal};

/// Decodes a body that a client sent.
pub fn strict<T: Serialize + DeserializeOwned>(body: Value) -> Answer<T> {
    decode(body).map_err(Refusal::malformed)
}

/// Decodes what a patch made of an object: well-formed, so what is wrong is its meaning.
pub fn strict_merged<T: Serialize + DeserializeOwned>(merged: Value) -> Answer<T> {
    decode(merged).map_err(Refusal::from)
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

fn decode<T: Serialize + DeserializeOwned>(body: Value) -> Result<T, Error> {
    let sent = body.clone();
    let mut track = serde_path_to_error::Track::new();
    let mut unknown = None;
    let tracked = serde_path_to_error::Deserializer::new(body, &mut track);
    let decoded = serde_ignored::deserialize(tracked, |path| {
        unknown.get_or_insert_with(|| indexed(&plain(&path.to_string())));
    });
    let value = decoded.map_err(|error| wrong(&track.path().to_string(), &error.to_string()))?;
    let read = serde_json::to_value(&value).unwrap_or_default();
    if let Some((path, what)) = lenient(&sent, &read, "") {
        return Err(wrong(&path, what));
    }
    match unknown {
        None => Ok(value),
        Some(path) => Err(Error::invalid(path.clone(), format!("there is no field {path}"))
            .hint("/v1/openapi.json lists the fields")),
    }
}

/// What serde lets through and the document does not: an array as an object's fields in their
/// order, integers beyond 63 bits.
fn lenient(sent: &Value, read: &Value, path: &str) -> Option<(String, &'static str)> {
    match (sent, read) {
        (Value::Array(_), Value::Object(_)) => {
            Some((path.to_owned(), "an array stands where an object belongs"))
        }
        (Value::Number(number), _) if number.is_u64() && !number.is_i64() => {
            Some((path.to_owned(), "the number is too large"))
        }
        (Value::Array(sent), Value::Array(read)) => {
            let mut pairs = sent.iter().zip(read).enumerate();
            pairs.find_map(|(n, (sent, read))| lenient(sent, read, &format!("{path}[{n}]")))
        }
        (Value::Object(sent), Value::Object(read)) => sent.iter().find_map(|(name, sent)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            lenient(sent, read.get(name).unwrap_or(&Value::Null), &path)
        }),
        _ => None,
    }
}

fn wrong(path: &str, message: &str) -> Error {
    let path = plain(path);
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    let field = match (path.as_str(), missing) {
        ("", Some(missing)) => missing.to_owned(),
        (path, Some(missing)) => format!("{path}.{missing}"),
        (path, None) => path.to_owned(),
    };
    if field.is_empty() {
        return Error::new(Code::Invalid, message);
    }
    Error::invalid(field.clone(), format!("{field}: {message}"))
}

/// The path without the marks of optional values; cut if a client made it long.
fn plain(path: &str) -> String {
    let parts = path.split('.').filter(|part| *part != "?" && !part.is_empty());
    let path = parts.collect::<Vec<_>>().join(".");
    path.chars().filter(|c| !c.is_control()).take(256).collect()
}

/// `disks.1.size` → `disks[1].size`.
fn indexed(path: &str) -> String {
    let mut out = String::new();
    for part in path.split('.') {
        if !out.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            out.extend(["[", part, "]"]);
            continue;
        }
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(part);
    }
    out
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
