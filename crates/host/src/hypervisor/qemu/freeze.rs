//! Power `freeze`, by the guest agent. A task of its own keeps the guest frozen, so that whoever
//! asked for it may vanish; a file in the run directory outlives the daemon.
//!
//! ```text
//!   probe ─▶ mark ─▶ freeze ─▶ held ─▶ thaw, again and again until it is answered ─▶ no mark
//! ```
//!
//! Meanwhile the agent's port is kept: a frozen agent refuses other commands.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use novacron_model::{Error, Result};
use serde_json::Value;
use tokio::sync::{MutexGuard, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::super::freeze::{
    FREEZE_PATIENCE, HOLD_MAX, held_too_long, no_agent, paused, silent, thawed_early, too_slow,
};
use super::super::{Freeze, Frozen, Handle};
use super::QemuHypervisor;
use super::guest::Guest;
use super::qga::{Qga, QgaError};

/// How long whoever held a guest still waits for its thaw; that is tried on without end.
const THAW_PATIENCE: Duration = Duration::from_secs(5);
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

type Slot<'a> = MutexGuard<'a, Option<Qga>>;

#[async_trait]
impl Freeze for QemuHypervisor {
    async fn freeze(&self, handle: &Handle) -> Result<Box<dyn Frozen>> {
        let guest = self.guest(handle)?;
        guest.check_agent().await?;
        let (tell, told) = oneshot::channel();
        let (release, released) = oneshot::channel();
        let keeper = keep(guest, tell, released);
        tokio::spawn(self.shared.stop.clone().run_until_cancelled_owned(keeper));
        told.await.unwrap_or_else(|_| Err(Error::unavailable("the driver is ending")))?;
        Ok(Box::new(Hold { release }))
    }
}

/// Where the keeper is to tell whether the guest held still.
type Release = oneshot::Sender<Result<()>>;

struct Hold {
    release: oneshot::Sender<Release>,
}

#[async_trait]
impl Frozen for Hold {
    async fn thaw(self: Box<Self>) -> Result<()> {
        let (tell, told) = oneshot::channel();
        if self.release.send(tell).is_err() {
            return Err(held_too_long());
        }
        match timeout(THAW_PATIENCE, told).await {
            Ok(told) => told.unwrap_or_else(|_| Err(silent())),
            Err(_) => Err(silent()),
        }
    }
}

/// Holds the guest still until it is released, or nobody is left to do so.
async fn keep(
    guest: Arc<Guest>,
    tell: oneshot::Sender<Result<()>>,
    released: oneshot::Receiver<Release>,
) {
    let until = Instant::now() + FREEZE_PATIENCE;
    let prepared = async {
        let mut slot = guest.qga.lock().await;
        guest.prepare(&mut slot).await.map(|()| slot)
    };
    let mut slot = match timeout_at(until, prepared).await.unwrap_or_else(|_| Err(no_agent())) {
        Ok(slot) => slot,
        Err(error) => {
            // It has been asked for nothing yet. Nobody may be waiting any more, here and below.
            let _ = tell.send(Err(error));
            return;
        }
    };
    let frozen = guest.ask_to_freeze(&mut slot, until).await;
    let held = frozen.is_ok();
    let heard = tell.send(frozen).is_ok();
    let release = if held && heard { timeout(HOLD_MAX, released).await.ok() } else { None };
    let thawed = guest.thaw_once(&mut slot).await;
    drop(slot);
    if let Some(Ok(release)) = release {
        let _ = release.send(match thawed {
            Ok(0) => Err(thawed_early()),
            Ok(_) => Ok(()),
            Err(_) => Err(silent()),
        });
    }
    match thawed {
        Ok(_) => guest.run.unmark_frozen(),
        Err(_) => guest.thaw().await,
    }
}

impl Guest {
    /// A guest that surely cannot freeze costs no waiting.
    async fn check_agent(self: &Arc<Self>) -> Result<()> {
        if self.run_state().await? != "running" {
            return Err(paused());
        }
        if !self.agent_present() {
            let qmp = self.qmp().await?;
            self.look_for_agent(&qmp).await;
        }
        if self.agent_present() { Ok(()) } else { Err(no_agent()) }
    }

    /// The agent answers, and the mark is there that outlives this process.
    async fn prepare(&self, slot: &mut Slot<'_>) -> Result<()> {
        self.synced(slot).await.map_err(|_| no_agent())?;
        self.run.mark_frozen()
    }

    async fn ask_to_freeze(&self, slot: &mut Slot<'_>, until: Instant) -> Result<()> {
        let Some(qga) = slot.as_mut() else { return Err(no_agent()) };
        match timeout_at(until, qga.call("guest-fsfreeze-freeze", Value::Null)).await {
            Ok(Ok(count)) if count.as_u64() == Some(0) => {
                Err(Error::unsupported("the guest has no file systems that can be frozen"))
            }
            Ok(Ok(_)) => Ok(()),
            Ok(Err(QgaError::Silent)) | Err(_) => {
                // What it says later is no answer to what it is asked next.
                **slot = None;
                Err(too_slow())
            }
            Ok(Err(QgaError::Unknown(_))) => {
                Err(Error::unsupported("the guest agent cannot freeze file systems"))
            }
            Ok(Err(QgaError::Refused(text))) => {
                Err(Error::unavailable(format!("the guest agent did not freeze: {text}")))
            }
        }
    }

    /// How many file systems have thawed.
    async fn thaw_once(&self, slot: &mut Slot<'_>) -> Result<u64, QgaError> {
        let qga = self.synced(slot).await?;
        let thawed = timeout(FREEZE_PATIENCE, qga.call("guest-fsfreeze-thaw", Value::Null)).await;
        match thawed.unwrap_or(Err(QgaError::Silent)) {
            Ok(count) => Ok(count.as_u64().unwrap_or(0)),
            // An agent that does not know the command has frozen nothing.
            Err(QgaError::Unknown(_)) => Ok(0),
            Err(QgaError::Silent) => {
                **slot = None;
                Err(QgaError::Silent)
            }
            Err(refused) => Err(refused),
        }
    }

    /// Thaws until the agent says that it has, or the guest is gone. Others may speak with the
    /// agent in between.
    async fn thaw(&self) {
        let mut pause = PAUSE_FIRST;
        loop {
            tokio::select! {
                () = self.gone.cancelled() => return,
                () = sleep(pause) => {}
            }
            let mut slot = self.qga.lock().await;
            match self.thaw_once(&mut slot).await {
                Ok(_) => return self.run.unmark_frozen(),
                Err(error) => {
                    tracing::warn!(uid = %self.handle.uid, %error, "a guest does not thaw yet");
                }
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Thaws what a daemon froze that has died since.
    pub fn thaw_if_marked(self: &Arc<Self>, stop: CancellationToken) {
        if self.run.is_marked_frozen() {
            tracing::warn!(uid = %self.handle.uid, "a guest was left frozen; thawing it");
            let guest = Arc::clone(self);
            tokio::spawn(stop.run_until_cancelled_owned(async move { guest.thaw().await }));
        }
    }
}
