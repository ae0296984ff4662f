//! What it costs to keep many VMs running and to measure them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::daemon::Daemon;
use super::memory;
use super::report::Report;

const VMS: usize = 200;
/// A simulated host has room for 64 of them.
const HOSTS: &[&str] = &["--sim", "4"];
/// Begun once all run, so that it holds nothing of their start.
const SETTLED_AFTER: Duration = Duration::from_secs(30);
const WINDOW: Duration = Duration::from_mins(2);
const PATIENCE: Duration = Duration::from_mins(2);
/// As `/proc` counts CPU time on every machine that NovaCron runs on.
const MILLIS_PER_TICK: u64 = 10;

pub fn measure(report: &mut Report) -> Result<()> {
    let daemon = Daemon::start_with(HOSTS)?;
    let mut client = daemon.client()?;
    for number in 0..VMS {
        let vm = json!({
            "meta": {"name": format!("vm-{number:03}")},
            "spec": {"run": "running", "cpus": 1, "memory": 256 << 20},
        });
        client.post("/v1/projects/default/vms", &vm)?;
    }
    let began = Instant::now();
    while measured(&daemon)? < VMS {
        ensure!(began.elapsed() < PATIENCE, "the VMs do not run");
        std::thread::sleep(Duration::from_millis(500));
    }
    std::thread::sleep(SETTLED_AFTER);
    let (from, ticks) = (Instant::now(), memory::cpu_ticks(&daemon)?);
    std::thread::sleep(WINDOW);
    let used = memory::cpu_ticks(&daemon)? - ticks;
    let used = Duration::from_millis(used * MILLIS_PER_TICK).as_secs_f64();
    let share = used / from.elapsed().as_secs_f64() * 100.0;
    let beside = format!("{VMS} running VMs measured every 5 s, over {} s", WINDOW.as_secs());
    report.at_most("CPU of the daemon, of a core", share, 5.0, "%", &beside);
    let set = memory::now(&daemon)? / 1024.0;
    report.at_most("memory of the daemon", set, 120.0, "MiB", &beside);
    Ok(())
}

/// How many VMs have figures.
fn measured(daemon: &Daemon) -> Result<usize> {
    let list = daemon.client()?.get("/v1/projects/default/figures")?;
    let items = list["items"].as_array().context("no list")?;
    Ok(items.iter().filter(|item| item["now"]["cpu"].is_number()).count())
}
