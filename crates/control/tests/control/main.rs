//! Admission and planners on a store in memory, with nodes that do at once what they are told.

#![expect(clippy::unwrap_used, reason = "a world that cannot be built fails the test")]
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes its strings so")]

mod admission;
mod agent;
mod catalogue;
mod clones;
mod deletion;
mod hardware;
mod hotplug;
mod members;
mod networks;
mod placement;
mod properties;
mod schedules;
mod tasks;
mod tokens;
mod verbs;
mod voters;
mod world;
