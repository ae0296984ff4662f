//! Logs of VMs and nodes, through the gateway: their end, and what comes.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use novacron_model::Node;
use novacron_model::request::LogSource;
use novacron_store::object;

use super::call::Call;
use super::guests::vm;
use super::params::Params;
use super::streams::outward;
use crate::gateway::ByteStream;
use crate::problem::Answer;
use crate::resource::Typed;

const TAIL: u64 = 64 << 10;
const TAIL_MAX: u64 = 64 << 20;

pub async fn of_vm(call: Call) -> Answer<Response> {
    let params = call.params(&["source", "tail", "follow"])?;
    let source: LogSource = params.word("source")?.unwrap_or_default();
    let (tail, follow) = extent(&params)?;
    let vm = vm(&call.api, call.target())?;
    let log = call.api.gateway.log(&vm, source, tail, follow).await?;
    Ok(plain(&call, log))
}

pub async fn of_node(call: Call) -> Answer<Response> {
    let params = call.params(&["tail", "follow"])?;
    let (tail, follow) = extent(&params)?;
    Typed::<Node>::OPERATIONS.check_name(&call.name)?;
    let node = object::expect::<Node>(&call.api.store.snapshot(), None, &call.name)?;
    let log = call.api.gateway.node_log(&node, tail, follow).await?;
    Ok(plain(&call, log))
}

/// How many of the newest bytes, and whether to go on.
fn extent(params: &Params) -> Answer<(u64, bool)> {
    Ok((params.number("tail", 0..=TAIL_MAX)?.unwrap_or(TAIL), params.flag("follow")?))
}

fn plain(call: &Call, log: ByteStream) -> Response {
    let media = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (media, outward(call, log)).into_response()
}
