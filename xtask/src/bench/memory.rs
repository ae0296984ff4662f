//! Resident memory of the daemon.

use std::time::Duration;

use anyhow::{Context, Result};

use super::daemon::Daemon;
use super::report::Report;

/// Resident set in KiB once it has stopped falling.
pub fn resident(daemon: &Daemon) -> Result<f64> {
    let mut last = now(daemon)?;
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(500));
        let next = now(daemon)?;
        if next >= last {
            break;
        }
        last = next;
    }
    Ok(last)
}

fn now(daemon: &Daemon) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

#[expect(clippy::cast_precision_loss, reason = "thousands of VMs")]
pub fn measure(report: &mut Report, daemon: &Daemon, idle: f64, vms: usize) -> Result<()> {
    report.at_most("memory, idle", idle / 1024.0, 64.0, "MiB", "VmRSS");
    let filled = resident(daemon)?;
    let beside = format!("{vms} VMs, {:.0} MiB in all", filled / 1024.0);
    report.at_most("memory per stopped VM", (filled - idle) / vms as f64, 8.0, "KiB", &beside);
    Ok(())
}
