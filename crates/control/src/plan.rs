//! Plans: what a planner wants committed, and when it wants to look again.

use novacron_model::Time;
use novacron_store::Txn;

/// The outcome of one look at the world.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Committed by the driver loop; dropped without harm when a precondition fails.
    pub txn: Option<Txn>,
    /// Look again at this time even if nothing changes.
    pub wake: Option<Time>,
}
