//! What can be tuned; the defaults are right for a real node.

use std::time::Duration;

/// How the store uses its disk.
#[derive(Debug, Clone)]
pub struct Options {
    /// This member's number in the cluster.
    pub node: u64,
    /// An empty store begins a cluster of its own; otherwise it waits to be taken into one.
    pub found: bool,
    /// How often a leader makes itself heard, and how long a follower may take to answer it; a disk
    /// that syncs slowly must not look like one that is gone.
    pub heartbeat: Duration,
    /// A follower that has heard no leader for this long, and up to as long again, stands for
    /// election.
    pub election: Duration,
    /// Size of a log segment in bytes; segments are zero-filled ahead.
    pub segment_bytes: u64,
    /// A snapshot is due after this many log entries,
    pub snapshot_entries: u64,
    /// or after this many bytes of log, or as many as the last snapshot has if those are more.
    pub snapshot_bytes: u64,
    /// Size in bytes of the file that keeps space for deletions.
    pub reserve_bytes: u64,
    /// The disk counts as full when fewer bytes than these are free beside the reserve.
    pub low_water_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            node: 1,
            found: true,
            heartbeat: Duration::from_millis(500),
            election: Duration::from_millis(1500),
            segment_bytes: 8 << 20,
            snapshot_entries: 10_000,
            snapshot_bytes: 16 << 20,
            reserve_bytes: 64 << 20,
            low_water_bytes: 16 << 20,
        }
    }
}
