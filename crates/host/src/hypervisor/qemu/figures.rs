//! Power `figures`: what a guest has used, from its process's entries in `/proc` (proc(5)) and from
//! QEMU's own count of what went to and from its disks.
//!
//! The memory is that of the whole process: the guest's pages that were ever touched, and what QEMU
//! itself needs beside them. QEMU does not count the traffic of user networks: it is absent.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use novacron_model::Result;
use novacron_model::figures::{DiskTotals, Totals};
use novacron_model::units::Bytes;
use serde_json::Value;

use super::super::{Figures, Handle};
use super::QemuHypervisor;
use super::guest::Guest;
use crate::load::ticks;

/// QEMU answers within a millisecond, unless its disks hang.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

#[async_trait]
impl Figures for QemuHypervisor {
    async fn totals(&self, handle: &Handle) -> Result<Option<Totals>> {
        let Some(guest) = self.shared.live(handle)? else { return Ok(None) };
        let disk = guest.disk_totals().await;
        let read = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", handle.pid));
        let (stat, statm) = (read("stat").unwrap_or_default(), read("statm").unwrap_or_default());
        // The pid may be another process's by now.
        if guest.gone.is_cancelled() {
            return Ok(None);
        }
        let totals = Totals { cpu: cpu(&stat), memory: memory(&statm), disk, network: None };
        Ok(Some(totals))
    }
}

impl Guest {
    /// Of all disks together. At most one question is open at a time.
    async fn disk_totals(self: &Arc<Self>) -> Option<DiskTotals> {
        let turn = Arc::clone(&self.counting).try_lock_owned().ok()?;
        let guest = Arc::clone(self);
        // On its own: a command that is dropped half written would break the channel.
        let asked = tokio::spawn(async move {
            let _turn = turn;
            tokio::select! {
                () = guest.gone.cancelled() => None,
                answer = guest.call("query-blockstats", Value::Null) => answer.ok(),
            }
        });
        let answer = tokio::time::timeout(ANSWERS_WITHIN, asked).await.ok()?.ok()??;
        disks(&answer)
    }
}

/// Fields 14 and 15, user and system time of all threads, counted from behind the program's name,
/// which may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(ticks(next()? + next()?))
}

/// The second field: resident pages.
fn memory(statm: &str) -> Option<Bytes> {
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    Some(Bytes(pages * page))
}

/// The sum over the devices of an answer to `query-blockstats`.
fn disks(answer: &Value) -> Option<DiskTotals> {
    let sum = answer.as_array()?.iter().fold(DiskTotals::default(), |sum, device| {
        let count = |name: &str| device["stats"][name].as_u64().unwrap_or(0);
        DiskTotals {
            read: sum.read + count("rd_bytes"),
            written: sum.written + count("wr_bytes"),
            reads: sum.reads + count("rd_operations"),
            writes: sum.writes + count("wr_operations"),
        }
    });
    Some(sum)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (vm-a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 4 0 4711 1 2 3";
        assert_eq!(cpu(stat), Some(ticks(200)));
        assert_eq!(cpu(""), None);
    }

    #[test]
    fn resident_pages_become_bytes() {
        let page = u64::try_from(rustix::param::page_size()).unwrap();
        assert_eq!(memory("900 17 3 4 0 5 0"), Some(Bytes(17 * page)));
        assert_eq!(memory(""), None);
    }

    #[test]
    fn all_disks_count_and_what_lies_below_them_does_not_count_twice() {
        let stats = |read: u64, written: u64| json!({"rd_bytes": read, "rd_operations": 2, "wr_bytes": written, "wr_operations": 3});
        let answer = json!([
            {"node-name": "disk0", "stats": stats(100, 10), "parent": {"stats": stats(7, 7)}},
            {"node-name": "disk1", "stats": stats(200, 20)},
        ]);
        let sum = DiskTotals { read: 300, written: 30, reads: 4, writes: 6 };
        assert_eq!(disks(&answer), Some(sum));
        assert_eq!(disks(&json!({})), None);
    }
}
