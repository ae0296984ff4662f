//! Structured logs: on standard error, and the newest lines in memory. One filter decides for both.

use std::fmt::{Debug, Write};
use std::io::{IsTerminal, stderr};
use std::sync::Arc;

use anyhow::{Context, Result};
use novacron_agent::NODE_SPAN;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context as Scope, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

use crate::clock;
use crate::config::{Log, LogFormat};
use crate::log_ring::LogRing;

/// Gives what the ring holds from now on.
pub fn start(log: &Log) -> Result<LogRing> {
    let filter = EnvFilter::try_new(&log.level)
        .with_context(|| format!("[log] level = \"{}\" is not a filter", log.level))?;
    let ring = LogRing::new();
    let layers = tracing_subscriber::registry().with(filter).with(Keeper { ring: ring.clone() });
    let lines = fmt::layer().with_writer(stderr);
    match log.format {
        LogFormat::Text => {
            layers.with(lines.with_target(false).with_ansi(stderr().is_terminal())).init();
        }
        LogFormat::Json => layers.with(lines.json()).init(),
    }
    Ok(ring)
}

/// Writes every event that the filter lets through into the ring.
struct Keeper {
    ring: LogRing,
}

/// The node that a span belongs to.
struct OfNode(Arc<str>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keeper {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, scope: Scope<'_, S>) {
        let metadata = attributes.metadata();
        let ours = metadata.name() == NODE_SPAN && metadata.target().starts_with("novacron_agent");
        let Some(span) = scope.span(id).filter(|_| ours) else { return };
        let mut name = NodeName::default();
        attributes.record(&mut name);
        span.extensions_mut().insert(OfNode(name.0.into()));
    }

    fn on_event(&self, event: &Event<'_>, scope: Scope<'_, S>) {
        let mut spans = scope.event_scope(event).into_iter().flatten();
        let node = spans.find_map(|span| Some(span.extensions().get::<OfNode>()?.0.clone()));
        let mut words = Words::default();
        event.record(&mut words);
        let Words { message, fields } = words;
        let level = event.metadata().level();
        self.ring.write(node, &format!("{} {level:>5} {message}{fields}", clock::now()));
    }
}

#[derive(Default)]
struct NodeName(String);

impl Visit for NodeName {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "name" {
            self.0 = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "name" {
            value.clone_into(&mut self.0);
        }
    }
}

#[derive(Default)]
struct Words {
    message: String,
    /// Each with a space before it.
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string cannot fail.
        _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            // Where a record of the `log` crate comes from.
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};
    use novacron_sim::Options;
    use novacron_store::{MemStore, Store};
    use tracing::subscriber::with_default;

    use super::*;

    fn text(ring: &LogRing, node: &str) -> String {
        let chunk = ring.read(node, u64::MAX, false).next().now_or_never().unwrap().unwrap();
        String::from_utf8(chunk.unwrap().to_vec()).unwrap()
    }

    fn keeper(filter: &str) -> (LogRing, impl Subscriber + Send + Sync + 'static) {
        let ring = LogRing::new();
        let keeper = Keeper { ring: ring.clone() };
        (ring, tracing_subscriber::registry().with(EnvFilter::new(filter)).with(keeper))
    }

    #[test]
    fn lines_say_when_how_bad_what_and_with_which_fields() {
        let (ring, subscriber) = keeper("info");
        with_default(subscriber, || {
            tracing::warn!(vm = %"web", attempt = 2, reason = "no room", "not done");
            tracing::debug!("left out as by the filter");
        });
        let log = text(&ring, "n1");
        let (time, rest) = log.split_once(' ').unwrap();
        assert!(time.parse::<novacron_model::Time>().is_ok(), "{log}");
        assert_eq!(rest, " WARN not done vm=web attempt=2 reason=\"no room\"\n");
    }

    /// Two agents in one process, as with `--sim 2`.
    #[test]
    fn what_an_agent_logs_is_its_nodes() {
        let (ring, subscriber) = keeper("info");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        with_default(subscriber, || {
            tracing::info!("of no node");
            runtime.block_on(async {
                let store: Arc<dyn Store> = Arc::new(MemStore::new());
                let nodes = novacron_sim::start(2, store, Options::default()).await.unwrap();
                nodes.shutdown().await;
            });
        });
        for node in ["n1", "n2"] {
            let log = text(&ring, node);
            assert!(log.contains("of no node"), "{log}");
            assert_eq!(log.matches("the agent has started").count(), 1, "{node}: {log}");
        }
    }
}
