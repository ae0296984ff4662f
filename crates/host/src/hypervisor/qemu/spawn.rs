//! Starting QEMU so that it outlives the daemon: a session of its own, no descriptor of the
//! daemon's but the given sockets, output into a bounded log.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::io::FdFlags;
use rustix::process::{Resource, Rlimit};

/// What a new process gets.
pub(super) struct Launch<'a> {
    pub binary: &'a Path,
    pub arguments: &'a [OsString],
    /// Takes standard output and error.
    pub log: File,
    /// Sockets and taps, kept open under the same numbers.
    pub sockets: Vec<OwnedFd>,
}

impl Launch<'_> {
    /// Returns the new process's pid. The caller must reap it.
    pub fn start(self) -> io::Result<u32> {
        let sockets: Vec<RawFd> = self.sockets.iter().map(AsRawFd::as_raw_fd).collect();
        let mut command = Command::new(self.binary);
        command
            .args(self.arguments)
            .current_dir("/")
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            // By the local time of the daemon some guests' clocks go.
            .envs(std::env::var_os("TZ").map(|zone| ("TZ", zone)))
            .stdin(Stdio::null())
            .stdout(self.log.try_clone()?)
            .stderr(self.log);
        // SAFETY: `enter` makes system calls only; it neither allocates nor takes locks, as is
        // asked of code between fork and exec. Its descriptors stay open until `spawn` returns.
        unsafe {
            command.pre_exec(move || enter(&sockets));
        }
        let child = command.spawn()?;
        Ok(child.id())
    }
}

/// Runs in the child.
fn enter(sockets: &[RawFd]) -> io::Result<()> {
    rustix::process::setsid()?;
    // A core file would hold the guest's memory.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, none)?;
    close_all_at_exec()?;
    for socket in sockets {
        rustix::io::fcntl_setfd(borrow(*socket), FdFlags::empty())?;
    }
    Ok(())
}

/// Also what the daemon itself has inherited without knowing.
pub(super) fn close_all_at_exec() -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC.cast_signed();
    // SAFETY: plain numbers; nothing is closed before exec.
    let done = unsafe { libc::close_range(3, libc::c_uint::MAX, flags) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(super) fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: the descriptors' owners live until the child has been made.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
