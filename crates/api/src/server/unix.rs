//! The unix socket in the data directory: mode 0600, also under paths longer than the 108 bytes
//! that a socket address holds.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use novacron_model::{Error, Result};
use tokio::net::UnixListener;

const NAME: &str = "api.sock";

/// Binds the socket, replacing what a former daemon left; the caller holds the directory's lock.
pub(super) fn bind(data_dir: &Path) -> Result<(PathBuf, UnixListener)> {
    let path = data_dir.join(NAME);
    let failed = |error: std::io::Error| {
        Error::internal(format!("cannot listen on {}: {error}", path.display()))
    };
    let directory = fs::File::open(data_dir).map_err(failed)?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let short = format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd());
    let listener = UnixListener::bind(short).map_err(failed)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok((path, listener))
}

/// Whether a user may use the socket: root and the daemon's own.
pub(super) fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}
