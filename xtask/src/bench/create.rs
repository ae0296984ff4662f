//! Create → running: through REST, by hand, and through libvirt, in turn.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::daemon::Daemon;
use super::libvirt::Libvirt;
use super::qmp;
use super::report::{Report, median};

const ROUNDS: usize = 10;
const MEMORY_MIB: u64 = 128;

pub fn measure(report: &mut Report) -> Result<()> {
    let daemon = Daemon::start()?;
    let dir = tempfile::tempdir()?;
    let disk = dir.path().join("base.qcow2");
    qemu_img(&["create", "-q", "-f", "qcow2", text(&disk)?, "1G"])?;
    daemon.cli(&["image", "import", text(&disk)?, "--name", "base"])?;
    let libvirt = Libvirt::start(dir.path())?;
    let (mut ours, mut by_hand, mut virsh) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let name = format!("vm{round}");
        ours.push(through_rest(&daemon, &name)?);
        // While the VM is still there with its files, but does not run.
        let command = command_line(&daemon, &name)?;
        daemon.cli(&["stop", &name, "--timeout", "0s", "--force"])?;
        by_hand.push(qmp::by_hand(dir.path(), &disk, &command)?);
        delete(&daemon, &name)?;
        if let Some(libvirt) = &libvirt {
            virsh.push(libvirt.create(&disk, MEMORY_MIB)?);
        }
    }
    let (ours, by_hand) = (median(&mut ours), median(&mut by_hand));
    let beside = format!("{ours:.0} ms against {by_hand:.0} ms");
    report.at_most("create → running, of the same by hand", ours / by_hand, 2.0, "×", &beside);
    if libvirt.is_some() {
        let virsh = median(&mut virsh);
        let beside = format!("{ours:.0} ms against {virsh:.0} ms");
        report.at_most("create → running, of virsh create", ours / virsh, 0.2, "×", &beside);
    }
    report.calibrate()
}

/// Milliseconds from the request until the VM's watch says `running`.
fn through_rest(daemon: &Daemon, name: &str) -> Result<f64> {
    let mut client = daemon.client()?;
    let watch = daemon.client()?;
    let vm = json!({
        "meta": {"name": name},
        "spec": {"run": "running", "image": "base", "cpus": 1, "memory": MEMORY_MIB << 20},
    });
    let began = Instant::now();
    client.post("/v1/projects/default/vms", &vm)?;
    watch.watch_until("/v1/projects/default/vms?watch=true", |object| {
        object["meta"]["name"] == name && object["status"]["state"] == "running"
    })?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// The arguments of the guest's process, as the daemon chose them.
fn command_line(daemon: &Daemon, name: &str) -> Result<Vec<String>> {
    let vm = daemon.client()?.get(&format!("/v1/projects/default/vms/{name}"))?;
    let pid = vm["status"]["runtime"]["pid"].as_u64().context("no pid")?;
    let bytes = fs::read(format!("/proc/{pid}/cmdline"))?;
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| Ok(String::from_utf8(word.to_vec())?)).collect()
}

fn delete(daemon: &Daemon, name: &str) -> Result<()> {
    daemon.cli(&["delete", name, "--yes", "--force"])
}

pub fn qemu_img(args: &[&str]) -> Result<()> {
    let output = Command::new("qemu-img").args(args).output()?;
    if !output.status.success() {
        bail!("qemu-img {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

pub fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}

/// A fresh overlay over `base`, as a user would make it.
pub fn overlay(path: &Path, base: &Path) -> Result<()> {
    let (path, base) = (text(path)?, text(base)?);
    qemu_img(&["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, path, "10G"])
}

/// The value under `return` of a QMP answer, where it is one.
pub fn returned(line: &str) -> Option<Value> {
    serde_json::from_str::<Value>(line).ok()?.get("return").cloned()
}
