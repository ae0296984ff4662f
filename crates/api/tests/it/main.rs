//! The API over real sockets, on a store in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod auth;
mod backups;
mod bodies;
mod cluster;
mod exports;
mod figures;
mod graphql;
mod guests;
mod handed;
mod harness;
mod objects;
mod paging;
mod tls;
mod watches;
