//! What should be: admission turns requests into transactions, planners turn snapshots into plans.
//!
//! Everything here is a pure function. Time, ids and sealing arrive with the [`Request`]; a
//! planner gets a snapshot, a key and the time. The API commits what admission returns; one loop
//! in `novacron` commits what planners return. Running any of it twice changes nothing, because
//! every transaction carries its preconditions.

pub mod admission;
pub mod plan;

pub use admission::{Admitted, DeleteOptions, Request, Resource};
pub use plan::Plan;
