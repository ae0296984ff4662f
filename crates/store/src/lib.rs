//! The store: what the cluster knows, behind three verbs.
//!
//! ```text
//!   snapshot() ─▶ Snapshot    immutable, O(1), at a revision
//!   watch(..)  ─▶ Watch       ordered and gap-free from a revision, or Compacted
//!   commit(..) ─▶ Revision    a transaction under preconditions, whole or not at all
//! ```
//!
//! Records are opaque bytes under opaque keys; the store knows no noun of the domain. [`State`] is
//! the pure, deterministic state machine that every implementation shares; [`Hub`] turns applied
//! transactions into watches. [`MemStore`] is the smallest implementation, and the yardstick of
//! the contract suite (`contract`, behind the feature of that name).
//!
//! [`object`] reads and writes typed objects on top: it assembles an object from its spec record
//! and status sections, and writes differences so that unknown fields survive.

pub mod events;
pub mod hub;
pub mod key;
pub mod mem;
pub mod object;
pub mod snapshot;
pub mod state;
pub mod txn;
pub mod watch;

#[cfg(feature = "contract")]
pub mod contract;

use futures::future::BoxFuture;

pub use hub::Hub;
pub use key::Key;
pub use mem::MemStore;
pub use snapshot::{Record, Snapshot};
pub use state::{State, StreamEntry};
pub use txn::{CommitError, CounterAdd, Precondition, Put, Txn};
pub use watch::{Change, Compacted, Selection, Watch};

/// Position in the store's history: how many transactions have been committed. Every committed
/// transaction has its own; refused ones have none. Zero is the empty store.
pub type Revision = u64;

/// What every implementation offers.
pub trait Store: Send + Sync + 'static {
    /// The state after the newest transaction applied here.
    fn snapshot(&self) -> Snapshot;

    /// Everything that touches `what` after revision `from`, in order, without gaps.
    fn watch(&self, what: Selection, from: Revision) -> Watch;

    /// Commits a transaction; when it returns `Ok`, the transaction is durable and visible in
    /// [`Store::snapshot`].
    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<Revision, CommitError>>;
}
