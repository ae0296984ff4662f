//! Resident memory of the daemon.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::daemon::Daemon;
use super::report::Report;

const LOOK_EVERY: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_mins(1);
/// CPU time between two looks, in clock ticks of 10 ms, at or below which a daemon is at rest.
const AT_REST: u64 = 1;

/// Resident set in KiB once the daemon is at rest and the set has stopped falling.
pub fn resident(daemon: &Daemon) -> Result<f64> {
    let began = Instant::now();
    let (mut set, mut ticks) = (now(daemon)?, cpu_ticks(daemon)?);
    loop {
        ensure!(began.elapsed() < PATIENCE, "the daemon does not come to rest");
        std::thread::sleep(LOOK_EVERY);
        let (last_set, last_ticks) = (set, ticks);
        (set, ticks) = (now(daemon)?, cpu_ticks(daemon)?);
        if set >= last_set && ticks - last_ticks <= AT_REST {
            return Ok(set);
        }
    }
}

/// User and system time in clock ticks (proc(5): fields 14 and 15 of `stat`).
pub fn cpu_ticks(daemon: &Daemon) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid()))?;
    let (_, fields) = stat.rsplit_once(") ").context("no name in stat")?;
    fields.split(' ').skip(11).take(2).map(|ticks| Ok(ticks.parse::<u64>()?)).sum()
}

/// Resident set in KiB.
pub fn now(daemon: &Daemon) -> Result<f64> {
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
