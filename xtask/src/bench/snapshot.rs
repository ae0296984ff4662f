//! How long a guest that writes is held up by a snapshot, against the same by raw QMP: the longest
//! gap between the beats of a program in it, which writes through to its disk before each.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::create::{qemu_img, returned, text};
use super::daemon::Daemon;
use super::report::{Report, median};
use crate::guest::{self, Guest};

const ROUNDS: usize = 9;
const SIZE: &str = "10G";
/// The guest's disks, as the driver calls their nodes.
const DISKS: [&str; 2] = ["disk0", "disk1"];
/// Debian boots slowly where the CPU is emulated.
const BOOT: Duration = Duration::from_mins(10);
const BEAT: &str = "while :; do dd if=/dev/zero of=/root/beat bs=512 count=1 conv=notrunc,fsync; \
                    echo . > /dev/ttyS0; done >/dev/null 2>&1 &";

pub fn measure(report: &mut Report) -> Result<()> {
    let image = guest::path(Guest::Debian, false)?;
    let mut daemon = Daemon::start()?;
    let run = boot(&daemon, &image)?;
    let live = run.join("serial.live");
    let (mut ours, mut theirs, mut none) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let name = format!("s{round}");
        ours.push(longest_gap(&live, || daemon.cli(&["snapshot", "create", "web", &name]))?);
        daemon.cli(&["snapshot", "delete", "web", &name, "--yes"])?;
        daemon.down()?;
        let mut qmp = Qmp::connect(&run.join("qmp.sock"))?;
        theirs.push(longest_gap(&live, || qmp.take())?);
        qmp.delete()?;
        drop(qmp);
        daemon.up()?;
        let nothing = || {
            std::thread::sleep(Duration::from_millis(500));
            Ok(())
        };
        none.push(longest_gap(&live, nothing)?);
    }
    let snapshot = daemon.client()?.get("/v1/projects/default/snapshots")?;
    anyhow::ensure!(snapshot["items"].as_array().is_some_and(Vec::is_empty), "snapshots are left");
    daemon.cli(&["delete", "web", "--yes", "--force"])?;
    let (ours, theirs, none) = (median(&mut ours), median(&mut theirs), median(&mut none));
    let beside = format!("{ours:.0} ms, frozen; {theirs:.0} ms by QMP; {none:.0} ms without any");
    let what = "guest pause of a snapshot of a running VM, over QEMU's own";
    report.at_most(what, ours - theirs, 100.0, "ms", &beside);
    report.calibrate()
}

/// Starts a guest with a disk all of whose clusters are allocated, and its beat; its run directory.
fn boot(daemon: &Daemon, image: &Path) -> Result<PathBuf> {
    daemon.cli(&["image", "import", text(image)?, "--name", "debian"])?;
    daemon.cli(&[
        "vm", "create", "web", "--image", "debian", "--memory", "1GiB", "--disk", "10GiB",
    ])?;
    daemon.cli(&["volume", "create", "data", "--size", "10GiB"])?;
    daemon.cli(&["volume", "attach", "data", "web"])?;
    let uid = |path: &str| -> Result<String> {
        let object = daemon.client()?.get(&format!("/v1/projects/default/{path}"))?;
        Ok(object["meta"]["uid"].as_str().context("no uid")?.to_owned())
    };
    let volumes = daemon.data().join("pools/default/volumes");
    let disk = volumes.join(format!("{}.qcow2", uid("volumes/data")?));
    anyhow::ensure!(disk.exists(), "no volume at {}", disk.display());
    qemu_img(&["create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", text(&disk)?, SIZE])?;
    daemon.cli(&["start", "web"])?;
    let began = Instant::now();
    while daemon.cli(&["exec", "web", "--", "sh", "-c", "test -e /run/sshd.pid"]).is_err() {
        if began.elapsed() > BOOT {
            bail!("the guest does not boot");
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    daemon.cli(&["exec", "web", "--", "sh", "-c", BEAT])?;
    Ok(daemon.data().join("run").join(uid("vms/web")?))
}

/// Milliseconds of the longest time without a beat while `work` is done and a little after.
fn longest_gap(live: &Path, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| watch(live, &done));
        std::thread::sleep(Duration::from_millis(200));
        let worked = work();
        std::thread::sleep(Duration::from_millis(200));
        done.store(true, Ordering::SeqCst);
        let gap = watch.join().map_err(|_| anyhow::anyhow!("the watch broke"))?;
        worked.and(gap)
    })
}

fn watch(live: &Path, done: &AtomicBool) -> Result<f64> {
    let length = || Ok::<_, anyhow::Error>(fs::metadata(live)?.len());
    let (mut last, mut seen) = (Instant::now(), length()?);
    let mut longest = Duration::ZERO;
    // The last gap counts when it has ended.
    loop {
        let now = length()?;
        if now != seen {
            (longest, last, seen) = (longest.max(last.elapsed()), Instant::now(), now);
            if done.load(Ordering::SeqCst) {
                return Ok(longest.as_secs_f64() * 1e3);
            }
        }
        if last.elapsed() > Duration::from_mins(1) {
            bail!("the guest has stopped beating");
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// QEMU's control channel, while no daemon has it.
struct Qmp {
    stream: UnixStream,
    lines: std::io::Lines<BufReader<UnixStream>>,
}

impl Qmp {
    fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)?;
        let lines = BufReader::new(stream.try_clone()?).lines();
        let mut qmp = Self { stream, lines };
        qmp.call(&json!({"execute": "qmp_capabilities"}))?;
        Ok(qmp)
    }

    fn call(&mut self, command: &Value) -> Result<Value> {
        self.stream.write_all(format!("{command}\n").as_bytes())?;
        loop {
            let line = self.lines.next().context("QMP ended")??;
            if line.contains("\"error\"") {
                bail!("QMP: {line}");
            }
            if let Some(value) = returned(&line) {
                return Ok(value);
            }
        }
    }

    /// Of both disks at one moment.
    fn take(&mut self) -> Result<()> {
        let actions = DISKS.map(|disk| {
            let data = json!({"device": disk, "name": "bench"});
            json!({"type": "blockdev-snapshot-internal-sync", "data": data})
        });
        self.call(&json!({"execute": "transaction", "arguments": {"actions": actions}})).map(drop)
    }

    fn delete(&mut self) -> Result<()> {
        for disk in DISKS {
            let arguments = json!({"device": disk, "name": "bench"});
            let execute = "blockdev-snapshot-delete-internal-sync";
            self.call(&json!({"execute": execute, "arguments": arguments}))?;
        }
        Ok(())
    }
}
