//! `cargo xtask guest NAME`: guests for tests and demos, made from Debian packages.
//!
//! A guest is built once and kept outside the tree, under
//! `${NOVACRON_CACHE:-${XDG_CACHE_HOME:-~/.cache}/novacron}/guests/`, named by a hash of its
//! recipe: all files of this module. Packages come from the apt sources of this machine; nothing
//! is installed. The programs that a build needs are those of `setup/packages`.

mod apt;
mod cpio;
mod debian;
mod micro;
mod run;

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use sha2::{Digest, Sha256};

#[derive(clap::Args)]
pub struct Args {
    guest: Guest,
    /// Build it again although it is cached.
    #[arg(long)]
    rebuild: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Guest {
    /// Debian's cloud kernel and a busybox initramfs: a bundle that is up in seconds.
    Micro,
    /// Debian with GRUB, cloud-init, guest agent and ssh: a qcow2 disk.
    Debian,
}

impl Guest {
    fn name(self) -> &'static str {
        match self {
            Self::Micro => "micro",
            Self::Debian => "debian",
        }
    }

    fn file_name(self, key: &str) -> String {
        match self {
            Self::Micro => format!("micro-{key}.tar"),
            Self::Debian => format!("debian-{key}.qcow2"),
        }
    }

    fn recipe(self) -> Vec<&'static str> {
        match self {
            Self::Micro => micro::RECIPE.to_vec(),
            Self::Debian => debian::recipe(),
        }
    }

    fn build(self, work: &Path, out: &Path) -> Result<()> {
        match self {
            Self::Micro => micro::build(work, out),
            Self::Debian => debian::build(work, out),
        }
    }
}

pub fn run(args: &Args) -> Result<()> {
    println!("{}", path(args.guest, args.rebuild)?.display());
    Ok(())
}

/// The guest's file, built if it is not there yet.
pub fn path(guest: Guest, rebuild: bool) -> Result<PathBuf> {
    if !cfg!(target_arch = "x86_64") {
        bail!("guests are built on x86-64 only so far");
    }
    let dir = cache_dir()?.join("guests");
    fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let path = dir.join(guest.file_name(&key(guest)));
    let _lock = lock(&dir, guest)?;
    if rebuild || !path.exists() {
        build(guest, &dir, &path)?;
    }
    Ok(path)
}

/// Builds beside the final place and renames, so that a killed build leaves no half guest.
fn build(guest: Guest, dir: &Path, path: &Path) -> Result<()> {
    let work = dir.join(format!("{}.work", guest.name()));
    run::remove_tree(&work)?;
    fs::create_dir(&work)?;
    eprintln!("building the {} guest …", guest.name());
    let out = work.join("guest");
    let built = guest.build(&work, &out).and_then(|()| {
        fs::rename(&out, path)?;
        remove_older(guest, dir, path)
    });
    run::remove_tree(&work)?;
    built.with_context(|| format!("the {} guest could not be built", guest.name()))
}

/// Guests of older recipes.
fn remove_older(guest: Guest, dir: &Path, keep: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let same = name.starts_with(&format!("{}-", guest.name()));
        if same && path != keep && path.is_file() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn key(guest: Guest) -> String {
    let mut hash = Sha256::new();
    for part in guest.recipe() {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(6).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Builds of the same guest wait for each other.
fn lock(dir: &Path, guest: Guest) -> Result<File> {
    let path = dir.join(format!("{}.lock", guest.name()));
    let file = File::create(&path)?;
    file.lock().with_context(|| format!("{} cannot be locked", path.display()))?;
    Ok(file)
}

fn cache_dir() -> Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("NOVACRON_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("novacron")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/novacron")))
        .context("neither NOVACRON_CACHE, XDG_CACHE_HOME nor HOME is set")
}
