//! The replicated store: openraft over a log and a snapshot of our own on disk.
//!
//! ```text
//!  commit ─▶ batch ─▶ openraft ─▶ log (segments, fdatasync on its own thread)
//!                        │
//!                        └─▶ machine (store::State, Hub) ─▶ snapshot file
//! ```
//!
//! [`RaftStore`] is the door. `batch` lets many transactions ride in one Raft entry; `log` makes
//! entries durable; `machine` applies them to the pure state machine of `novacron_store`;
//! `snapshot` writes the state as a file, `backup` as one that another machine can begin from,
//! `copies` keeps some of those, `upgrade` a copy of what a newer version converts; `space` keeps a reserve for the day when the disk is
//! full. All files are reached through the [`disk::Disk`] seam, so that tests can let it fail.
//!
//! What a transaction means is the store's business, who is a member will be the cluster's: today
//! there is one voter, and `network` knows no peer.

pub mod backup;
pub mod copies;
pub mod disk;
pub mod upgrade;

mod batch;
mod chunks;
mod error;
mod log;
mod machine;
mod network;
mod options;
mod snapshot;
mod space;
mod store;
mod types;

pub use backup::{Backup, BackupError};
pub use copies::Copies;
pub use error::OpenError;
pub use options::Options;
pub use store::{Health, RaftStore};
