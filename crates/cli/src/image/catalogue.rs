//! The catalogue: `image catalogue`, and images that are imported by name at their first use.

use novacron_model::catalogue::{image_name, is_entry};
use serde_json::{Value, json};

use super::NOUN;
use crate::args::{LabelArgs, draft, put};
use crate::client::{Answer, Call};
use crate::failure::{Failure, NOT_FOUND, Result};
use crate::output;
use crate::session::{Session, now};
use crate::table::{Column, text};
use crate::{table, task};

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

/// The name of the image that an image is meant by; an entry of the catalogue is imported when it
/// has no image yet.
pub async fn resolve(session: &Session, name: &str) -> Result<String> {
    if !is_entry(name) {
        return Ok(name.to_owned());
    }
    let image = image_name(name);
    match session.read(&NOUN, &image).await {
        Ok(found) if is_failed_try(&found, name) => remove(session, &image).await?,
        Ok(_) => return Ok(image),
        Err(failure) if failure.exit == NOT_FOUND => {}
        Err(failure) => return Err(failure),
    }
    let answer = begin(session, name, &image, json!({}), &LabelArgs::default()).await?;
    let Some(task) = answer.task else { return Ok(image) };
    let done = task::until_done(session, &task, None).await;
    finish(session, &image, done).await?;
    output::note(format!("{} is ready", NOUN.called(&image)));
    Ok(image)
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

/// A failed import leaves no image behind, so that a file can be imported under its name.
pub async fn finish<T>(session: &Session, image: &str, done: Result<T>) -> Result<T> {
    if done.is_err()
        && let Ok(found) = session.read(&NOUN, image).await
        && text(&found, "/status/state") == "failed"
    {
        remove(session, image).await?;
    }
    done
}

fn is_failed_try(image: &Value, entry: &str) -> bool {
    text(image, "/status/state") == "failed" && text(image, "/spec/source/catalogue") == entry
}

async fn remove(session: &Session, image: &str) -> Result<()> {
    let call = Call::delete(NOUN.path(&session.project, image) + "?force=true");
    if let Some(task) = session.client.call(call).await?.task {
        task::until_done(session, &task, None).await?;
    }
    Ok(())
}
