//! Decisions, one sentence each.
