//! From JSON to a typed value, strictly: unknown fields are refused, and every refusal names the
//! field at fault.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Code, Error, Result};

/// Decodes what somebody else wrote.
pub fn decode<T: Serialize + DeserializeOwned>(body: Value) -> Result<T> {
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
