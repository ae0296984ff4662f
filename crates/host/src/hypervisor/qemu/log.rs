//! Logs that QEMU writes and nobody may overflow: the serial line's and QEMU's own.
//!
//! ```text
//!   NAME.log    what was printed before, cut to `keep` bytes by the daemon
//!   NAME.live   what QEMU appends to
//!               |<------- hole ------->|<-- at most 4 * keep -->|
//!               0                      base                     largest file of the file system
//! ```
//!
//! While a daemon lives it moves the live part to `NAME.log` and truncates it to `base`; QEMU
//! appends (`O_APPEND`), so the next byte lands there. While no daemon lives, the kernel itself
//! ends the growth: a write past the largest file size fails, and QEMU drops what it cannot log.
//! The hole takes no room. A guest is never held up, nothing needs a process of its own, and the
//! history outlives both daemon and guest. Where a file system has no such limit to lean on, `base`
//! is 0 and only the daemon bounds the file.
//!
//! A few bytes of a flood can be lost from the history between reading and truncating; the live
//! line has them all.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Room of the live part, as a multiple of what is kept.
const ROOM: u64 = 4;

#[derive(Debug, Clone)]
pub(super) struct Log {
    kept: PathBuf,
    live: PathBuf,
    base: u64,
    keep: u64,
}

impl Log {
    /// `limit`: of the file system, from [`largest_file`].
    pub fn new(dir: &Path, name: &str, keep: u64, limit: Option<u64>) -> Self {
        let base = limit.and_then(|limit| limit.checked_sub(ROOM * keep)).unwrap_or(0);
        Self {
            kept: dir.join(format!("{name}.log")),
            live: dir.join(format!("{name}.live")),
            base,
            keep,
        }
    }

    pub fn live_path(&self) -> &Path {
        &self.live
    }

    /// Opens the live part for appending, for a guest that is about to start.
    pub fn prepare(&self) -> io::Result<File> {
        self.trim()?;
        let file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.live)?;
        let length = file.metadata()?.len();
        // New, or brought here from another file system.
        if length < self.base || length > self.base + ROOM * self.keep {
            file.set_len(self.base)?;
        }
        Ok(file)
    }

    /// Moves the live part away once it is longer than what is kept.
    pub fn trim(&self) -> io::Result<()> {
        let Ok(metadata) = fs::metadata(&self.live) else { return Ok(()) };
        if metadata.len().saturating_sub(self.base) < self.keep {
            return Ok(());
        }
        let live = OpenOptions::new().read(true).write(true).open(&self.live)?;
        let new = self.kept.with_extension("new");
        fs::write(&new, self.live_tail(&live, self.keep)?)?;
        fs::rename(&new, &self.kept)?;
        live.set_len(self.base)
    }

    /// The newest bytes, at most `limit`.
    pub fn tail(&self, limit: u64) -> io::Result<Vec<u8>> {
        let recent = match File::open(&self.live) {
            Ok(live) => self.live_tail(&live, limit)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let left = limit.saturating_sub(recent.len() as u64);
        let mut tail = match fs::read(&self.kept) {
            Ok(kept) => kept[start_of_tail(kept.len(), left)..].to_vec(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        tail.extend_from_slice(&recent);
        Ok(tail)
    }

    #[cfg(test)]
    fn live_length(&self) -> u64 {
        fs::metadata(&self.live).map_or(0, |metadata| metadata.len().saturating_sub(self.base))
    }

    fn live_tail(&self, live: &File, limit: u64) -> io::Result<Vec<u8>> {
        let end = live.metadata()?.len().max(self.base);
        let start = end.saturating_sub(limit.min(ROOM * self.keep)).max(self.base);
        let mut tail = vec![0; usize::try_from(end - start).unwrap_or(0)];
        let mut filled = 0;
        while filled < tail.len() {
            match live.read_at(&mut tail[filled..], start + filled as u64)? {
                0 => break,
                n => filled += n,
            }
        }
        tail.truncate(filled);
        Ok(tail)
    }
}

fn start_of_tail(length: usize, limit: u64) -> usize {
    length.saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// The largest size that a file in `dir` may have, found by trying. `None`: not to be relied on.
pub(super) fn largest_file(dir: &Path) -> Option<u64> {
    let path = dir.join(".largest-file");
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).ok()?;
    fs::remove_file(&path).ok()?;
    let (mut fits, mut fails) = (0_u64, 1_u64 << 63);
    while fails - fits > 1 {
        let middle = fits + (fails - fits) / 2;
        match file.set_len(middle) {
            Ok(()) => fits = middle,
            Err(_) => fails = middle,
        }
    }
    bounds_appends(&file, fits).then_some(fits)
}

/// Whether a file of the largest size really refuses to grow.
fn bounds_appends(mut file: &File, largest: u64) -> bool {
    use io::Write;
    let room = 1;
    let shortened = largest.checked_sub(room).is_some_and(|size| file.set_len(size).is_ok());
    shortened && matches!(file.write(b"x"), Ok(1)) && !matches!(file.write(b"x"), Ok(1..))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const KEEP: u64 = 4096;

    fn log(dir: &Path) -> Log {
        Log::new(dir, "serial", KEEP, largest_file(dir))
    }

    #[test]
    fn a_flood_ends_at_the_limit_with_no_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        assert!(log.base > 0, "this file system has no largest file");
        let mut file = log.prepare().unwrap();
        let mut written = 0;
        while let Ok(n @ 1..) = file.write(&[b'x'; 1000]) {
            written += n as u64;
            assert!(written <= ROOM * KEEP, "the flood goes on");
        }
        assert_eq!(written, ROOM * KEEP);
        let blocks = std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap());
        assert!(blocks * 512 <= 2 * ROOM * KEEP, "{blocks} blocks");
    }

    #[test]
    fn trimming_keeps_the_newest_and_lets_the_writer_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        let mut file = log.prepare().unwrap();
        for n in 0..2000 {
            writeln!(file, "{n:07}").unwrap();
            if n % 100 == 0 {
                log.trim().unwrap();
            }
        }
        let tail = String::from_utf8(log.tail(16).unwrap()).unwrap();
        assert_eq!(tail, "0001998\n0001999\n");
        let all = log.tail(u64::MAX).unwrap();
        assert!(all.len() as u64 >= KEEP && all.len() as u64 <= (ROOM + 1) * KEEP, "{}", all.len());
        // Without a gap across the moved part.
        let lines: Vec<u32> =
            String::from_utf8(all).unwrap().lines().flat_map(str::parse).collect();
        assert!(lines.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{lines:?}");
    }

    #[test]
    fn the_history_outlives_a_restart_of_the_guest() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        log.prepare().unwrap().write_all(b"first ").unwrap();
        log.prepare().unwrap().write_all(b"second").unwrap();
        assert_eq!(log.tail(100).unwrap(), b"first second");
    }

    #[test]
    fn without_a_largest_file_the_daemon_bounds_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(dir.path(), "serial", KEEP, None);
        let mut file = log.prepare().unwrap();
        file.write_all(&vec![b'x'; 100_000]).unwrap();
        log.trim().unwrap();
        assert_eq!(log.live_length(), 0);
        assert_eq!(log.tail(u64::MAX).unwrap().len() as u64, KEEP);
    }
}
