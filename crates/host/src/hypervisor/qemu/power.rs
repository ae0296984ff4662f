//! Power `control`: pause, resume, reset.

use std::time::Duration;

use async_trait::async_trait;
use novacron_model::{Code, Error, Result};
use serde_json::Value;

use super::super::{Control, Handle, Phase};
use super::guest::Guest;
use super::{QemuHypervisor, status};

/// QEMU resets a halted machine a moment after it has said yes.
const RESET_POLL: Duration = Duration::from_millis(10);
const RESET_PATIENCE: Duration = Duration::from_secs(30);

#[async_trait]
impl Control for QemuHypervisor {
    async fn pause(&self, handle: &Handle) -> Result<()> {
        let guest = self.guest(handle)?;
        match guest.phase().await? {
            Phase::Running => guest.call("stop", Value::Null).await.map(drop),
            Phase::Paused => Ok(()),
            phase => Err(guest.halted("cannot be paused", phase)),
        }
    }

    async fn resume(&self, handle: &Handle) -> Result<()> {
        let guest = self.guest(handle)?;
        match guest.phase().await? {
            Phase::Running => Ok(()),
            Phase::Paused | Phase::PausedOnIoError => {
                guest.call("cont", Value::Null).await.map(drop)
            }
            phase => Err(guest.halted("cannot be resumed", phase)),
        }
    }

    async fn reset(&self, handle: &Handle) -> Result<()> {
        let guest = self.guest(handle)?;
        let before = guest.phase().await?;
        guest.call("system_reset", Value::Null).await?;
        if matches!(before, Phase::ShutDown | Phase::Crashed) {
            guest.await_reset().await?;
            guest.call("cont", Value::Null).await?;
        }
        Ok(())
    }
}

impl Guest {
    async fn phase(&self) -> Result<Phase> {
        Ok(status::phase(&self.run_state().await?).0)
    }

    async fn await_reset(&self) -> Result<()> {
        let reset = async {
            while matches!(self.phase().await?, Phase::ShutDown | Phase::Crashed) {
                tokio::time::sleep(RESET_POLL).await;
            }
            Ok(())
        };
        tokio::time::timeout(RESET_PATIENCE, reset).await.unwrap_or_else(|_| {
            let uid = self.handle.uid;
            Err(Error::new(Code::Timeout, format!("guest {uid} was not reset in time")))
        })
    }

    fn halted(&self, what: &str, phase: Phase) -> Error {
        let why = match phase {
            Phase::PausedOnIoError => "a volume could not be written",
            Phase::ShutDown => "it has powered itself off",
            _ => "it has crashed",
        };
        Error::conflict(format!("guest {} {what}: {why}", self.handle.uid))
    }
}
