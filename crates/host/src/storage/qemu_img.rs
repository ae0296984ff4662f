//! Running `qemu-img`: formats always named, never probed; bounded in memory, CPU, output and
//! time; killed when its caller goes, or the daemon; its own words in the error.

mod flatten;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use novacron_model::units::Bytes;
use novacron_model::volume::DiskFormat;
use novacron_model::{Code, Error, Result};
use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpid, getppid, prlimit, set_parent_process_death_signal,
};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use uuid::Uuid;

pub use self::flatten::Layers;
use super::{Base, Percent, fault, layers};

/// Address space: caches and thread stacks of a conversion fit several times.
const MEMORY_MAX: u64 = 4 << 30;
/// A disk is expected to be read and written with at least this rate (bytes per second).
const RATE_MIN: u64 = 10 << 20;
const PATIENCE: Duration = Duration::from_mins(10);
/// How much of its words is kept.
const WORDS_MAX: u64 = 4096;

/// The program on this machine.
#[derive(Debug, Clone)]
pub struct QemuImg {
    program: PathBuf,
}

impl Default for QemuImg {
    fn default() -> Self {
        Self::new("qemu-img")
    }
}

/// What a file is, as `qemu-img -f` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Qcow2,
    Raw,
    Vmdk,
    Vhdx,
}

impl Format {
    fn as_str(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
            Self::Vmdk => "vmdk",
            Self::Vhdx => "vhdx",
        }
    }

    /// Whose tables are first read during a conversion.
    fn is_unchecked(self) -> bool {
        matches!(self, Self::Vmdk | Self::Vhdx)
    }
}

impl From<DiskFormat> for Format {
    fn from(format: DiskFormat) -> Self {
        match format {
            DiskFormat::Qcow2 => Self::Qcow2,
            DiskFormat::Raw => Self::Raw,
        }
    }
}

/// What [`QemuImg::copy`] is to do.
#[derive(Debug)]
pub struct Copy<'a> {
    pub from: &'a Path,
    pub to: &'a Path,
    pub format: DiskFormat,
    /// What both lie over.
    pub image: Option<&'a Base>,
    /// Tag of the snapshot that is copied. It does not change while a guest writes into the disk, so
    /// the guest's lock is passed by; without one, a disk in use is refused.
    pub snapshot: Option<Uuid>,
    /// Of the new disk.
    pub size: Bytes,
}

impl Copy<'_> {
    fn arguments(&self) -> Vec<OsString> {
        let image = self.image.map(|image| (image.path.as_path(), image.format));
        let mut args = vec!["convert", "-p", "-n", "--image-opts", "--target-image-opts"];
        args.extend(self.snapshot.map(|_| "-U"));
        let mut args: Vec<OsString> = args.into_iter().map(OsString::from).collect();
        if let Some(tag) = self.snapshot {
            args.extend(["-l".into(), format!("snapshot.name={tag}").into()]);
        }
        match image {
            // Only what differs from it is written.
            Some((path, format)) => {
                args.extend(["-B".into(), path.into(), "-F".into(), format.as_str().into()]);
            }
            None => args.push("--target-is-zero".into()),
        }
        args.push(layers::options((self.from, self.format), image).into());
        args.push(layers::options((self.to, self.format), image).into());
        args
    }
}

/// What `check` found in a disk that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Clean,
    /// Some clusters are lost, nothing is wrong.
    Leaks,
}

impl QemuImg {
    /// A path, or a name that is looked up in `PATH`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// First line of `--version`, such as `qemu-img version 10.0.2 (…)`.
    pub async fn version(&self) -> Result<String> {
        let ended = self.run(&[OsStr::new("--version")], Limits::small(), &mut |_| ()).await?;
        let line = ended.stdout.lines().next().unwrap_or_default().to_owned();
        ended.succeeded(&line).map(|()| line)
    }

    /// Verifies the tables of a qcow2 disk.
    pub async fn check(&self, path: &Path) -> Result<Check> {
        let size = std::fs::metadata(path).map_err(fault::at(path, "read"))?.len();
        let limits = Limits { output: 0, time: time_for(size) };
        let args = ["check", "-q", "-f", "qcow2"].map(OsStr::new);
        let args = [args.as_slice(), &[path.as_os_str()]].concat();
        let ended = self.run(&args, limits, &mut |_| ()).await?;
        // exit codes as in qemu-img's manual
        match ended.status.code() {
            Some(0) => Ok(Check::Clean),
            Some(3) => Ok(Check::Leaks),
            Some(2) => Err(Error::invalid("spec.source", "the image's tables are damaged")
                .hint("`qemu-img check` on the original says more")),
            _ => Err(ended.failure("check")),
        }
    }

