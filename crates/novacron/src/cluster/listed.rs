//! This node's own entry in the list of members.

use std::path::Path;
use std::time::Duration;

use novacron_control::member::{register, start_over};
use novacron_control::refusal;
use novacron_model::Result;
use novacron_store::{CommitError, Snapshot, Store, Txn};

use super::{Member, Membership};
use crate::{clock, identity};

/// Pause before something is decided anew on a state that may be newer by then.
const PAUSE: Duration = Duration::from_millis(50);

impl Member {
    /// Stands in the list of members under its own name, number and address.
    pub async fn register(&self) -> Result<()> {
        let own = self.address().await;
        self.until_settled(|at| {
            register(at, clock::now(), identity::fresh_uid(), &self.name, self.number, &own)
        })
        .await
    }

    /// Makes a restored state this node's own.
    pub async fn start_over(&self, data: &Path) -> anyhow::Result<()> {
        if !Membership::is_marked_alone(data) {
            return Ok(());
        }
        self.until_settled(|at| {
            start_over(at, clock::now(), identity::fresh_uid(), &self.name, self.number)
        })
        .await?;
        Membership::settle(data)
    }

    /// Commits what is decided on the newest state, until nothing is left to do.
    async fn until_settled(&self, decide: impl Fn(&Snapshot) -> Result<Txn>) -> Result<()> {
        let store = self.store()?;
        loop {
            let txn = decide(&store.snapshot())?;
            if txn.is_empty() {
                return Ok(());
            }
            match store.commit(txn).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Precondition { .. }) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(refusal(&error)),
            }
        }
    }
}
