//! What one machine can do: run guests, hold disks, build cloud-init media.
//!
//! Nothing here knows the store or decides what should be. `agent` calls it with working types
//! ([`Machine`], [`Observed`]) and reports what came back.

pub mod catalogue;
pub mod cloud_init;
pub mod doctor;
pub mod hardware;
pub mod hypervisor;
pub mod image;
pub mod load;
pub mod network;
pub mod storage;

pub use hypervisor::{Capabilities, Handle, Hypervisor, Machine, Observed, Phase, Stop};
