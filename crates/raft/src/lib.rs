//! The replicated store: openraft over a log and a snapshot of our own on disk.
//!
//! ```text
//!  commit ─▶ batch ─▶ openraft ─▶ log (segments, fdatasync on its own thread)
//!                        │
//!                        └─▶ machine (store::State, Hub) ─▶ snapshot file
//! ```
//!
//! [`RaftStore`] is the door. `route` brings a transaction to the leader; `batch` lets many of them
//! ride in one Raft entry; `log` makes entries durable; `machine` applies them to the pure state
//! machine of `novacron_store`; `snapshot` writes the state as a file, `backup` as one that another
//! machine can begin from, `copies` keeps some of those, `upgrade` a copy of what a newer version
//! converts; `space` keeps a reserve for the day when the disk is full. All files are reached
//! through the [`disk::Disk`] seam, so that tests can let it fail.
//!
//! Members speak through the [`Peers`] seam: `network` turns what openraft wants into messages
//! (`message`), [`wire`] carries them, [`RaftStore::answer`] is the other end, `incoming` takes a snapshot in, part by
//! part. `members` says who belongs to the cluster and takes the steps towards who should.
//!
//! What a transaction means is the store's business, who should be a member the cluster's.

pub mod backup;
pub mod copies;
pub mod disk;
pub mod upgrade;
pub mod wire;

mod batch;
mod chunks;
mod error;
mod incoming;
mod log;
mod machine;
mod members;
mod message;
mod network;
mod options;
mod peers;
mod route;
mod snapshot;
mod space;
mod store;
mod types;

pub use backup::{Backup, BackupError};
pub use copies::Copies;
pub use error::OpenError;
pub use members::{Member, Wanted};
pub use options::Options;
pub use peers::{CallError, NoPeers, Peer, Peers};
pub use store::{Health, RaftStore};
