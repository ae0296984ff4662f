//! Debian packages from the apt sources of this machine: found, fetched and unpacked, never
//! installed. Needs no root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::run;

/// Names of `packages` and of everything that they depend on.
pub fn closure(packages: &[&str]) -> Result<Vec<String>> {
    let without = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"];
    let mut command = Command::new("apt-cache");
    command.args(["depends", "--recurse"]);
    command.args(without.map(|kind| format!("--no-{kind}"))).args(packages);
    let printed = run::output(&mut command).context(
        "the package lists of this machine are missing or too old; `apt-get update` fetches them",
    )?;
    let is_name = |line: &&str| line.starts_with(|c: char| c.is_ascii_alphanumeric());
    let mut names: Vec<_> = printed.lines().filter(is_name).map(String::from).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Downloads packages into `dir` and unpacks all of them into `root`.
pub fn unpack(packages: &[String], dir: &Path, root: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    fs::create_dir_all(root)?;
    let mut download = Command::new("apt-get");
    download.current_dir(dir).args(["-qq", "-o", "APT::Sandbox::User=", "download"]);
    run::run(download.args(packages))?;
    for deb in debs(dir)? {
        run::run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(root))?;
    }
    Ok(())
}

fn debs(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut debs = Vec::new();
    for entry in fs::read_dir(dir)? {
        debs.push(entry?.path());
    }
    debs.retain(|path| path.extension().is_some_and(|ext| ext == "deb"));
    if debs.is_empty() {
        bail!("apt-get fetched nothing into {}", dir.display());
    }
    debs.sort();
    Ok(debs)
}
