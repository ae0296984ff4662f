//! `RaftStore`: the contract, and what must survive bad days.

mod contract;
mod restart;
