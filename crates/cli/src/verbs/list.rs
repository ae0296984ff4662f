//! `list`: all pages of a collection, as a table or as they came.

use clap::Args;
use serde_json::Value;

use crate::client::path::query;
use crate::failure::{Failure, Result};
use crate::noun::Noun;
use crate::output;
use crate::session::{Session, now};
use crate::table::{self, text};

/// The API's largest page.
const PAGE: usize = 1000;

#[derive(Debug, Clone, Default, Args)]
pub struct ListArgs {
    /// Only objects with this label (KEY=VALUE); may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<String>,

    /// Order by name, -name, created or -created
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true,
        value_parser = ["name", "-name", "created", "-created"])]
    pub sort: Option<String>,

    /// Show at most this many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// Prints the objects that `keep` lets through.
pub async fn list(
    session: &Session,
    noun: &Noun,
    args: &ListArgs,
    keep: impl Fn(&Value) -> bool,
) -> Result<()> {
    let objects = objects(session, &noun.collection(&session.project), args, keep).await?;
    if session.is_table() && objects.is_empty() {
        output::note(format!("no {}", noun.many()));
        return Ok(());
    }
    let shown = Value::Array(objects);
    let objects = shown.as_array().map(Vec::as_slice).unwrap_or_default();
    output::value(session.format, &shown, || table::list(noun.columns, objects, now()))
}

/// Reads page after page until the end, or until there are as many as asked for.
pub async fn objects(
    session: &Session,
    collection: &str,
    args: &ListArgs,
    keep: impl Fn(&Value) -> bool,
) -> Result<Vec<Value>> {
    let (mut objects, mut page_token) = (Vec::new(), None::<String>);
    let enough = args.limit.unwrap_or(usize::MAX);
    loop {
        let limit = enough.clamp(1, PAGE).to_string();
        let mut pairs = vec![("limit", limit.as_str())];
        pairs.extend(args.labels.iter().map(|label| ("label", label.as_str())));
        pairs.extend(args.sort.iter().map(|sort| ("sort", sort.as_str())));
        pairs.extend(page_token.iter().map(|token| ("page_token", token.as_str())));
        let mut page = session.client.get(&format!("{collection}{}", query(pairs))).await?;
        let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
            return Err(Failure::failed("the server's answer is not a page of a list"));
        };
        objects.extend(items.into_iter().filter(|item| keep(item)));
        unreadable(&page);
        page_token = page.get("next_page_token").and_then(Value::as_str).map(str::to_owned);
        if objects.len() >= enough || page_token.is_none() {
            objects.truncate(enough);
            return Ok(objects);
        }
    }
}

/// Says on stderr what is there and cannot be shown.
fn unreadable(page: &Value) {
    for object in page.get("unreadable").and_then(Value::as_array).into_iter().flatten() {
        output::note(format!("\"{}\": {}", text(object, "/name"), text(object, "/reason")));
    }
}
