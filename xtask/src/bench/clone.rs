//! Launch from an image of 10 GiB, and clone of a stopped VM that was made from it and has written to
//! its disk, each until it runs; beside create → running of the micro guest, in turn.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::create::{qemu_img, text};
use super::daemon::Daemon;
use super::report::{Report, median};
use crate::guest::{self, Guest};

const ROUNDS: usize = 9;
const MEMORY_MIB: u64 = 128;
const VMS: &str = "/v1/projects/default/vms";
/// What the source has written by itself, and what is in its image.
const WRITTEN: &str = "write -P 7 0 64M";

pub fn measure(report: &mut Report) -> Result<()> {
    let micro = guest::path(Guest::Micro, false)?;
    let daemon = Daemon::start()?;
    daemon.cli(&["image", "import", text(&micro)?, "--name", "micro"])?;
    let dir = tempfile::tempdir()?;
    let large = dir.path().join("large.qcow2");
    qemu_img(&["create", "-q", "-f", "qcow2", text(&large)?, "10G"])?;
    write(&large)?;
    daemon.cli(&["image", "import", text(&large)?, "--name", "large"])?;
    source(&daemon)?;
    let (mut launched, mut cloned, mut yardstick) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        yardstick.push(create(&daemon, &format!("micro{round}"), "micro")?);
        launched.push(create(&daemon, &format!("large{round}"), "large")?);
        let name = format!("clone{round}");
        let body = json!({"name": name, "run": "running"});
        cloned.push(until_running(&daemon, &name, &format!("{VMS}/source/clone"), &body)?);
    }
    let micro = median(&mut yardstick);
    for (what, mut times) in [("launch of", launched), ("clone of a VM from", cloned)] {
        let took = median(&mut times);
        let what = format!("{what} a 10 GiB image → running, of the micro guest's");
        let beside = format!("{took:.0} ms against {micro:.0} ms");
        report.at_most(&what, took / micro, 2.0, "×", &beside);
    }
    report.calibrate()
}

/// A stopped VM `source` whose disk holds something of its own.
fn source(daemon: &Daemon) -> Result<()> {
    let memory = format!("{MEMORY_MIB}MiB");
    daemon.cli(&["vm", "create", "source", "--image", "large", "--memory", &memory])?;
    let volume = daemon.client()?.get("/v1/projects/default/volumes/source-root")?;
    let uid = volume["meta"]["uid"].as_str().context("no uid")?;
    let disk = daemon.data().join(format!("pools/default/volumes/{uid}.qcow2"));
    write(&disk)
}

fn write(disk: &Path) -> Result<()> {
    let status = Command::new("qemu-io").args(["-f", "qcow2", "-c", WRITTEN]).arg(disk).output()?;
    ensure!(status.status.success(), "qemu-io: {}", String::from_utf8_lossy(&status.stderr));
    Ok(())
}

fn create(daemon: &Daemon, name: &str, image: &str) -> Result<f64> {
    let vm = json!({
        "meta": {"name": name},
        "spec": {"run": "running", "image": image, "cpus": 1, "memory": MEMORY_MIB << 20},
    });
    until_running(daemon, name, VMS, &vm)
}

/// Milliseconds from the request until the VM's watch says `running`. The VM goes then.
fn until_running(daemon: &Daemon, name: &str, path: &str, body: &Value) -> Result<f64> {
    let (mut client, watch) = (daemon.client()?, daemon.client()?);
    let began = Instant::now();
    client.post(path, body)?;
    watch.watch_until(&format!("{VMS}?watch=true"), |object| {
        object["meta"]["name"] == name && object["status"]["state"] == "running"
    })?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    daemon.cli(&["delete", name, "--yes", "--force"])?;
    Ok(took)
}
