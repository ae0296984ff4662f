//! Is this machine fit to run guests? A list of findings, each with what to type.
//!
//! Looking (programs, ports, files) is apart from judging, which is pure. Nothing is printed and
//! nothing is changed here.

mod judge;

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use novacron_model::units::Bytes;
use serde::Serialize;
use tokio::process::Command;

use crate::hardware::{self, Hardware};
use crate::hypervisor::qemu::keep::uefi;
use crate::network;

/// What is to be examined.
#[derive(Debug, Clone)]
pub struct Config {
    /// A path, or a name that is looked up in `PATH`.
    pub qemu: PathBuf,
    pub qemu_img: PathBuf,
    /// It need not exist yet.
    pub data_dir: PathBuf,
    /// Addresses that the daemon wants. Leave out those that it holds already.
    pub listen: Vec<SocketAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// One or two words: `QEMU`, `disk space`.
    pub what: &'static str,
    pub verdict: Verdict,
    /// What was seen and what it means, without a full stop.
    pub sentence: String,
    /// A command, or a short advice where there is none.
    pub todo: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// Guests run, but less well than they could.
    Warn,
    /// Guests do not run before this is mended.
    Fail,
}

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Looks at everything; in the order in which it is worth reading.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let (qemu, qemu_img) = tokio::join!(version(&config.qemu), version(&config.qemu_img));
    let root = rustix::process::geteuid().is_root();
    let mut findings = vec![
        judge::qemu(qemu.as_deref(), qemu_img.as_deref()),
        judge::qemu_img(qemu_img.as_deref()),
        judge::firmware(uefi()),
        judge::tpm(version(Path::new("swtpm")).await.is_some()),
        judge::acceleration(hardware::accelerator(), root),
        judge::memory(Hardware::probe().memory),
    ];
    findings.extend(config.listen.iter().map(|address| judge::port(*address, bind(*address))));
    findings.push(data_dir(&config.data_dir));
    findings.push(judge::rights(root));
    findings.push(judge::bridges(network::rights::lacking()));
    findings.push(judge::sandbox(Path::new("/proc/sys/kernel/seccomp").exists()));
    findings.push(judge::cgroups(
        Path::new("/sys/fs/cgroup/cgroup.controllers").exists(),
        Path::new("/sys/fs/cgroup/memory").exists(),
        root,
    ));
    findings.push(judge::kernel(&rustix::system::uname().release().to_string_lossy()));
    findings
}

/// First line of a program's `--version`.
async fn version(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.arg(OsStr::new("--version")).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(ANSWER_TIMEOUT, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

fn bind(address: SocketAddr) -> Result<(), ErrorKind> {
    TcpListener::bind(address).map(drop).map_err(|error| error.kind())
}

/// Looks at the nearest folder that exists.
fn data_dir(path: &Path) -> Finding {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let writable = rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_ok();
    let free = rustix::fs::statvfs(there).map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
    judge::data_dir(path, writable, Bytes(free.unwrap_or(0)))
}
