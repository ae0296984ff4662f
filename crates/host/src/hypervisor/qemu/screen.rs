//! The guest's screen: one end of a socket pair is handed to QEMU's VNC server over the control
//! channel. Nothing listens, so nobody else can connect.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use novacron_model::{Error, Result};
use serde_json::json;
use tokio::net::UnixStream;

use super::super::{Duplex, Handle, Screen};
use super::QemuHypervisor;

/// Names of descriptors on their way must differ.
static NEXT: AtomicU64 = AtomicU64::new(0);

#[async_trait]
impl Screen for QemuHypervisor {
    async fn open(&self, handle: &Handle) -> Result<Box<dyn Duplex>> {
        let guest = self.guest(handle)?;
        let no_pair = |error| Error::internal(format!("no socket pair for a screen: {error}"));
        let (ours, theirs) = UnixStream::pair().map_err(no_pair)?;
        let theirs = theirs.into_std().map_err(no_pair)?;
        let name = format!("screen-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let qmp = guest.qmp().await?;
        let passed = qmp.call_with_fd("getfd", json!({"fdname": name}), theirs.as_fd()).await;
        passed.map_err(|error| guest.told(&error))?;
        let client = json!({"protocol": "vnc", "fdname": name, "skipauth": true});
        if let Err(error) = qmp.call("add_client", client).await {
            // Else QEMU keeps the descriptor; that this may fail too changes nothing.
            let _ = qmp.call("closefd", json!({"fdname": name})).await;
            return Err(guest.told(&error));
        }
        Ok(Box::new(ours))
    }
}
