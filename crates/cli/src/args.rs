//! Reading what people type as arguments.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;
use novacron_model::{Error, Seconds};
use serde_json::{Value, json};

/// A value parser that says the hint, too.
pub fn typed<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: Error| match error.hint {
        Some(hint) => format!("{}; {hint}", error.message),
        None => error.message,
    })
}

/// Whether and how long to wait for a task.
#[derive(Debug, Clone, Default, Args)]
pub struct WaitArgs {
    /// Print the task's id and do not wait for it
    #[arg(long)]
    pub no_wait: bool,

    /// Wait no longer than this (60s, 5m); the task itself goes on
    #[arg(long, value_name = "DURATION", value_parser = typed::<Seconds>)]
    pub timeout: Option<Seconds>,
}

/// Labels to set or, in the form `KEY-`, to remove.
#[derive(Debug, Clone, Default, Args)]
pub struct LabelArgs {
    /// Set a label (KEY=VALUE) or remove it (KEY-); may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, Option<String>)>,
}

impl LabelArgs {
    /// As a merge patch of `meta.labels`; none when nothing was asked for.
    pub fn patch(&self) -> Option<Value> {
        let labels: BTreeMap<&str, Option<&str>> =
            self.labels.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        (!labels.is_empty()).then(|| json!(labels))
    }
}

fn label(text: &str) -> Result<(String, Option<String>), String> {
    match (text.split_once('='), text.strip_suffix('-')) {
        (Some((key, value)), _) if !key.is_empty() => Ok((key.to_owned(), Some(value.to_owned()))),
        (None, Some(key)) if !key.is_empty() => Ok((key.to_owned(), None)),
        _ => Err("write KEY=VALUE, or KEY- to remove the label".to_owned()),
    }
}

/// A new object with its labels.
pub fn draft(name: &str, labels: &LabelArgs, spec: &Value) -> Value {
    let labels: BTreeMap<&str, &str> = labels
        .labels
        .iter()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_deref()?)))
        .collect();
    if labels.is_empty() {
        return json!({"meta": {"name": name}, "spec": spec});
    }
    json!({"meta": {"name": name, "labels": labels}, "spec": spec})
}

/// Adds `value` to an object under `key`, where there is one.
pub fn put<T: Into<Value>>(object: &mut Value, key: &str, value: Option<T>) {
    if let Some(value) = value {
        object[key] = value.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_set_and_removed() {
        assert_eq!(label("a=b=c"), Ok(("a".into(), Some("b=c".into()))));
        assert_eq!(label("a="), Ok(("a".into(), Some(String::new()))));
        assert_eq!(label("a-"), Ok(("a".into(), None)));
        for bad in ["", "a", "=b", "-"] {
            assert!(label(bad).is_err(), "{bad}");
        }
        let args = LabelArgs { labels: vec![("a".into(), Some("1".into())), ("b".into(), None)] };
        assert_eq!(args.patch(), Some(json!({"a": "1", "b": null})));
        let draft = draft("web", &args, &json!({}));
        assert_eq!(draft, json!({"meta": {"name": "web", "labels": {"a": "1"}}, "spec": {}}));
    }

    #[test]
    fn a_wrong_value_is_answered_with_its_hint() {
        let error = typed::<Seconds>("soon").unwrap_err();
        assert!(error.contains("\"soon\"") && error.contains("60s"), "{error}");
    }
}
