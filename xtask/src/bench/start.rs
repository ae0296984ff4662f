//! How long the daemon takes to become ready.

use anyhow::Result;

use super::daemon::Daemon;
use super::report::{Report, median};

const STARTS: usize = 5;

pub fn empty(report: &mut Report) -> Result<()> {
    let mut daemon = Daemon::start()?;
    let time = restarts(&mut daemon)?;
    report.at_most("start to /readyz, empty", time, 300.0, "ms", "median of 5");
    Ok(())
}

pub fn filled(report: &mut Report, daemon: &mut Daemon, vms: usize) -> Result<()> {
    let time = restarts(daemon)?;
    report.at_most(&format!("start to /readyz, {vms} VMs"), time, 2000.0, "ms", "median of 5");
    report.calibrate()
}

fn restarts(daemon: &mut Daemon) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        daemon.down()?;
        times.push(daemon.up()?.as_secs_f64() * 1e3);
    }
    Ok(median(&mut times))
}
