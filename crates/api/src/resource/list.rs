//! Pages of objects. A page by name or by label reads only what it shows: the key order of records
//! and of index rows is the order of names. Other orders gather keys first.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use novacron_model::{Code, Error, NameRule, key};
use novacron_store::{Record, Revision, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::edge;
use crate::problem::{Answer, Refusal};
use crate::state::Api;
use crate::table::Row;

pub const LIMIT: usize = 100;
pub const LIMIT_MAX: usize = 1000;

/// What a list asks for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Zero: [`LIMIT`].
    pub limit: usize,
    pub page_token: Option<String>,
    /// (key, value); an object must carry all.
    pub labels: Vec<(String, String)>,
    pub sort: Sort,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sort {
    #[default]
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDown,
    #[serde(rename = "created")]
    Created,
    #[serde(rename = "-created")]
    CreatedDown,
}

impl Sort {
    pub fn parse(text: &str) -> Answer<Self> {
        serde_json::from_value(Value::from(text)).map_err(|_| {
            let error = Error::invalid("sort", "that is no order of lists");
            Refusal::malformed(error.hint("write name, -name, created or -created"))
        })
    }
}

/// `KEY=VALUE`.
pub fn parse_label(text: &str) -> Answer<(String, String)> {
    let bad = || {
        let error = Error::invalid("label", "that is not a label selection");
        Refusal::malformed(error.hint("write KEY=VALUE"))
    };
    let (key, value) = text.split_once('=').ok_or_else(bad)?;
    let labels = std::collections::BTreeMap::from([(key.to_owned(), value.to_owned())]);
    novacron_model::meta::check_labels(&labels).map_err(|_| bad())?;
    Ok((key.to_owned(), value.to_owned()))
}

/// What a page token holds: where the former page ended, and in which list.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    /// The last object's sort key and name.
    after: (String, String),
    /// Hash over the list that it belongs to.
    list: String,
    /// Revision of the first page, for whoever compares.
    revision: u64,
}

/// One page, as it goes over the wire.
#[derive(Debug, Serialize)]
pub struct Page {
    items: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    revision: Revision,
    /// Objects of this page whose records another version wrote and this one cannot read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<Unreadable>,
}

#[derive(Debug, Serialize)]
struct Unreadable {
    name: String,
    reason: String,
}

/// Reads one page.
pub fn page(api: &Api, row: &Row, project: Option<&str>, query: &Query) -> Answer<Page> {
    let at = api.store.snapshot();
    let scope = super::scope_uid(&at, project)?;
    let list = fingerprint(row, scope, query);
    let position = query.page_token.as_deref().map(|text| decode(text, &list)).transpose()?;
    let limit = if query.limit == 0 { LIMIT } else { query.limit.min(LIMIT_MAX) };
    let prefix = row.ops.prefix(scope);
    let after = position.map(|position| position.after);
    let mut entries = match by_name(row, query.sort) {
        Some(false) => in_name_order(&at, &prefix, query, after.as_ref(), limit + 1),
        _ => in_other_order(&at, row, &prefix, query, after.as_ref(), limit + 1),
    };
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = more.then(|| entries.last().map(|last| encode(last, list, at.revision())));
    let (mut items, mut unreadable) = (Vec::with_capacity(entries.len()), Vec::new());
    for entry in &entries {
        match row.ops.show(api, &at, &at.family(&entry.family)) {
            Ok(shown) => items.extend(shown.map(|shown| shown.json)),
            Err(refusal) => {
                let name = entry.name().to_owned();
                unreadable.push(Unreadable { name, reason: refusal.error.to_string() });
            }
        }
    }
    Ok(Page { items, next_page_token: next.flatten(), revision: at.revision(), unreadable })
}

/// Whether an order is that of names, and if so whether it runs down. Names of tasks are UUIDv7
/// and sort by creation.
fn by_name(row: &Row, sort: Sort) -> Option<bool> {
    match (sort, row.names) {
        (Sort::Name, _) | (Sort::Created, NameRule::Uid) => Some(false),
        (Sort::NameDown, _) | (Sort::CreatedDown, NameRule::Uid) => Some(true),
        _ => None,
    }
}

