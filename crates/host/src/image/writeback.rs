//! Writing early: what a file has got is on its way to the disk while more comes, so that making
//! it durable at the end waits for the last of it only.
//!
//! It promises nothing. What is durable only a sync says.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Bytes that are sent to the disk at once: enough for it to work well, few beside what a file
/// for which this matters has.
const STEP: u64 = 8 << 20;

pub struct Writeback {
    /// Before this all is on its way.
    begun: u64,
}

impl Writeback {
    /// For a file whose bytes before `begun` were taken care of.
    pub fn from(begun: u64) -> Self {
        Self { begun }
    }

    /// The file has come so far.
    pub fn reach(&mut self, file: &File, end: u64) -> io::Result<()> {
        let bytes = end.saturating_sub(self.begun);
        if bytes < STEP {
            return Ok(());
        }
        let (from, length) = (offset(self.begun)?, offset(bytes)?);
        let flags = libc::SYNC_FILE_RANGE_WRITE;
        // SAFETY: it takes numbers, and a descriptor that `file` holds open.
        let begun = unsafe { libc::sync_file_range(file.as_raw_fd(), from, length, flags) };
        self.begun = end;
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            _ if begun == 0 => Ok(()),
            // A sandbox without this call: the sync at the end does it all.
            Some(libc::ENOSYS | libc::EPERM) => Ok(()),
            _ => Err(error),
        }
    }
}

/// How often the file of another program is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Writes a file early that another program fills, until this is dropped.
pub struct Beside {
    /// Tells the thread by its end.
    _end: Sender<()>,
}

impl Beside {
    /// The file need not be there yet. That a write failed the sync at the end tells.
    pub fn begin(path: &Path) -> Self {
        let path = path.to_owned();
        let (end, ended) = channel();
        std::thread::spawn(move || {
            let mut writeback = Writeback::from(0);
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let _ = File::open(&path).and_then(|file| {
                    let length = file.metadata()?.len();
                    writeback.reach(&file, length)
                });
            }
        });
        Self { _end: end }
    }
}

fn offset(bytes: u64) -> io::Result<i64> {
    i64::try_from(bytes).map_err(io::Error::other)
}
