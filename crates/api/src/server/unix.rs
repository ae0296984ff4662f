//! The unix socket in the data directory, also under paths longer than the 108 bytes that a socket
//! address holds.
//!
//! Who may connect is the kernel's to say: mode 0600, or 0660 where a group may use it. The socket
//! is made in a private directory and moved to its place once its mode is right, so nobody slips
//! in before.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use novacron_model::{Error, Result};
use tokio::net::UnixListener;

const NAME: &str = "api.sock";
const PRIVATE: &str = "api.new";

/// Binds the socket, replacing what a former daemon left; the caller holds the directory's lock.
/// Members of `group`, by name or number, may use it.
pub(super) fn bind(data_dir: &Path, group: Option<&str>) -> Result<(PathBuf, UnixListener)> {
    let path = data_dir.join(NAME);
    let failed =
        |error: io::Error| Error::internal(format!("cannot listen on {}: {error}", path.display()));
    let group = group.map(group_id).transpose()?;
    let private = data_dir.join(PRIVATE);
    discard(&private).map_err(failed)?;
    DirBuilder::new().mode(0o700).create(&private).map_err(failed)?;
    let listener = listen(&private, group).map_err(failed)?;
    open_way(data_dir, group).map_err(failed)?;
    fs::rename(private.join(NAME), &path).map_err(failed)?;
    discard(&private).map_err(failed)?;
    Ok((path, listener))
}

fn listen(private: &Path, group: Option<u32>) -> io::Result<UnixListener> {
    let directory = fs::File::open(private)?;
    let short = format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd());
    let listener = UnixListener::bind(short)?;
    let socket = private.join(NAME);
    chown(&socket, None, group)?;
    let mode = if group.is_some() { 0o660 } else { 0o600 };
    fs::set_permissions(&socket, Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Lets a group pass through the data directory to the socket, and no further.
fn open_way(data_dir: &Path, group: Option<u32>) -> io::Result<()> {
    let Some(group) = group else { return Ok(()) };
    for entry in fs::read_dir(data_dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::set_permissions(entry.path(), Permissions::from_mode(0o700))?;
        }
    }
    chown(data_dir, None, Some(group))?;
    fs::set_permissions(data_dir, Permissions::from_mode(0o710))
}

/// The number of a group of this host, wherever its groups are kept.
fn group_id(name: &str) -> Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let found = Command::new("getent").args(["group", "--", name]).output();
    let found = found.ok().filter(|found| found.status.success());
    let line = found.and_then(|found| String::from_utf8(found.stdout).ok()).unwrap_or_default();
    line.split(':').nth(2).and_then(|number| number.parse().ok()).ok_or_else(|| {
        let message = format!(
            "group \"{name}\" does not exist on this host: make it with `groupadd --system {name}`, \
             or leave api.group out"
        );
        Error::invalid("api.group", message)
    })
}

fn discard(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a user may use the socket where no group may: root and the daemon's own.
pub(super) fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}