struct Entry {
    family: String,
    /// What the list is sorted by.
    order: String,
}

impl Entry {
    fn name(&self) -> &str {
        self.family.rsplit('/').next().unwrap_or_default()
    }
}

/// Sorts behind every key of the family and before the next family: `$` follows `#`.
const BEHIND_SECTIONS: char = '$';

fn in_name_order(
    at: &Snapshot,
    prefix: &str,
    query: &Query,
    after: Option<&(String, String)>,
    count: usize,
) -> Vec<Entry> {
    let start = after.map(|(_, name)| format!("{prefix}{name}{BEHIND_SECTIONS}"));
    let start = start.as_deref().unwrap_or(prefix);
    let entry = |key: &str| Entry { family: key.to_owned(), order: String::new() };
    let Some(((name, value), _)) = query.labels.split_first() else {
        let own = at.scan(prefix, start).filter(|record| record.key.section().is_none());
        return own.take(count).map(|record| entry(record.key.as_str())).collect();
    };
    let label = key::label_index(name);
    let keys = at.index_keys(&label, value, start);
    keys.take_while(|key| key.as_str().starts_with(prefix))
        .filter(|key| at.get(key.as_str()).is_some_and(|record| carries(record, &query.labels)))
        .take(count)
        .map(|key| entry(key.as_str()))
        .collect()
}

fn in_other_order(
    at: &Snapshot,
    row: &Row,
    prefix: &str,
    query: &Query,
    after: Option<&(String, String)>,
    count: usize,
) -> Vec<Entry> {
    let mut all = in_name_order(at, prefix, query, None, usize::MAX);
    if by_name(row, query.sort).is_none() {
        for entry in &mut all {
            entry.order = at.get(&entry.family).map(created).unwrap_or_default();
        }
    }
    all.sort_by(|a, b| (&a.order, a.name()).cmp(&(&b.order, b.name())));
    if matches!(query.sort, Sort::NameDown | Sort::CreatedDown) {
        all.reverse();
    }
    let down = matches!(query.sort, Sort::NameDown | Sort::CreatedDown);
    let beyond = |entry: &Entry| {
        after.is_none_or(|(order, name)| {
            let here = (entry.order.as_str(), entry.name());
            let last = (order.as_str(), name.as_str());
            if down { here < last } else { here > last }
        })
    };
    all.into_iter().filter(beyond).take(count).collect()
}

/// When an object was created, as text that sorts; within a millisecond UUIDv7 keeps the order.
fn created(record: &Record) -> String {
    #[derive(Deserialize)]
    struct Own {
        meta: Meta,
    }
    #[derive(Deserialize)]
    struct Meta {
        created: novacron_model::Time,
        uid: Uuid,
    }
    let own: Option<Own> = serde_json::from_str(record.value.get()).ok();
    let order = |Own { meta }: Own| format!("{:020}{}", meta.created.0.max(0), meta.uid);
    own.map(order).unwrap_or_default()
}

/// Whether a spec record carries all labels.
pub fn carries(record: &Record, labels: &[(String, String)]) -> bool {
    labels.iter().all(|(name, value)| {
        let label = key::label_index(name);
        record.index.iter().any(|(row, held)| *row == label && held == value)
    })
}

fn fingerprint(row: &Row, scope: Option<Uuid>, query: &Query) -> String {
    let text = format!("{} {scope:?} {:?} {:?}", row.kind, query.labels, query.sort);
    edge::sha256_hex(text)[..16].to_owned()
}

fn encode(end: &Entry, list: String, revision: u64) -> String {
    let after = (end.order.clone(), end.name().to_owned());
    let position = Position { after, list, revision };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&position).unwrap_or_default())
}

fn decode(text: &str, list: &str) -> Answer<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let position: Option<Position> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    position.filter(|position| position.list == list).ok_or_else(|| {
        let error = Error::new(Code::Invalid, "that is not a page token of this list");
        error.at("page_token").hint("start again without page_token").into()
    })
}
