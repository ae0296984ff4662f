//! `MemStore` keeps the contract.

use std::future::{Ready, ready};
use std::sync::Arc;

use novacron_store::MemStore;

fn mem_store() -> Ready<Arc<MemStore>> {
    ready(Arc::new(MemStore::new()))
}

novacron_store::contract_tests!(mem_store);
