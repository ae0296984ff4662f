//! `RaftStore`: the contract, and what must survive bad days.

mod backup;
mod cluster;
mod contract;
mod damage;
mod full_disk;
mod kill;
mod ledger;
mod members;
mod power_loss;
mod restart;
mod sim_disk;
mod wire;
