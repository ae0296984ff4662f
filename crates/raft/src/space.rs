//! Space on the store's disk: the next segment filled ahead, the reserve for the day when the disk
//! is full, and the watch over what is free.
//!
//! ```text
//!  plenty ──free below the mark, or ENOSPC──▶ full: only deletions are taken,
//!    ▲                                              the reserve shrinks as they need space
//!    └──────free again, reserve whole again──────────┘
//! ```

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Options;
use crate::disk::{Disk, DiskFile, is_full, read_all};

const SPARE: &str = "log-spare";
const SPARE_TEMPORARY: &str = "log-spare.new";
const RESERVE: &str = "reserve";
/// The smallest part of the reserve that is given away.
const STEP: u64 = 16 << 10;
/// How often free space is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// What is known about the space of the store's disk.
pub struct Space {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    reserve_bytes: u64,
    low_water_bytes: u64,
    files: Mutex<Files>,
    full: AtomicBool,
    free: AtomicU64,
}

struct Files {
    /// Whether the spare segment is ready.
    spare: bool,
    /// Size of the reserve as it is.
    reserve: u64,
    wake: Option<Sender<()>>,
}

impl Space {
    pub fn open(disk: Arc<dyn Disk>, options: &Options) -> io::Result<Arc<Self>> {
        let _ = disk.remove(SPARE_TEMPORARY);
        let reserve = disk.open(RESERVE).and_then(|file| file.len()).unwrap_or(0);
        let has_spare = spare_is_good(&*disk, options.segment_bytes);
        if !has_spare {
            let _ = disk.remove(SPARE);
        }
        let space = Self {
            disk,
            segment_bytes: options.segment_bytes,
            reserve_bytes: options.reserve_bytes,
            low_water_bytes: options.low_water_bytes,
            files: Mutex::new(Files { spare: has_spare, reserve, wake: None }),
            full: AtomicBool::new(false),
            free: AtomicU64::new(0),
        };
        space.measure(&mut space.lock())?;
        Ok(Arc::new(space))
    }

    /// Starts the thread that keeps the spare and the reserve; it ends after [`Space::stop`].
    pub fn keep(self: &Arc<Self>) -> io::Result<JoinHandle<()>> {
        let (wake, woken) = channel();
        self.lock().wake = Some(wake);
        let space = Arc::downgrade(self);
        let run = move |woken: Receiver<()>| loop {
            let Some(space) = space.upgrade() else { return };
            space.tend();
            drop(space);
            if woken.recv_timeout(PERIOD) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        };
        std::thread::Builder::new().name("store-space".to_owned()).spawn(move || run(woken))
    }

    pub fn stop(&self) {
        self.lock().wake = None;
    }

