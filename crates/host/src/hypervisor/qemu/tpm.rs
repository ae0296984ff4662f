//! A TPM for one guest: a swtpm process beside QEMU, which ends with it. The two speak over a socket
//! pair; the daemon may die at any moment.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use novacron_model::{Error, Result};
use rustix::io::FdFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::spawn;

const PROGRAM: &str = "swtpm";
/// For the process of the former run to see that its guest has gone.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

/// Starts the TPM whose state lies in `state`, which no process may have; returns the socket for
/// QEMU.
pub(super) fn start(state: &Path) -> Result<OwnedFd> {
    let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let (ours, theirs) = pair.map_err(|error| failed(&error.into()))?;
    let theirs_number = theirs.as_raw_fd();
    let state = state.display();
    let mut command = Command::new(PROGRAM);
    command
        .args(["socket", "--tpm2", "--terminate"])
        .args(["--tpmstate", &format!("dir={state},mode=0600")])
        .args(["--ctrl", &format!("type=unixio,clientfd={theirs_number}")])
        .args(["--log", &format!("file={state}/log,level=1,truncate")])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: system calls only, as between fork and exec there must be; the descriptor stays open
    // until `spawn` returns.
    unsafe {
        command.pre_exec(move || {
            rustix::process::setsid()?;
            spawn::close_all_at_exec()?;
            rustix::io::fcntl_setfd(spawn::borrow(theirs_number), FdFlags::empty())?;
            Ok(())
        });
    }
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    // Reaps it; after the daemon's death that is the init process's part.
    thread::Builder::new()
        .name("tpm".to_owned())
        .spawn(move || child.wait())
        .map_err(|error| failed(&error))?;
    Ok(ours)
}

/// Sees to it that no process has this state: a TPM ends by itself a moment after its guest, but not
/// when its guest never came to speak with it.
pub(super) async fn end(state: &Path) -> Result<()> {
    let began = Instant::now();
    loop {
        let left = processes(state);
        if left.is_empty() {
            return Ok(());
        }
        if began.elapsed() > 2 * PATIENCE {
            return Err(Error::unavailable(format!(
                "TPM process {} of an earlier start does not end",
                left[0]
            )));
        }
        if began.elapsed() > PATIENCE {
            left.iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())).for_each(|pid| {
                // It ended just now, most likely.
                let _ = kill_process(pid, Signal::KILL);
            });
        }
        sleep(LOOK).await;
    }
}

/// The processes that have this state; one, if any.
pub(super) fn processes(state: &Path) -> Vec<u32> {
    let wanted = format!("dir={},", state.display());
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        words.next().is_some_and(|program| program.ends_with(PROGRAM.as_bytes()))
            && words.any(|word| word.starts_with(wanted.as_bytes()))
    })
    .collect()
}

fn failed(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        return Error::unsupported("this node has no TPM emulator")
            .hint("install it there (apt install swtpm), or take the TPM from the VM");
    }
    Error::unavailable(format!("the TPM emulator cannot be started: {error}"))
}
