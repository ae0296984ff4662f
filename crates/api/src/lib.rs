//! REST, GraphQL, authentication, streams and the embedded console.
//!
//! Everything here translates: a request becomes a call of `control`'s admission and a commit, an
//! object of the store becomes JSON. What must reach into a node (serial lines, files, uploads)
//! goes through a [`Gateway`].

pub mod gateway;
pub mod openapi;
pub mod problem;
pub mod table;

pub use gateway::Gateway;
pub use openapi::openapi;

/// The cookie that carries a browser's session.
pub const SESSION_COOKIE: &str = "novacron_session";