    /// Whether only the reserve is left.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Bytes free beside the reserve, as last looked at.
    pub fn free_bytes(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    /// Whether deletions can still be taken: what the log itself will need is left.
    pub fn can_free(&self) -> bool {
        let files = self.lock();
        !self.is_full() || files.reserve >= self.log_share(files.spare)
    }

    /// How much of the reserve the log may yet need: to begin a segment, and for `meta`.
    fn log_share(&self, has_spare: bool) -> u64 {
        if has_spare { STEP } else { STEP + self.segment_bytes }
    }

    /// A zero-filled file for the next segment, and its size; [`Space::name_segment`] names it.
    pub fn next_segment(&self, needed: u64) -> io::Result<(Arc<dyn DiskFile>, u64)> {
        let mut files = self.lock();
        if needed <= self.segment_bytes && files.spare {
            return Ok((self.disk.open(SPARE)?, self.segment_bytes));
        }
        let bytes = needed.next_multiple_of(4096).max(self.segment_bytes);
        self.make_spare(&mut files, bytes)?;
        Ok((self.disk.open(SPARE)?, bytes))
    }

    /// Gives the file of [`Space::next_segment`] its name, durably.
    pub fn name_segment(&self, name: &str) -> io::Result<()> {
        let mut files = self.lock();
        self.disk.rename(SPARE, name)?;
        files.spare = false;
        self.disk.sync_names()?;
        if let Some(wake) = &files.wake {
            let _ = wake.send(());
        }
        Ok(())
    }

    /// Gives a little of the reserve back to the disk, for the log; `false` if nothing is left.
    pub fn release(&self) -> bool {
        self.shrink(&mut self.lock(), STEP, 0)
    }

    /// Gives a part of the reserve back to the disk, for a snapshot; `false` if what is left
    /// belongs to the log.
    pub fn lend(&self) -> bool {
        let mut files = self.lock();
        let keep = self.log_share(false) + self.segment_bytes;
        self.shrink(&mut files, self.segment_bytes, keep)
    }

    /// Looks again at what is free: something has been removed.
    pub fn look(&self) {
        if let Err(error) = self.measure(&mut self.lock()) {
            tracing::warn!(%error, "the store cannot see how much space is free");
        }
    }

    fn tend(&self) {
        let mut files = self.lock();
        if !files.spare
            && let Err(error) = self.make_spare(&mut files, self.segment_bytes)
        {
            tracing::warn!(%error, "the store cannot make its next log segment");
        }
        drop(files);
        self.look();
    }

    /// Looks at what is free, fills the reserve up with it, and decides.
    fn measure(&self, files: &mut Files) -> io::Result<()> {
        let free = self.disk.free_bytes()?;
        let taken = self.refill(files, free)?;
        let free = free.saturating_sub(taken);
        self.free.store(free, Ordering::Relaxed);
        let full = free < self.low_water_bytes || files.reserve < self.reserve_bytes;
        self.set_full(full, free);
        Ok(())
    }

    /// Gives the reserve what it lacks, as far as there is space; returns what it took.
    fn refill(&self, files: &mut Files, free: u64) -> io::Result<u64> {
        let missing = self.reserve_bytes.saturating_sub(files.reserve);
        let more = if missing <= free { missing } else { free / STEP * STEP };
        if more == 0 {
            return Ok(0);
        }
        let file = match files.reserve {
            0 => self.disk.create(RESERVE)?,
            _ => self.disk.open(RESERVE)?,
        };
        match file.allocate(files.reserve + more) {
            Err(error) if is_full(&error) => return Ok(0),
            other => other?,
        }
        files.reserve += more;
        Ok(more)
    }

    fn set_full(&self, full: bool, free: u64) {
        match (self.full.swap(full, Ordering::Relaxed), full) {
            (false, true) => tracing::warn!(free, "the store's disk is full: only deletions"),
            (true, false) => tracing::info!(free, "the store's disk has space again"),
            _ => {}
        }
    }

    fn make_spare(&self, files: &mut Files, bytes: u64) -> io::Result<()> {
        loop {
            let made = create_zeroed(&*self.disk, SPARE_TEMPORARY, bytes);
            match made {
                Ok(_) => {
                    self.disk.rename(SPARE_TEMPORARY, SPARE)?;
                    files.spare = bytes == self.segment_bytes;
                    return Ok(());
                }
                Err(error) if is_full(&error) => {
                    self.set_full(true, 0);
                    if !self.shrink(files, bytes, 0) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn shrink(&self, files: &mut Files, bytes: u64, keep: u64) -> bool {
        if files.reserve <= keep {
            return false;
        }
        let left = files.reserve.saturating_sub(bytes).max(keep);
        let shrunk = self.disk.open(RESERVE).and_then(|file| file.truncate(left));
        if let Err(error) = shrunk {
            tracing::warn!(%error, "the store cannot use its reserve");
            return false;
        }
        files.reserve = left;
        self.set_full(true, 0);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates a file of zeros that are really on the disk, so that writing over them later cannot run
/// out of space and need not change metadata. A failure leaves no file.
pub fn create_zeroed(disk: &dyn Disk, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
    const CHUNK: u64 = 256 << 10;
    let zeros = vec![0; usize::try_from(CHUNK.min(bytes)).unwrap_or(0)];
    let write = |file: &dyn DiskFile| {
        file.allocate(bytes)?;
        let mut at = 0;
        while at < bytes {
            let len = zeros.len().min(usize::try_from(bytes - at).unwrap_or(usize::MAX));
            file.write_at(&zeros[..len], at)?;
            at += len as u64;
        }
        file.sync()
    };
    let file = disk.create(name)?;
    if let Err(error) = write(&*file) {
        let _ = disk.remove(name);
        return Err(error);
    }
    Ok(file)
}

fn spare_is_good(disk: &dyn Disk, bytes: u64) -> bool {
    let found = disk.open(SPARE).and_then(|file| read_all(&*file));
    found.is_ok_and(|found| found.len() as u64 == bytes && found.iter().all(|byte| *byte == 0))
}
