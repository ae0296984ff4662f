//! Removing and syncing files and trees.

use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use novacron_model::Result;

use super::super::fault;

/// How often a tree is removed into which somebody writes.
const REMOVALS: u32 = 5;

/// Removes a file or a tree, also one that never was.
pub fn remove_any(path: &Path) -> Result<()> {
    let is_tree = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    let remove = || if is_tree { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    let mut removed = remove();
    for _ in 1..REMOVALS {
        // What a killed `qemu-img` did last came after the tree was read.
        if removed.as_ref().is_err_and(|error| error.kind() == ErrorKind::DirectoryNotEmpty) {
            removed = remove();
        }
    }
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(fault::from_io(path, "remove", &error))
        }
        _ => Ok(()),
    }
}

/// Removes a flat folder at once. What its files take is given back later: for a large one that takes a
/// tenth of a second, which nobody need wait for.
pub fn remove_large(path: &Path) -> Result<()> {
    let files = fs::read_dir(path).into_iter().flatten().flatten();
    let open: Vec<File> = files.filter_map(|entry| File::open(entry.path()).ok()).collect();
    let removed = remove_any(path);
    std::thread::spawn(move || drop(open));
    removed
}

pub fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(fault::at(path, "sync"))
}

/// Syncs the files of a flat folder and the folder.
pub fn sync_tree(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path).map_err(fault::at(path, "read"))? {
        let file = entry.map_err(fault::at(path, "read"))?.path();
        File::open(&file).and_then(|file| file.sync_all()).map_err(fault::at(&file, "sync"))?;
    }
    sync_dir(path)
}

/// Takes away the right to write the files of a flat folder.
pub fn make_read_only(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path).map_err(fault::at(path, "read"))? {
        let file = entry.map_err(fault::at(path, "read"))?.path();
        let done = fs::set_permissions(&file, Permissions::from_mode(0o444));
        done.map_err(fault::at(&file, "change"))?;
    }
    let done = fs::set_permissions(path, Permissions::from_mode(0o755));
    done.map_err(fault::at(path, "change"))
}
