//! A guest's directory `<data>/run/<uid>/`, mode 0700: sockets, pid, epoch and logs.
//!
//! Unix socket paths hold 107 bytes at most, data directories may be longer. Sockets are therefore
//! reached through a descriptor of their directory (`/proc/self/fd/N/qmp.sock`), and QEMU gets
//! them listening already, as inherited descriptors.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use novacron_model::units::Time;
use novacron_model::{Code, Error, Result};
use rustix::fs::{Mode, OFlags};
use tokio::net::UnixStream;
use uuid::Uuid;

pub(super) const QMP: &str = "qmp.sock";
pub(super) const SERIAL: &str = "serial.sock";
pub(super) const AGENT: &str = "agent.sock";
const SOCKETS: [&str; 3] = [QMP, SERIAL, AGENT];

#[derive(Debug, Clone)]
pub(super) struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// `parent` is `<data>/run`. Touches nothing.
    pub fn new(parent: &Path, uid: Uuid) -> Self {
        Self { path: parent.join(uid.to_string()) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn pid_file(&self) -> PathBuf {
        self.path.join("pid")
    }

    fn epoch_file(&self) -> PathBuf {
        self.path.join("epoch")
    }

    pub fn create(&self) -> Result<()> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| self.failed("create", &error))
    }

    /// Written before QEMU is started, so that a process found later tells its epoch.
    pub fn write_epoch(&self, epoch: u64) -> Result<()> {
        let written = fs::write(self.epoch_file(), epoch.to_string());
        written.map_err(|error| self.failed("write to", &error))
    }

    /// QEMU writes the same number, but later.
    pub fn write_pid(&self, pid: u32) -> Result<()> {
        let written = fs::write(self.pid_file(), format!("{pid}\n"));
        written.map_err(|error| self.failed("write to", &error))
    }

    pub fn read_epoch(&self) -> Result<Option<u64>> {
        self.number(&self.epoch_file())
    }

    pub fn read_pid(&self) -> Result<Option<u32>> {
        self.number(&self.pid_file())
    }

    /// What a file holds; `None` when there is none, or a crash has left it empty.
    fn number<T: FromStr>(&self, file: &Path) -> Result<Option<T>> {
        match fs::read_to_string(file) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read in", &error)),
        }
    }

    /// When the last guest was started.
    pub fn started(&self) -> Option<Time> {
        let modified = fs::metadata(self.epoch_file()).ok()?.modified().ok()?;
        let stamp = jiff::Timestamp::try_from(modified).ok()?;
        Some(Time(stamp.as_millisecond()))
    }

    /// A listening socket, made anew.
    pub fn listen(&self, name: &str) -> Result<UnixListener> {
        let listen = || {
            remove_if_there(&self.path.join(name))?;
            let dir = self.open()?;
            UnixListener::bind(short_path(&dir, name))
        };
        listen().map_err(|error| self.failed(&format!("make the socket {name} in"), &error))
    }

    pub async fn connect(&self, name: &str) -> io::Result<UnixStream> {
        let dir = self.open()?;
        UnixStream::connect(short_path(&dir, name)).await
    }

    fn frozen_file(&self) -> PathBuf {
        self.path.join("frozen")
    }

    /// Left before the guest is frozen, for the next daemon. It need not survive the host: the
    /// guest does not either.
    pub fn mark_frozen(&self) -> Result<()> {
        fs::write(self.frozen_file(), "").map_err(|error| self.failed("write to", &error))
    }

    pub fn is_marked_frozen(&self) -> bool {
        self.frozen_file().exists()
    }

    pub fn unmark_frozen(&self) {
        if let Err(error) = remove_if_there(&self.frozen_file()) {
            // The next daemon thaws what is not frozen, which does no harm.
            tracing::warn!(path = %self.path.display(), %error, "a mark was not removed");
        }
    }

    /// Removes what speaks of a live process; logs stay.
    pub fn clear(&self) -> Result<()> {
        let clear = || {
            remove_if_there(&self.frozen_file())?;
            for name in SOCKETS {
                remove_if_there(&self.path.join(name))?;
            }
            remove_if_there(&self.pid_file())?;
            remove_if_there(&self.epoch_file())
        };
        clear().map_err(|error| self.failed("clear", &error))
    }

    pub fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("remove", &error))
            }
            _ => Ok(()),
        }
    }

    fn open(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&self.path, flags, Mode::empty())?)
    }

    fn failed(&self, what: &str, error: &io::Error) -> Error {
        io_failed(what, &self.path, error)
    }
}

/// An error of the file system, told by what was tried with which path.
pub(super) fn io_failed(what: &str, path: &Path, error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::StorageFull,
        _ => Code::Unavailable,
    };
    Error::new(code, format!("cannot {what} {}: {error}", path.display()))
}

fn short_path(dir: &OwnedFd, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
