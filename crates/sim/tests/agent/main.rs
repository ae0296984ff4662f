//! Whole agents on simulated machines: what users and bad days do to VMs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to end")]

mod access;
mod bridges;
mod chaos;
mod copies;
mod exports;
mod figures;
mod files;
mod hold;
mod hotplug;
mod life;
mod scale;
mod schedules;
mod stage;
mod survival;
mod witness;
