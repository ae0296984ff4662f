//! Plans: what a planner wants committed, and when it wants to look again.

use novacron_model::{Result, Time};
use novacron_store::Txn;

/// The outcome of one look at the world.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Committed by the driver loop; dropped without harm when a precondition fails.
    pub txn: Option<Txn>,
    /// Look again at this time even if nothing changes.
    pub wake: Option<Time>,
}

impl Plan {
    pub(crate) fn commit(txn: Txn) -> Self {
        Self { txn: Some(txn).filter(|txn| !txn.is_empty()), wake: None }
    }

    pub(crate) fn wake(at: Time) -> Self {
        Self { txn: None, wake: Some(at) }
    }

    /// Nothing to do and nothing to wait for.
    pub fn is_idle(&self) -> bool {
        self.txn.is_none() && self.wake.is_none()
    }

    /// A planner that cannot read what it needs says so and leaves the world alone.
    pub(crate) fn or_idle(family: &str, plan: Result<Self>) -> Self {
        plan.unwrap_or_else(|error| {
            tracing::warn!(%error, family, "not planned");
            Self::default()
        })
    }
}