    /// Writes `from`'s content into a new file, not yet durable. `progress` hears per cent.
    pub async fn convert(
        &self,
        from: (&Path, Format),
        to: (&Path, Format),
        size: Bytes,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<()> {
        let limits = Limits { output: room_for(size), time: time_for(size.0) };
        let args = ["convert", "-p", "-f", from.1.as_str(), "-O", to.1.as_str()].map(OsStr::new);
        let args = [args.as_slice(), &[from.0.as_os_str(), to.0.as_os_str()]].concat();
        let ended = self.run(&args, limits, progress).await?;
        if fault::tells_full(&ended.stderr) {
            return Err(fault::full(to.0));
        }
        if !ended.status.success() && from.1.is_unchecked() {
            let message = format!("the image's disk cannot be read: {}", ended.words());
            return Err(Error::invalid("spec.source", message)
                .hint("the file is damaged or cut short; compare it with the original"));
        }
        ended.succeeded("convert")
    }

    /// Copies what a disk itself holds into an empty disk of the same format that lies over the same
    /// image; not yet durable. `progress` hears per cent.
    pub async fn copy(&self, copy: &Copy<'_>, progress: Percent<'_>) -> Result<()> {
        let limits = Limits { output: room_for(copy.size), time: time_for(copy.size.0) };
        let args = copy.arguments();
        let args: Vec<&OsStr> = args.iter().map(OsString::as_os_str).collect();
        let ended = self.run(&args, limits, progress).await?;
        if fault::tells_full(&ended.stderr) {
            return Err(fault::full(copy.to));
        }
        ended.succeeded("convert")
    }

    /// Raises the size of a qcow2 disk that nobody uses; not yet durable. Its tables are written
    /// anew and named in the header last, so a crash leaves the old size or the new one.
    pub async fn grow(&self, path: &Path, size: Bytes) -> Result<()> {
        let now = std::fs::metadata(path).map_err(fault::at(path, "read"))?.len();
        // the tables of the new part; snapshots hold theirs besides
        let output = now.saturating_add(size.0 / 1000).saturating_add(64 << 20);
        let limits = Limits { output, time: PATIENCE };
        let bytes = size.0.to_string();
        let args = ["resize", "-q", "-f", "qcow2"].map(OsStr::new);
        let args = [args.as_slice(), &[path.as_os_str(), OsStr::new(&bytes)]].concat();
        let ended = self.run(&args, limits, &mut |_| ()).await?;
        if fault::tells_full(&ended.stderr) {
            return Err(fault::full(path));
        }
        ended.succeeded("resize")
    }

    async fn run(
        &self,
        args: &[&OsStr],
        limits: Limits,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Ended> {
        let mut command = Command::new(&self.program);
        command.args(args).env("LC_ALL", "C").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        die_with(&mut command, getpid());
        let mut child = command.spawn().map_err(|error| self.absent(&error))?;
        limits.put_on(&child)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut deaf = |_| ();
        let all = async {
            let (stdout, stderr) =
                tokio::join!(listen(stdout, progress), listen(stderr, &mut deaf));
            child.wait().await.map(|status| Ended { status, stdout, stderr })
        };
        match timeout(limits.time, all).await {
            Ok(Ok(ended)) => Ok(ended),
            Ok(Err(error)) => Err(Error::internal(format!("qemu-img was lost: {error}"))),
            Err(_) => Err(Error::new(
                Code::Timeout,
                format!("qemu-img did not finish in {} s and was ended", limits.time.as_secs()),
            )),
        }
    }

    fn absent(&self, error: &std::io::Error) -> Error {
        let program = self.program.display();
        Error::unsupported(format!("`{program}` cannot be run: {error}"))
            .hint("on Debian: apt install qemu-utils")
    }
}

/// Ends the program with this process, however that ends, so that nobody writes into a pool that
/// the next daemon sweeps, or holds a disk that it is to use. The kernel goes by the thread that
/// starts it: one of the runtime's own, which live as long as the process.
pub(crate) fn die_with(command: &mut Command, parent: Pid) {
    let ask = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have ended before it was asked for.
        if getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
    };
    // SAFETY: between fork and exec `ask` does two system calls, and neither allocates nor locks.
    unsafe {
        command.pre_exec(ask);
    }
}

/// The tables of a qcow2 disk take about a 8000th of its content.
fn room_for(size: Bytes) -> u64 {
    size.0.saturating_add(size.0 / 1000).saturating_add(64 << 20)
}

fn time_for(bytes: u64) -> Duration {
    PATIENCE + Duration::from_secs(bytes / RATE_MIN)
}

struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn succeeded(&self, doing: &str) -> Result<()> {
        if self.status.success() { Ok(()) } else { Err(self.failure(doing)) }
    }

    /// What it said first.
    fn words(&self) -> &str {
        let words = self.stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        words.strip_prefix("qemu-img: ").unwrap_or(words)
    }

    fn failure(&self, doing: &str) -> Error {
        let words = self.words();
        if words.is_empty() {
            return Error::internal(format!("qemu-img {doing} ended with {}", self.status));
        }
        Error::internal(format!("qemu-img {doing} failed: {words}"))
    }
}

struct Limits {
    /// Bytes of the largest file that it may write.
    output: u64,
    time: Duration,
}

impl Limits {
    fn small() -> Self {
        Self { output: 0, time: Duration::from_secs(30) }
    }

    /// The child runs a moment without them, before it has opened anything.
    fn put_on(&self, child: &Child) -> Result<()> {
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let Some(pid) = pid else { return Ok(()) };
        let limits = [
            (Resource::As, MEMORY_MAX),
            (Resource::Fsize, self.output),
            (Resource::Cpu, self.time.as_secs()),
            (Resource::Core, 0),
        ];
        for (resource, value) in limits {
            let limit = Rlimit { current: Some(value), maximum: Some(value) };
            match prlimit(Some(pid), resource, limit) {
                // it has ended already
                Ok(_) | Err(Errno::SRCH) => (),
                Err(error) => {
                    return Err(Error::internal(format!("qemu-img cannot be limited: {error}")));
                }
            }
        }
        Ok(())
    }
}

/// Reads to the end, keeps the beginning, and hears qemu-img's `(12.34/100%)`.
async fn listen(
    from: Option<impl AsyncRead + Unpin>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> String {
    let Some(mut from) = from else { return String::new() };
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        let chunk = String::from_utf8_lossy(&buffer[..n]);
        if let Some(percent) = chunk.rsplit('(').next().and_then(percent) {
            progress(percent);
        }
        if (kept.len() as u64) < WORDS_MAX {
            kept.extend_from_slice(&buffer[..n]);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

fn percent(text: &str) -> Option<u64> {
    text.split_once("/100%")?.0.split('.').next()?.trim().parse().ok()
}
