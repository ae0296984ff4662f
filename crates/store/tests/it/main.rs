//! The store's contract on `MemStore`, and the state machine against a naive model.

mod contract;
mod model;
