//! What users live through, on the built binary with real guests. One file for each journey.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod bridges;
mod clock;
mod clones;
mod clusters;
mod crash_steps;
mod daemon;
mod daemon_dies;
mod debian;
mod disk_full;
mod exports;
mod firmware;
mod first_vm;
mod first_week;
mod guest_dies;
mod halting_tool;
mod handed_over;
mod hardware;
mod hostile_store;
mod https;
mod images;
mod install;
mod killed_in_steps;
mod no_room;
mod node_logs;
mod on_the_system;
mod ports;
mod presets;
mod qmp;
mod settings;
mod sign_in;
mod snapshots;
mod state;
mod tls;
mod upgrades;
mod volumes;
