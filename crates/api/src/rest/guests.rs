//! Exec and files of a guest, through the gateway.

use axum::Json;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use novacron_model::request::{ExecRequest, ExecResult, is_guest_path};
use novacron_model::{Object, Vm};
use novacron_store::object;
use serde_json::Value;

use super::call::Call;
use super::params::{Params, bad};
use super::payload::Payload;
use super::streams::{inward, outward};
use crate::problem::Answer;
use crate::resource::{Target, Typed, body, scope_uid};
use crate::state::Api;

const PATH_BYTES_MAX: usize = 4096;

pub async fn exec(call: Call, payload: Payload) -> Answer<Response> {
    call.params(&[])?;
    Ok(Json(run(&call.api, call.target(), payload.required()?).await?).into_response())
}

/// Runs a program; `body` is an [`ExecRequest`].
pub async fn run(api: &Api, target: Target<'_>, body: Value) -> Answer<ExecResult> {
    let request: ExecRequest = body::strict(body)?;
    if request.argv.is_empty() {
        return Err(bad("argv", "a program is needed"));
    }
    let vm = vm(api, target)?;
    Ok(api.gateway.exec(&vm, request).await?)
}

pub async fn pull(call: Call) -> Answer<Response> {
    let params = call.params(&["path"])?;
    let path = guest_path(&params)?;
    let vm = vm(&call.api, call.target())?;
    let content = call.api.gateway.pull(&vm, path).await?;
    let media = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((media, outward(&call, content)).into_response())
}

pub async fn push(call: Call, body: Body) -> Answer<Response> {
    let params = call.params(&["path"])?;
    let path = guest_path(&params)?;
    let vm = vm(&call.api, call.target())?;
    call.api.gateway.push(&vm, path, inward(body)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The VM that a request names.
pub fn vm(api: &Api, target: Target<'_>) -> Answer<Object<Vm>> {
    Typed::<Vm>::OPERATIONS.check_name(target.name)?;
    let at = api.store.snapshot();
    let scope = scope_uid(&at, target.project)?;
    Ok(object::expect::<Vm>(&at, scope, target.name)?)
}

fn guest_path(params: &Params) -> Answer<&str> {
    let path = params.text("path").ok_or_else(|| bad("path", "it is needed"))?;
    if !is_guest_path(path) || path.contains('\0') || path.len() > PATH_BYTES_MAX {
        return Err(bad("path", "not an absolute path"));
    }
    Ok(path)
}
