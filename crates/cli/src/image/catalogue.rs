//! The catalogue: `image catalogue`, and imports by name.

use serde_json::{Value, json};

use super::NOUN;
use crate::args::{LabelArgs, draft, put};
use crate::client::Answer;
use crate::failure::{Failure, NOT_FOUND, Result};
use crate::output;
use crate::session::{Session, now};
use crate::table;
use crate::table::{Column, text};

const PATH: &str = "/v1/catalogue";

const COLUMNS: &[Column] = &[
    Column::new("Name", |entry, _| text(entry, "/name")),
    Column::new("OS", |entry, _| text(entry, "/os")),
    Column::new("URL", |entry, _| text(entry, "/url")),
];

pub async fn list(session: &Session) -> Result<()> {
    let entries = entries(session).await?;
    let value = Value::Array(entries.clone());
    output::value(session.format, &value, || table::list(COLUMNS, &entries, now()))
}

async fn entries(session: &Session) -> Result<Vec<Value>> {
    let mut listed = session.client.get(PATH).await?;
    Ok(listed
        .get_mut("items")
        .and_then(Value::as_array_mut)
        .map(std::mem::take)
        .unwrap_or_default())
}

/// Creates the image of an entry. What its draft says beside is the caller's.
pub async fn begin(
    session: &Session,
    entry: &str,
    image: &str,
    mut spec: Value,
    labels: &LabelArgs,
) -> Result<Answer> {
    let entries = entries(session).await?;
    let found = entries.iter().find(|found| text(found, "/name") == entry).ok_or_else(|| {
        Failure::new(NOT_FOUND, format!("the catalogue has no \"{entry}\""))
            .hint("`novacron image catalogue` lists what there is")
    })?;
    spec["source"] = json!({"catalogue": entry});
    if spec.get("os").is_none() {
        put(&mut spec, "os", found.get("os").and_then(Value::as_str));
    }
    session.create(&NOUN, &draft(image, labels, &spec)).await
}
