//! Power `freeze` of simulated guests.

use async_trait::async_trait;
use novacron_model::{Error, Result};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::super::freeze::{
    FREEZE_PATIENCE, HOLD_MAX, held_too_long, paused, thawed_early, too_slow,
};
use super::super::{Freeze, Frozen, Handle, Phase};
use super::{SimHypervisor, SimWorld};

#[async_trait]
impl Freeze for SimHypervisor {
    async fn freeze(&self, handle: &Handle) -> Result<Box<dyn Frozen>> {
        self.latency().await;
        let frozen = self.world.change_quietly(handle, |guest| match guest.phase {
            Phase::Running => {
                guest.frozen = !guest.agent_hangs;
                Ok(guest.frozen)
            }
            _ => Err(paused()),
        })?;
        if !frozen {
            sleep(FREEZE_PATIENCE).await;
            return Err(too_slow());
        }
        let (release, released) = oneshot::channel();
        let (world, handle) = (self.world.clone(), handle.clone());
        let keeper = async move {
            // Released, dropped, or too late: all the same to the guest.
            let released = timeout(HOLD_MAX, released).await;
            let held = world.thaw(&handle);
            if let Ok(Ok(tell)) = released {
                let tell: oneshot::Sender<Result<()>> = tell;
                let _ = tell.send(if held { Ok(()) } else { Err(thawed_early()) });
            }
        };
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(keeper));
        Ok(Box::new(Hold { release }))
    }
}

struct Hold {
    release: oneshot::Sender<oneshot::Sender<Result<()>>>,
}

#[async_trait]
impl Frozen for Hold {
    async fn thaw(self: Box<Self>) -> Result<()> {
        let (tell, told) = oneshot::channel();
        if self.release.send(tell).is_err() {
            return Err(held_too_long());
        }
        told.await.unwrap_or_else(|_| Err(Error::unavailable("the driver is ending")))
    }
}

impl SimWorld {
    /// Whether the guest was frozen until now.
    fn thaw(&self, handle: &Handle) -> bool {
        let thawed = self.change_quietly(handle, |guest| Ok(std::mem::take(&mut guest.frozen)));
        thawed.unwrap_or(false)
    }
}
