//! What users live through, on the built binary with real guests. One file for each journey.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod daemon;
mod daemon_dies;
mod first_vm;
mod guest_dies;
mod hostile_store;
mod sign_in;
