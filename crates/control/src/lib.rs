//! What should be: admission turns requests into transactions, planners turn snapshots into plans.
//!
//! Everything here is a pure function. Time, ids and sealing arrive with the [`Request`]; a
//! planner gets a snapshot, a key and the time. The API commits what admission returns; one loop
//! in `novacron` commits what planners return. Running any of it twice changes nothing, because
//! every transaction carries its preconditions.
//!
//! # Admission
//!
//! [`Resource`] creates, updates and deletes any kind; verbs are functions beside it
//! ([`vm::start`], [`vm::attach`], [`task::cancel`], [`token::issue`], [`token::trade`],
//! [`member::join`] …). The
//! caller commits [`Admitted::txn`]. When a precondition fails it takes a fresh snapshot, reads
//! the object again and admits again; what cannot be retried is worded by [`refusal`].
//!
//! # Planners
//!
//! The loop that drives them, on the leader only:
//!
//! ```text
//! start:      commit bootstrap(..); queue families(at); run audit(at, now)
//! on change:  queue the family, and related(at, family) with a snapshot that has the change
//!             (also for Gone: related then finds who waited for it)
//! each round: plan = plan_all(fresh snapshot, family, now)
//!             commit plan.txn:  Ok, precondition or limit → queue the family again: a plan is one
//!                               step, and need not have changed its own family
//!                               other errors → queue it again after a pause
//!             plan.wake: queue the family again at that time
//! ```
//!
//! Queueing a family twice before it is looked at is queueing it once. Nothing else is kept:
//! after a crash the first round finds everything again.
//!
//! # What agents owe
//!
//! * `vm#runtime`, `volume#data`, `image#content`, `snapshot#data`, `node#report` are theirs. They
//!   find their share by index [`index::NODE`].
//! * `runtime.observed_generation` is raised to `meta.generation` together with the state that
//!   follows it: `starting` first, then `running` or `failed`. A stopped state with the newest
//!   generation and an exit by the guest means that the guest shut itself down.
//! * A verb that cannot be carried out is told in `runtime.failure`; the guest goes on as it was,
//!   and the planner takes `spec.run` back.
//! * For a deleting object: clean up, then, in one transaction, delete the own section and put
//!   `#cleaned`. Nothing is written after that. Owned volumes are marked once the VM is cleaned.

pub mod admission;
pub mod bootstrap;
pub mod capacity;
pub mod coming;
mod copying;
pub mod image;
pub mod index;
pub mod join_token;
mod journal;
pub mod member;
pub mod network;
pub mod node;
mod placing;
pub mod plan;
mod planners;
pub mod pool;
pub mod project;
pub mod published;
mod reference;
mod scheduler;
pub mod snapshot;
pub mod task;
pub mod token;
pub mod vm;
pub mod volume;

pub use admission::{Admitted, DeleteOptions, Request, Resource, refusal};
pub use bootstrap::bootstrap;
pub use plan::Plan;
pub use planners::{audit, families, plan_all, related};
