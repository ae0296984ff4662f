//! `novacron state restore`: a data directory begins anew from a backup, whole or not at all.
//!
//! ```text
//!  restore.part/new/…  being written; thrown away if this ends early
//!      │ rename: from here on the restore has happened
//!      ▼
//!  restore/new/NAME ─▶ NAME         one rename for each name; whoever opens the directory next
//!  NAME ─▶ restore/old/NAME         does those that are left
//!      ▼
//!  restore/old ─▶ replaced-TIME     what was there before, if anything
//! ```

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use novacron_cli::{Globals, RestoreArgs};
use novacron_raft::{Backup, Options, copies};

use super::{FILES, sync_dir};
use crate::cluster::Membership;
use crate::config::Config;
use crate::data_dir::{self, DataDir};
use crate::{clock, identity};

const PART: &str = "restore.part";
const READY: &str = "restore";
/// What a restore replaces, in this order. Without a key a store is refused, so the store is last.
const NAMES: [&str; 4] = ["tls", "data.key", "cluster", "store"];

pub fn run(args: &RestoreArgs, globals: &Globals) -> Result<()> {
    let config = Config::read(args.config.as_deref())?;
    let path = std::path::absolute(config.data_dir(globals))?;
    let backup = Backup::read(&args.file)?;
    check_files(&backup)?;
    if data_dir::in_use(&path) {
        bail!("a novacron runs on {}; stop it first", path.display());
    }
    refuse_unless_empty(&path, args.replace)?;
    let data = DataDir::open(&path)?;
    finish(data.path())?;
    refuse_unless_empty(&path, args.replace)?;
    refuse_mounts(&path)?;
    let part = path.join(PART);
    let prepared = prepare(&backup, &part).and_then(|()| Ok(fs::rename(&part, path.join(READY))?));
    if let Err(error) = prepared {
        let _ = fs::remove_dir_all(&part);
        return Err(error.context(format!("{} stays as it was", path.display())));
    }
    // The rename has decided, and the next start goes on from it, unless the disk loses it.
    sync_dir(&path).with_context(|| {
        format!(
            "restored, but not known to be durable; run this again with --replace, or start {}",
            path.display()
        )
    })?;
    let replaced = finish(&path)?;
    report(&backup, &path, replaced.as_deref(), &config);
    Ok(())
}

fn check_files(backup: &Backup) -> Result<()> {
    let files = &backup.head.files;
    let stranger = files.keys().find(|name| !FILES.contains(&name.as_str()));
    if let Some(name) = stranger {
        bail!("the backup brings a file {name:?} that this version does not know");
    }
    if files.get(FILES[0]).is_none_or(|key| key.len() != 32) {
        bail!("the backup brings no data key");
    }
    Ok(())
}

fn refuse_unless_empty(path: &Path, replace: bool) -> Result<()> {
    let held = ["store", "data.key"].into_iter().find(|name| path.join(name).exists());
    if let Some(name) = held.filter(|_| !replace) {
        bail!(
            "{} holds a state already ({name}); --replace puts it aside and keeps it",
            path.display()
        );
    }
    Ok(())
}

/// What is put aside is renamed, which a mount point cannot be; later would be too late to say so.
fn refuse_mounts(path: &Path) -> Result<()> {
    let own = fs::metadata(path)?.dev();
    for name in NAMES {
        let place = path.join(name);
        if fs::symlink_metadata(&place).is_ok_and(|found| found.dev() != own) {
            bail!("{} is a mount point; unmount it first", place.display());
        }
    }
    Ok(())
}

fn prepare(backup: &Backup, part: &Path) -> Result<()> {
    let new = part.join("new");
    private(&part.join("old"))?;
    private(&new.join("store"))?;
    for (name, content) in &backup.head.files {
        let path = new.join(name);
        private(path.parent().unwrap_or(&new))?;
        copies::write_whole(&path, |file| file.write_all(content))?;
    }
    Membership::mark_alone(&new)?;
    backup.restore(&new.join("store"), &Options::default())?;
    for dir in [new.join("tls"), new.join("cluster"), new.join("store"), new, part.to_owned()] {
        if dir.exists() {
            sync_dir(&dir)?;
        }
    }
    Ok(())
}

fn private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Brings a restore to its end that has happened but for some renames; where there is none,
/// nothing but what one has left that was cut off before. Returns where the former state is now. The caller holds the directory's lock.
pub fn finish(path: &Path) -> Result<Option<PathBuf>> {
    let (part, ready) = (path.join(PART), path.join(READY));
    if part.exists() {
        fs::remove_dir_all(part)?;
    }
    if !ready.exists() {
        return Ok(None);
    }
    let done = put_in_place(path, &ready);
    done.with_context(|| format!("a restore begun in {} cannot be finished", ready.display()))
}

