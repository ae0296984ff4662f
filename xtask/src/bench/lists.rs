//! Latency of reads among many VMs.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::daemon::Daemon;
use super::report::{Report, median, percentile};

const ROUNDS: usize = 1000;

pub fn measure(report: &mut Report, daemon: &Daemon, vms: usize) -> Result<()> {
    let page = "/v1/projects/default/vms?limit=100";
    let by_label = format!("{page}&label=tier%3Dweb");
    let one = format!("/v1/projects/default/vms/vm-{:05}", vms / 2);
    for (what, path, goal) in [
        ("page of 100 by name, p99", page, 5.0),
        ("page of 100 by label, p99", by_label.as_str(), 5.0),
        ("one VM by name, p99", one.as_str(), 2.0),
    ] {
        let mut times = timed(daemon, path)?;
        let beside = format!("median {:.2} ms, {vms} VMs", median(&mut times));
        report.at_most(what, percentile(&mut times, 99), goal, "ms", &beside);
    }
    report.calibrate()
}

/// Milliseconds of each request.
fn timed(daemon: &Daemon, path: &str) -> Result<Vec<f64>> {
    let mut client = daemon.client()?;
    let first = client.get(path)?;
    ensure!(first["items"].as_array().is_none_or(|items| items.len() == 100), "a short page");
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        client.get(path)?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}
