//! A process told apart from any other by pid and start time, held by a pidfd.
//!
//! The daemon may be its parent or not: after a restart guests belong to init.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, pidfd_send_signal,
    waitid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub(super) struct Process {
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`.
    pub start_ticks: u64,
    pidfd: AsyncFd<OwnedFd>,
}

impl Process {
    /// The live process of this pid; `None` when there is none or it is a zombie. Not being able to
    /// look (for want of descriptors, say) is an error: whoever takes it for an end starts twice.
    pub fn open(pid: u32) -> io::Result<Option<Self>> {
        let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        let pidfd = pidfd_open(raw, PidfdFlags::empty()).map_err(io::Error::from);
        let Some(pidfd) = unless_gone(pidfd)? else { return Ok(None) };
        // Read after the descriptor was taken: had the process ended between, its entry is gone or
        // tells another start time than the handle.
        let stat = unless_gone(fs::read_to_string(stat_path(pid)))?;
        let Some(start_ticks) = stat.as_deref().and_then(live_start_ticks) else { return Ok(None) };
        // SAFETY: an `OwnedFd` keeps its one descriptor open for as long as it lives.
        let pidfd = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) };
        Ok(Some(Self { pid, start_ticks, pidfd: pidfd? }))
    }

    /// Whether the command line has `word` in it.
    pub fn mentions(&self, word: &str) -> bool {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        line.windows(word.len()).any(|window| window == word.as_bytes())
    }

    /// Waits for the end; says how it ended when this daemon is the parent.
    pub async fn ended(&self) -> Option<String> {
        // The descriptor becomes readable at exit; an error here would mean that it is not a pidfd.
        let _ = self.pidfd.readable().await;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::PidFd(self.pidfd.get_ref().as_fd()), options).ok()??;
        Some(describe(&status))
    }

    pub fn kill(&self) -> io::Result<()> {
        match pidfd_send_signal(self.pidfd.get_ref(), Signal::KILL) {
            Err(Errno::SRCH) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// `None` where the error says that the process is no more.
fn unless_gone<T>(looked: io::Result<T>) -> io::Result<Option<T>> {
    let gone = [Errno::SRCH, Errno::NOENT].map(Errno::raw_os_error);
    match looked {
        Err(error) if error.raw_os_error().is_some_and(|code| gone.contains(&code)) => Ok(None),
        looked => looked.map(Some),
    }
}

fn describe(status: &WaitIdStatus) -> String {
    match (status.terminating_signal(), status.exit_status()) {
        (Some(signal), _) => format!("QEMU was killed by signal {signal}"),
        (_, Some(code)) => format!("QEMU ended with status {code}"),
        _ => "QEMU ended".to_owned(),
    }
}

fn stat_path(pid: u32) -> String {
    format!("/proc/{pid}/stat")
}

/// Field 22 of a stat line, unless the process is dead. The second field, the program's name, may
/// hold blanks and parentheses; fields are therefore counted from the last parenthesis.
fn live_start_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    match fields.next()? {
        "Z" | "X" | "x" => None,
        _ => fields.nth(18)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 4 0 4711 1 2 3";

    #[test]
    fn a_program_name_with_parentheses_does_not_shift_fields() {
        assert_eq!(live_start_ticks(STAT), Some(4711));
    }

    #[tokio::test]
    async fn what_cannot_be_looked_at_is_not_taken_for_gone() {
        let own = Process::open(std::process::id()).unwrap();
        assert!(own.is_some());
        assert!(Process::open(i32::MAX.unsigned_abs()).unwrap().is_none());
        let full: io::Result<()> = Err(Errno::MFILE.into());
        assert!(unless_gone(full).is_err());
    }

    #[test]
    fn a_zombie_is_no_live_process() {
        assert_eq!(live_start_ticks(&STAT.replace(" S ", " Z ")), None);
        assert_eq!(live_start_ticks("garbage"), None);
    }
}
