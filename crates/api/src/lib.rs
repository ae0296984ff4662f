//! REST, GraphQL, authentication, streams and the embedded console.
//!
//! Everything here translates: a request becomes a call of `control`'s admission and a commit, an
//! object of the store becomes JSON. What must reach into a node (serial lines, files, uploads)
//! goes through a [`Gateway`]; how the cluster is now, a [`Cluster`] knows.
//!
//! ```text
//!  server ─▶ auth::guard ─▶ rest, graphql ─▶ resource ─▶ control's admission ─▶ store
//!                                 └────────▶ watch ◀─────────────────────────────┘
//! ```

pub mod auth;
pub mod cluster;
pub mod config;
mod console;
mod edge;
pub mod figures;
mod forward;
pub mod gateway;
pub mod graphql;
pub mod metrics;
pub mod nodes;
pub mod openapi;
pub mod problem;
pub mod resource;
pub mod rest;
pub mod server;
pub mod state;
pub mod table;
mod verbs;
pub mod watch;

pub use cluster::{Cluster, Invite};
pub use config::{ApiConfig, Readiness, TlsFiles};
pub use edge::sha256_hex;
pub use gateway::Gateway;
pub use nodes::Nodes;
pub use openapi::openapi;
pub use server::{ForMembers, ServerHandle, serve};

/// The cookie that carries a browser's session.
pub const SESSION_COOKIE: &str = "novacron_session";
