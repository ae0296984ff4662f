//! `RaftStore` keeps the contract.

use std::sync::Arc;

use futures::future::BoxFuture;
use novacron_raft::{Options, RaftStore};
use novacron_store::Store;
use novacron_store::contract::Fixture;
use tempfile::TempDir;

struct OnDisk {
    store: Arc<RaftStore>,
    _dir: TempDir,
}

impl Fixture for OnDisk {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.store.shutdown())
    }
}

async fn raft_store() -> OnDisk {
    let dir = tempfile::tempdir().expect("makes a directory");
    let store = RaftStore::open(dir.path(), Options::default()).await.expect("opens");
    OnDisk { store, _dir: dir }
}

novacron_store::contract_tests!(raft_store);
