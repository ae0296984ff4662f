//! Runs one of this binary's own tests in another process: on a small disk, or to be killed.

use std::path::Path;
use std::process::{Command, Stdio};

/// Where the inner test works.
const PLACE: &str = "NOVACRON_TEST_PLACE";

/// The folder of an inner test. One that was started by hand has none and has nothing to do.
pub fn inner_place() -> Option<std::path::PathBuf> {
    std::env::var_os(PLACE).map(Into::into)
}

/// A command that runs the ignored test `name` in `place`.
pub fn command(name: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(PLACE, place).stdin(Stdio::null());
    command
}

/// Runs the ignored test `name` on a disk of its own with so many MiB, as a user who may do that
/// or, without root, in a user namespace.
pub fn on_small_disk(name: &str, mib: u32) {
    mounted(name, &format!("-t tmpfs -o size={mib}m tmpfs"));
}

/// Runs the ignored test `name` on the file system in this file. Needs root.
pub fn on_file_system(name: &str, disk: &Path) {
    mounted(name, &format!("-o loop '{}'", disk.display()));
}

fn mounted(name: &str, what: &str) {
    let dir = tempfile::tempdir().unwrap();
    let inner = command(name, dir.path());
    let mut outer = Command::new("unshare");
    outer.args(["--mount", "--propagation", "private"]);
    if !rustix::process::geteuid().is_root() {
        outer.args(["--user", "--map-root-user"]);
    }
    let script = format!("mount {what} \"$0\" && exec \"$@\"");
    outer.args(["sh", "-c", &script]).arg(dir.path());
    outer.arg(inner.get_program()).args(inner.get_args()).env(PLACE, dir.path());
    let output = outer.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