fn put_in_place(path: &Path, ready: &Path) -> io::Result<Option<PathBuf>> {
    let (new, old) = (ready.join("new"), ready.join("old"));
    for name in NAMES {
        let (fresh, place) = (new.join(name), path.join(name));
        if !fresh.exists() {
            continue;
        }
        if place.exists() {
            fs::rename(&place, old.join(name))?;
        }
        fs::rename(fresh, place)?;
    }
    sync_dir(path)?;
    let mut replaced = None;
    if old.exists() && fs::read_dir(&old)?.next().is_some() {
        let aside = aside(path);
        fs::rename(&old, &aside)?;
        replaced = Some(aside);
    }
    fs::remove_dir_all(ready)?;
    sync_dir(path)?;
    Ok(replaced)
}

/// Moves a state out of the way, under a name that tells when. The last of the names decides
/// whether there is one.
pub fn put_aside(data: &Path, names: &[&str]) -> io::Result<()> {
    if names.last().is_none_or(|last| !data.join(last).exists()) {
        return Ok(());
    }
    let aside = aside(data);
    DirBuilder::new().mode(0o700).create(&aside)?;
    for name in names.iter().filter(|name| data.join(name).exists()) {
        fs::rename(data.join(name), aside.join(name))?;
    }
    sync_dir(data)
}

/// A free name that tells when.
fn aside(path: &Path) -> PathBuf {
    let stamp: String = clock::now().to_string().chars().filter(|c| !"-:".contains(*c)).collect();
    let stamp = stamp.split('.').next().unwrap_or_default().trim_end_matches('Z').to_owned();
    let names = (1..).map(|number: u32| match number {
        1 => path.join(format!("replaced-{stamp}")),
        _ => path.join(format!("replaced-{stamp}-{number}")),
    });
    names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| path.join("replaced"))
}

fn report(backup: &Backup, path: &Path, replaced: Option<&Path>, config: &Config) {
    let head = &backup.head;
    println!(
        "{} holds the state of node \"{}\" of {} (revision {}, NovaCron {})",
        path.display(),
        head.node,
        head.created,
        head.revision,
        head.version
    );
    if let Some(replaced) = replaced {
        println!("what was there before is in {}", replaced.display());
    }
    let here = config.name.clone().map_or_else(identity::node_name, Ok);
    let here = here.map(|name| name.to_string()).unwrap_or_default();
    if here != head.node {
        println!(
            "this machine is node \"{here}\": if it takes the place of \"{0}\", start the server with \
             --name {0}, or set name = \"{0}\" in its settings",
            head.node
        );
    }
    println!("VMs that ran then start with the server: see that no other machine runs them");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        private(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(path: PathBuf) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    /// A data directory with an old state, and a restore that is ready.
    fn begun() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        private(&path.join("restore/old")).unwrap();
        for (root, text) in [(path.to_owned(), "old"), (path.join("restore/new"), "new")] {
            write(&root.join("store/meta"), text);
            write(&root.join("data.key"), text);
        }
        write(&path.join("tls/ca.pem"), "kept");
        dir
    }

    #[test]
    fn a_restore_that_was_cut_off_after_any_rename_is_finished() {
        // What `put_in_place` does in the end, by hand up to each step.
        let steps = [
            ("data.key", "restore/old/data.key"),
            ("restore/new/data.key", "data.key"),
            ("store", "restore/old/store"),
            ("restore/new/store", "store"),
        ];
        for cut in 0..=steps.len() {
            let dir = begun();
            let path = dir.path();
            for (from, to) in &steps[..cut] {
                fs::rename(path.join(from), path.join(to)).unwrap();
            }
            let replaced = finish(path).unwrap().unwrap();
            assert_eq!(read(path.join("store/meta")), "new", "after {cut} steps");
            assert_eq!(read(path.join("data.key")), "new", "after {cut} steps");
            assert_eq!(read(path.join("tls/ca.pem")), "kept");
            assert_eq!(read(replaced.join("store/meta")), "old", "after {cut} steps");
            assert_eq!(read(replaced.join("data.key")), "old", "after {cut} steps");
            assert!(!path.join(READY).exists());
            assert_eq!(finish(path).unwrap(), None);
        }
    }

    #[test]
    fn a_restore_that_was_cut_off_at_its_end_is_finished() {
        let dir = begun();
        let path = dir.path();
        finish(path).unwrap();
        private(&path.join("restore/new")).unwrap();
        assert_eq!(finish(path).unwrap(), None);
        assert_eq!(read(path.join("store/meta")), "new");
        assert!(!path.join(READY).exists());
    }
}
