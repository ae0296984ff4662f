//! Power `freeze`: file systems of a guest that hold still for a moment, so that what is read of its
//! disks meanwhile is whole.
//!
//! ```text
//!   freeze ─▶ held ─▶ thaw │ dropped │ its time is up │ the daemon died: the next one thaws
//! ```
//!
//! However it goes, no guest stays frozen: whoever freezes one first leaves a mark that a later
//! driver finds, and the mark stays until the guest's agent has said that it thawed.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use novacron_model::{Error, Result};

use super::{Handle, Hypervisor};

/// How long a guest may take to write out what it has in memory and hold still.
pub(super) const FREEZE_PATIENCE: Duration = Duration::from_secs(8);
/// How long a guest is held still at most.
pub(super) const HOLD_MAX: Duration = Duration::from_secs(8);

#[async_trait]
pub trait Freeze: Send + Sync {
    /// Returns within a few seconds, once all file systems of the guest hold still. An error says
    /// in words for users why they do not; what the guest does too late is undone.
    async fn freeze(&self, handle: &Handle) -> Result<Box<dyn Frozen>>;
}

/// A guest that holds still, until this is dropped or a few seconds have passed.
#[async_trait]
pub trait Frozen: Send {
    /// Returns once the guest goes on, or is seen to need more time for it. An error says that it
    /// did not hold still up to now.
    async fn thaw(self: Box<Self>) -> Result<()>;
}

/// Does `work` while the guest holds still, or else without; tells what came of both.
pub async fn while_frozen<T>(
    hypervisor: &dyn Hypervisor,
    handle: &Handle,
    work: impl Future<Output = T>,
) -> (T, Result<()>) {
    let frozen = match hypervisor.freeze() {
        Some(freeze) => freeze.freeze(handle).await,
        None => Err(Error::unsupported("this node's driver cannot freeze guests")),
    };
    match frozen {
        Ok(frozen) => {
            let done = work.await;
            (done, frozen.thaw().await)
        }
        Err(error) => (work.await, Err(error)),
    }
}

pub(super) fn paused() -> Error {
    Error::conflict("the guest is paused: its agent cannot write out its file systems")
}

pub(super) fn no_agent() -> Error {
    Error::unavailable("no guest agent answers").hint("install qemu-guest-agent in the guest")
}

pub(super) fn too_slow() -> Error {
    Error::unavailable(format!(
        "the guest did not freeze its file systems within {} s",
        FREEZE_PATIENCE.as_secs()
    ))
}

pub(super) fn held_too_long() -> Error {
    Error::unavailable(format!(
        "it took longer than the {} s for which a guest is frozen",
        HOLD_MAX.as_secs()
    ))
}

pub(super) fn thawed_early() -> Error {
    Error::unavailable("the guest thawed its file systems too early")
}

pub(super) fn silent() -> Error {
    Error::unavailable("the guest agent stopped answering while its file systems were frozen")
}
