//! VMs: one actor owns one guest.
//!
//! Decisions are pure and stand apart ([`decide`](mod@decide) and what it calls); [`actor`] looks,
//! decides, reports and acts, one thing at a time.

pub(crate) mod actor;
mod alive;
pub(crate) mod bridges;
mod change;
pub mod decide;
mod down;
mod effect;
mod fit;
mod happened;
mod look;
pub(crate) mod machine;
mod outcome;
mod policy;
mod probe;
mod snapshot;
pub mod view;

#[cfg(test)]
mod tests;

pub(crate) use decide::at_rest;
pub(crate) use look::handle as handle_of;
