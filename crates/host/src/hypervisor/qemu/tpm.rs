//! A TPM for one guest: a swtpm process beside QEMU, which ends with it. The two speak over a socket
//! pair; the daemon may die at any moment.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use novacron_model::{Error, Result};
use rustix::io::FdFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::spawn;

const PROGRAM: &str = "swtpm";
/// For the process of the former run to see that its guest has gone.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// Starts the TPM whose state lies in `state`; returns the socket for QEMU.
pub(super) fn start(state: &Path) -> Result<OwnedFd> {
    wait_for_former(state);
    let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let (ours, theirs) = pair.map_err(|error| failed(&error.into()))?;
    let theirs_number = theirs.as_raw_fd();
    let state = state.display();
    let mut command = Command::new(PROGRAM);
    command
        .args(["socket", "--tpm2", "--terminate"])
        .args(["--tpmstate", &format!("dir={state},mode=0600")])
        .args(["--ctrl", &format!("type=unixio,clientfd={theirs_number}")])
        .args(["--pid", &format!("file={state}/pid")])
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

/// Two processes must not have one state. The former one ends by itself, a moment after its guest.
fn wait_for_former(state: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && former(state).is_some() {
        thread::sleep(LOOK);
    }
}

fn former(state: &Path) -> Option<u32> {
    let pid: u32 = fs::read_to_string(state.join("pid")).ok()?.trim().parse().ok()?;
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let state = state.to_str()?;
    String::from_utf8_lossy(&line).contains(state).then_some(pid)
}

fn failed(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        return Error::unsupported("this node has no TPM emulator")
            .hint("install it there (apt install swtpm), or take the TPM from the VM");
    }
    Error::unavailable(format!("the TPM emulator cannot be started: {error}"))
}
