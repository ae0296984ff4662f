//! Who reaches into a volume's file: starts of guests, work on snapshots and growth take turns, so
//! that no file is changed behind the back of a guest that is just being started.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use novacron_model::{Error, Result};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;
use uuid::Uuid;

/// Growth and starts are over by then.
const SOON: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
pub(crate) struct Turns {
    gates: Mutex<HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>>,
}

/// Ends when dropped.
pub(crate) type Turn = Vec<OwnedMutexGuard<()>>;

impl Turns {
    /// Waits for all of these volumes, in one order for everybody.
    pub async fn take(&self, mut volumes: Vec<Uuid>) -> Turn {
        volumes.sort_unstable();
        volumes.dedup();
        let mut turn = Vec::with_capacity(volumes.len());
        for uid in volumes {
            let gate = self.gate(uid);
            turn.push(gate.lock_owned().await);
        }
        turn
    }

    /// As [`Turns::take`], for who has other things to do meanwhile: fails when others take long, as
    /// for a copy or an export.
    pub async fn take_soon(&self, volumes: Vec<Uuid>) -> Result<Turn> {
        timeout(SOON, self.take(volumes)).await.map_err(|_| {
            Error::unavailable("a disk is being copied or exported").hint("wait until that is done")
        })
    }

    /// Of a volume that is gone.
    pub fn forget(&self, volume: Uuid) {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).remove(&volume);
    }

    fn gate(&self, volume: Uuid) -> Arc<tokio::sync::Mutex<()>> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(volume).or_default().clone()
    }
}
