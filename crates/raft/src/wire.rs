//! The wire between members: HTTP/2 over TLS in which both ends show the certificate of a member.
//!
//! ```text
//!  Links ── POST /member/call ──▶ serve ─▶ Handler ─▶ RaftStore::answer
//! ```
//!
//! One connection to each member carries everything: what Raft says, and whatever else one member
//! asks of another. `links` is the near end, `serve` the far one; what a request means is the
//! [`Handler`]'s business.

mod links;
mod serve;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

pub use links::{Links, Tunnel, connect_pinned};
pub use serve::{Caller, Handler, answer_call, refuse, serve};

/// Where requests of Raft go.
pub const CALL: &str = "/member/call";

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body that is all there.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}
