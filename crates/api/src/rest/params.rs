//! Query parameters, strictly: unknown and repeated ones are refused, and each refusal names the
//! parameter.

use std::ops::RangeInclusive;

use novacron_model::Error;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::{Answer, Refusal};

/// The only parameter that may be given several times.
const REPEATABLE: &str = "label";

#[derive(Debug)]
pub struct Params(Vec<(String, String)>);

impl Params {
    pub fn parse(query: &str, known: &[&str]) -> Answer<Self> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
                let message = format!("there is no parameter \"{name}\" here");
                let hint = match known {
                    [] => "this path takes none".to_owned(),
                    _ => format!("known are {}", known.join(", ")),
                };
                return Err(Refusal::malformed(Error::invalid(name, message).hint(hint)));
            }
            if name != REPEATABLE && pairs.iter().any(|(held, _)| *held == name) {
                return Err(bad(&name, "given more than once"));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    pub fn flag(&self, name: &str) -> Answer<bool> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(bad(name, "not true or false")),
        }
    }

    pub fn number(&self, name: &str, range: RangeInclusive<u64>) -> Answer<Option<u64>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| plain && range.contains(number));
        let (start, end) = (range.start(), range.end());
        number.map(Some).ok_or_else(|| bad(name, &format!("not a number from {start} to {end}")))
    }

    /// One of the words of an enumeration.
    pub fn word<T: DeserializeOwned>(&self, name: &str) -> Answer<Option<T>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        serde_json::from_value(Value::from(text))
            .map(Some)
            .map_err(|error| bad(name, &error.to_string()))
    }
}

pub fn bad(name: &str, what: &str) -> Refusal {
    Refusal::malformed(Error::invalid(name, format!("{name}: {what}")))
}
