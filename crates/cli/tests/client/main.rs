//! The command line as a process, against a small server that speaks the API's contract: what the
//! other end of the wire sees, and what the user sees of it.
//!
//! The program is the example `novacron-client`; `cargo test` and `cargo nextest` build it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod commands;
mod contexts;
mod program;
mod server;
mod streams;
mod terminals;
mod transport;
mod waiting;
