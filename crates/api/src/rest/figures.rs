//! Figures of VMs and nodes.

use axum::Json;
use axum::response::{IntoResponse, Response};

use super::call::Call;
use super::params::Params;
use crate::figures::{self, parse_since};
use crate::problem::Answer;

pub async fn vm(call: Call) -> Answer<Response> {
    let since = since(&call)?;
    Ok(Json(figures::of_vm(&call.api, call.target(), since).await?).into_response())
}

pub async fn node(call: Call) -> Answer<Response> {
    let since = since(&call)?;
    Ok(Json(figures::of_node(&call.api, &call.name, since).await?).into_response())
}

pub async fn vms(call: Call) -> Answer<Response> {
    let params = json(&call, &["names"])?;
    let names = params.text("names");
    let names = names.map(|names| names.split(',').map(str::to_owned).collect::<Vec<_>>());
    let list = figures::of_vms(&call.api, call.project(), names.as_deref()).await?;
    Ok(Json(list).into_response())
}

pub async fn nodes(call: Call) -> Answer<Response> {
    json(&call, &[])?;
    Ok(Json(figures::of_nodes(&call.api).await?).into_response())
}

fn since(call: &Call) -> Answer<Option<novacron_model::Time>> {
    json(call, &["since"])?.text("since").map(parse_since).transpose()
}

fn json(call: &Call, known: &[&str]) -> Answer<Params> {
    let params = call.params(known)?;
    call.accepts("application/json")?;
    Ok(params)
}
