//! A folder of backups that a daemon keeps: one a day, the newest ones only.
//!
//! A copy is written beside its place and renamed, so that each one is whole. The clock may be
//! set: what claims to be from the future counts for nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use novacron_model::Time;

use crate::Backup;

const DAY_MS: u64 = 24 * 3600 * 1000;
const PREFIX: &str = "state-";
const SUFFIX: &str = ".backup";
const PART: &str = ".part";

/// The copies in a folder, which need not exist yet.
#[derive(Debug, Clone)]
pub struct Copies {
    dir: PathBuf,
    keep: usize,
}

impl Copies {
    /// `keep`: how many copies stay; none are made with zero.
    pub fn new(dir: PathBuf, keep: usize) -> Self {
        Self { dir, keep }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether a copy is to be made now.
    pub fn is_due(&self, now: Time) -> bool {
        self.keep > 0 && is_due(self.times().into_iter(), now)
    }

    /// Adds what `write` writes as the copy of `now`, then removes those beyond the newest. What
    /// fails leaves nothing behind.
    pub fn add(
        &self,
        now: Time,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<PathBuf> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        self.sweep()?;
        let path = self.dir.join(name(now));
        write_whole(&path, write)?;
        File::open(&self.dir)?.sync_all()?;
        for old in surplus(self.times(), now, self.keep) {
            fs::remove_file(self.dir.join(name(old)))?;
        }
        Ok(path)
    }

    /// The newest copy that is not damaged.
    pub fn newest(&self) -> Option<PathBuf> {
        let mut times = self.times();
        times.sort_unstable();
        let paths = times.into_iter().rev().map(|time| self.dir.join(name(time)));
        paths.into_iter().find(|path| Backup::read(path).is_ok())
    }

    /// When the copies were made; anything else in the folder is somebody else's.
    fn times(&self) -> Vec<Time> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries.filter_map(|entry| time(entry.file_name().to_str()?)).collect()
    }

    /// Removes what a daemon left that died while it wrote.
    fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)?.flatten() {
            let name = entry.file_name();
            let whole = name.to_str().and_then(|name| name.strip_suffix(PART));
            if whole.and_then(time).is_some() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Writes a file for nobody else's eyes, durably, whole or not at all.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(PART);
    let part = PathBuf::from(part);
    let written = write_part(&part, write).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

fn write_part(part: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let _ = fs::remove_file(part);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part)?;
    write(&mut file)?;
    file.flush()?;
    file.sync_all()
}

/// `state-20260131T120000Z.backup`.
fn name(time: Time) -> String {
    let stamp = Time(time.0.div_euclid(1000) * 1000).to_string();
    let stamp: String = stamp.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{PREFIX}{stamp}{SUFFIX}")
}

fn time(name: &str) -> Option<Time> {
    let stamp = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let part = |range: std::ops::Range<usize>| stamp.get(range);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(9..11)?,
        part(11..13)?,
        part(13..15)?
    );
    // Nothing behind it: a name that was given by hand is nobody's copy.
    text.parse().ok().filter(|time| self::name(*time) == name)
}

fn is_due(mut times: impl Iterator<Item = Time>, now: Time) -> bool {
    !times.any(|time| time <= now && now.since(time) < DAY_MS)
}

/// Which copies go: those from the future first, then the oldest ones.
fn surplus(mut times: Vec<Time>, now: Time, keep: usize) -> Vec<Time> {
    times.sort_unstable_by_key(|time| (*time <= now, *time));
    times.truncate(times.len().saturating_sub(keep));
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn a_name_tells_when() {
        let now: Time = "2026-01-31T12:34:56.789Z".parse().unwrap();
        assert_eq!(name(now), "state-20260131T123456Z.backup");
        assert_eq!(time(&name(now)), Some(Time(now.0 - 789)));
        let by_hand = "state-20260131T123456Z-mine.backup";
        for foreign in ["state-.backup", "state-20260131T123456Z", "other", by_hand] {
            assert_eq!(time(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn one_a_day_whatever_the_clock_does() {
        let at = |hours: i64| Time(hours * HOUR_MS);
        let due = |hours: &[i64], now| is_due(hours.iter().map(|hour| at(*hour)), at(now));
        assert!(due(&[], 0));
        assert!(!due(&[0], 23));
        assert!(due(&[0], 24));
        assert!(due(&[500], 24), "one from the future does not count");
    }

    #[test]
    fn the_oldest_go_and_those_from_the_future_before_them() {
        let at = |hours: i64| Time(hours * HOUR_MS);
        let times = |hours: &[i64]| hours.iter().map(|hour| at(*hour)).collect::<Vec<_>>();
        assert_eq!(surplus(times(&[3, 1, 2]), at(9), 2), times(&[1]));
        assert_eq!(surplus(times(&[3, 1, 20]), at(9), 2), times(&[20]));
        assert!(surplus(times(&[1]), at(9), 7).is_empty());
    }

    #[test]
    fn what_fails_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let copies = Copies::new(dir.path().join("backups"), 2);
        let now = Time(1_000_000);
        let error = copies.add(now, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_dir(dir.path().join("backups")).unwrap().count(), 0);
        assert!(copies.is_due(now));
        copies.add(now, |file| file.write_all(b"whole")).unwrap();
        assert!(!copies.is_due(now));
    }
}
