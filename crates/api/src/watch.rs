//! Live views: a [`feed::Feed`] follows the store and says what changed; [`sse`] writes it as
//! server-sent events. GraphQL subscriptions read the same feeds.
//!
//! ```text
//!  listing ─▶ synced ─▶ changes ──Compacted──▶ reset ─▶ listing …
//! ```

pub mod feed;
pub mod listing;
pub mod sse;

use novacron_store::Revision;
use serde_json::Value;

use crate::resource::Shown;

/// What a feed says.
#[derive(Debug, Clone)]
pub enum Notice {
    /// An object as it is.
    Object { kind: &'static str, object: Shown },
    /// An object is gone, or has left the selection.
    Gone { kind: &'static str, name: String, uid: Option<uuid::Uuid> },
    /// The listing is complete.
    Synced { revision: Revision },
    /// The history no longer reaches back: forget everything, a listing follows.
    Reset,
    /// Something entered the event stream.
    Event(Value),
    /// A running task has moved on.
    Live { task: String, live: Value },
}

/// A notice with the revision to resume after, where everything up to it has been told.
#[derive(Debug, Clone)]
pub struct Told {
    pub notice: Notice,
    pub id: Option<Revision>,
}
