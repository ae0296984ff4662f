//! Before a newer version converts a store, a copy of it as it was is put aside: with it, the older
//! version can go on from where it stood.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::OpenError;
use crate::log::{META, Meta};

/// Files of a store that hold nothing of the state.
const EMPTY: [&str; 4] = ["lock", "reserve", "log-spare", "log-spare.new"];

/// The format of the store in `dir`, if opening it would convert it.
pub fn needed(dir: &Path) -> Result<Option<u32>, OpenError> {
    let path = dir.join(META);
    let shown = path.display().to_string();
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| OpenError::io(shown.clone(), error))?,
    };
    let meta = Meta::parse(&bytes, &shown)?;
    Ok(meta.is_old().then_some(meta.format))
}

/// Copies the store in `dir`, and `key` beside it, into the folder `to/NAME`; whole or not at all.
/// A copy of that name which is the same already stays.
pub fn copy(dir: &Path, key: &Path, to: &Path, name: &str) -> io::Result<PathBuf> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    let part = to.join(format!("{name}.part"));
    discard(&part)?;
    let written = fill(dir, key, &part).and_then(|()| settle(&part, to, name));
    if written.is_err() {
        let _ = discard(&part);
    }
    written
}

fn fill(dir: &Path, key: &Path, part: &Path) -> io::Result<()> {
    let store = part.join("store");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&store)?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        // A folder is none of ours: `lost+found` of a file system of its own, say.
        let is_file = entry.file_type()?.is_file();
        if is_file && !EMPTY.iter().any(|empty| name == *empty) {
            copy_file(&entry.path(), &store.join(name))?;
        }
    }
    copy_file(key, &part.join(key.file_name().unwrap_or_default()))?;
    File::open(&store)?.sync_all()?;
    File::open(part)?.sync_all()
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    File::open(to)?.sync_all()
}

/// Gives the copy its name, or a number behind it if another copy has that.
fn settle(part: &Path, to: &Path, name: &str) -> io::Result<PathBuf> {
    let numbered = |number: u32| match number {
        1 => to.join(name),
        _ => to.join(format!("{name}-{number}")),
    };
    let mut number = 1;
    while numbered(number).exists() {
        if same(&part.join("store"), &numbered(number).join("store"))? {
            discard(part)?;
            return Ok(numbered(number));
        }
        number += 1;
    }
    fs::rename(part, numbered(number))?;
    File::open(to)?.sync_all()?;
    Ok(numbered(number))
}

fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let names = |dir: &Path| -> io::Result<Vec<_>> {
        let mut names = fs::read_dir(dir)?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    };
    if names(one)? != names(other)? {
        return Ok(false);
    }
    for name in names(one)? {
        if fs::read(one.join(&name))? != fs::read(other.join(&name))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn discard(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
