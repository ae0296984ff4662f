//! Exports, through the gateway: files that browsers save and the command line writes.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use novacron_model::{Name, Object, Vm, Volume};
use novacron_store::object;

use super::call::Call;
use super::params::{Params, bad};
use super::streams::{outward, while_read};
use crate::gateway::Content;
use crate::problem::Answer;
use crate::resource::{Typed, scope_uid};

pub async fn of_volume(call: Call) -> Answer<Response> {
    let params = call.params(&["format", "snapshot"])?;
    let format = params.word("format")?.unwrap_or_default();
    let snapshot = snapshot(&params)?;
    let volume = find::<Volume>(&call)?;
    let content = call.api.gateway.export_volume(&volume, snapshot, format).await?;
    Ok(file(&call, content, &named(&call.name, snapshot, format.as_str())))
}

pub async fn of_vm(call: Call) -> Answer<Response> {
    let params = call.params(&["snapshot"])?;
    let snapshot = snapshot(&params)?;
    let vm = find::<Vm>(&call)?;
    let content = call.api.gateway.export_vm(&vm, snapshot).await?;
    Ok(file(&call, content, &named(&call.name, snapshot, "tar")))
}

fn find<K: novacron_control::Resource>(call: &Call) -> Answer<Object<K>> {
    Typed::<K>::OPERATIONS.check_name(&call.name)?;
    let at = call.api.store.snapshot();
    let scope = scope_uid(&at, call.project())?;
    Ok(object::expect::<K>(&at, scope, &call.name)?)
}

/// `SNAPSHOT` or `VM.SNAPSHOT`.
fn snapshot(params: &Params) -> Answer<Option<&str>> {
    let Some(name) = params.text("snapshot") else { return Ok(None) };
    if name.split('.').count() > 2 || name.split('.').any(|part| Name::new(part).is_err()) {
        return Err(bad("snapshot", "not the name of a snapshot"));
    }
    Ok(Some(name))
}

/// What a browser calls the file: `data.qcow2`, `data-before.qcow2`.
fn named(name: &str, snapshot: Option<&str>, end: &str) -> String {
    match snapshot.and_then(|snapshot| snapshot.rsplit('.').next()) {
        Some(snapshot) => format!("{name}-{snapshot}.{end}"),
        None => format!("{name}.{end}"),
    }
}

fn file(call: &Call, content: Content, name: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, content.size.to_string()),
        // Names are labels: nothing in them is to be quoted.
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, outward(call, while_read(content.bytes))).into_response()
}
