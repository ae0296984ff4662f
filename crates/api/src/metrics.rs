//! Metrics in Prometheus's text format. One recorder serves the process; labels are bounded by
//! the route table, never by what clients send. Those of VMs stand apart, in [`figures`].

mod figures;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use novacron_model::Error;

use crate::problem::Answer;
use crate::rest::call::Call;

const LATENCY: &str = "novacron_api_request_seconds";
const BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
const UPKEEP: Duration = Duration::from_secs(5);

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the process's recorder. Others that install one first keep theirs, and `/metrics`
/// says so.
pub fn install() {
    RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(LATENCY.to_owned()), &BUCKETS)
            .ok()?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok()?;
        metrics::describe_histogram!(
            LATENCY,
            metrics::Unit::Seconds,
            "Time until the answer's head was ready."
        );
        Some(handle)
    });
}

/// Moves recorded samples into buckets now and then, so that they do not pile up unread.
pub async fn upkeep() {
    loop {
        tokio::time::sleep(UPKEEP).await;
        if let Some(handle) = RECORDER.get().and_then(Option::as_ref) {
            handle.run_upkeep();
        }
    }
}

/// `GET /metrics`.
pub async fn show(call: Call) -> Answer<Response> {
    call.params(&[])?;
    let missing = || Error::unavailable("another recorder collects this process's metrics");
    let handle = RECORDER.get().and_then(Option::as_ref).ok_or_else(missing)?;
    metrics::gauge!("novacron_store_revision").set(as_float(call.api.store.snapshot().revision()));
    let media = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    let figures = figures::render(&call.api).await;
    Ok((media, handle.render() + &figures).into_response())
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; 2^53 revisions are far off")]
fn as_float(revision: u64) -> f64 {
    revision as f64
}

/// Counts and times a request, and logs it without its query, which may hold a ticket.
pub async fn observe(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "other".to_owned());
    let method = method_label(request.method().as_str());
    let path = request.uri().path().to_owned();
    let start = Instant::now();
    let response = next.run(request).await;
    let (took, status) = (start.elapsed(), response.status().as_u16());
    let labels = [
        ("method", method.to_owned()),
        ("route", route),
        ("status", format!("{}xx", status / 100)),
    ];
    metrics::histogram!(LATENCY, &labels).record(took.as_secs_f64());
    tracing::debug!(method, path, status, ms = took.as_secs_f64() * 1e3, "request");
    response
}

fn method_label(method: &str) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|each| *each == method).unwrap_or("OTHER")
}
