//! Whole clusters in one process: agents with simulated guests and pools on one store.
//!
//! For `--sim`, where console and command line are developed, and for tests that need many nodes
//! or faults on demand. Everything above the drivers is the real thing: the same store, admission,
//! planners and agents. What a daemon's end does not touch (guests, files) lives in [`SimNode`],
//! so an agent can be killed and another started beside it.

mod cluster;
mod fixtures;
mod hand;
mod planners;
mod pool;

pub use cluster::{Options, SimCluster, SimNode, SystemClock, start};
pub use fixtures::fixtures;
pub use hand::Hand;
pub use planners::run_planners;
pub use pool::SimPools;
