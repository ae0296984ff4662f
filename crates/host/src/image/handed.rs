//! The file of a client on this machine that handed over its open descriptor: it is read here, and no
//! byte goes through a socket.
//!
//! The client may write into its file meanwhile, or cut it. So it is copied first, and only the copy
//! is hashed, looked into and shown to `qemu-img`. A file that has changed before its copy was
//! whole is refused: half of each state is an image of neither.
//!
//! The file may lie on a file system that never answers. So it is read on a thread of its own, not on
//! one that the process waits for when it ends.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use novacron_model::task::step as steps;
use novacron_model::units::Bytes;
use novacron_model::{Code, Error, Result};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use tokio::sync::{oneshot, watch};

use super::receive::PART;
use super::sum::{self, hex};
use super::writeback::Beside;
use super::{Arrival, Progress, boot, detect, report, sparse};
use crate::storage::fault;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// Bytes after which the others hear how far it is.
const STEP: u64 = 8 << 20;
/// `st_blocks` counts these: stat(2).
const SECTOR: u64 = 512;

/// Copies what was handed over. It is not durable then: the image that is made of it will be.
pub async fn receive(
    staging: &Path,
    file: File,
    sha256: Option<&str>,
    limit: Bytes,
    progress: Progress<'_>,
) -> Result<Arrival> {
    let before = regular(&file)?;
    check_size(&before, staging, limit)?;
    let size = before.len();
    let copy = Copy::begin(file, before, &staging.join(PART), sha256.is_some())?;
    let (at, mut reached) = watch::channel(0);
    let (tell, mut done) = oneshot::channel();
    std::thread::spawn(move || {
        let copied = copy.run(&|done| at.send(done).is_ok());
        // Whoever is gone has removed the copy.
        let _ = tell.send(copied);
    });
    let sha256 = loop {
        tokio::select! {
            copied = &mut done => {
                break copied.unwrap_or_else(|_| Err(Error::internal("copying was lost")))?;
            }
            Ok(()) = reached.changed() => {
                report(progress, steps::RECEIVE, *reached.borrow_and_update(), size);
            }
        }
    };
    Ok(Arrival { sha256: sha256.unwrap_or_default(), size: Bytes(size), boot: Some(boot::id()) })
}

/// What is no file has no end, or none that is known.
fn regular(file: &File) -> Result<Metadata> {
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if metadata.is_file() {
        return Ok(metadata);
    }
    Err(Error::invalid("spec.source", "what was handed over is not a file"))
}

/// Refuses early what cannot fit; holes take no room.
fn check_size(file: &Metadata, staging: &Path, limit: Bytes) -> Result<()> {
    if file.len() > limit.0 {
        let message = format!("the image is larger than {limit}");
        return Err(Error::new(Code::TooLarge, message).at("spec.source"));
    }
    let taken = file.len().min(file.blocks().saturating_mul(SECTOR));
    match rustix::fs::statvfs(staging) {
        Ok(stat) if stat.f_bavail.saturating_mul(stat.f_frsize) < taken => {
            Err(fault::full(staging))
        }
        _ => Ok(()),
    }
}

fn unreadable(error: &io::Error) -> Error {
    Error::invalid("spec.source", format!("the file that was handed over cannot be read: {error}"))
}

fn changed() -> Error {
    Error::conflict("the file has changed while it was read").hint("import it again")
}

/// Hears how far a copy is, and says whether to go on.
type Reached<'a> = &'a (dyn Fn(u64) -> bool + Sync);

struct Copy {
    from: File,
    /// As it was when it came.
    before: Metadata,
    to: File,
    path: PathBuf,
    hasher: Option<Hasher>,
}

impl Copy {
    fn begin(from: File, before: Metadata, path: &Path, hash: bool) -> Result<Self> {
        let options = File::options().read(true).write(true).create_new(true).open(path);
        let to = options.map_err(fault::at(path, "make"))?;
        let hasher = hash.then(|| Hasher::start(&to)).transpose();
        let hasher = hasher.map_err(fault::at(path, "read"))?;
        Ok(Self { from, before, to, path: path.to_owned(), hasher })
    }

    /// Its SHA-256, where that is wanted.
    fn run(self, reached: Reached<'_>) -> Result<Option<String>> {
        // What is converted goes soon, and need not be written.
        let _writeback = self.stays()?.then(|| Beside::begin(&self.path));
        let (size, mut at) = (self.before.len(), 0);
        while let Some((data, hole)) = self.next_data(at).map_err(|error| unreadable(&error))? {
            self.copy(data, hole, reached)?;
            at = hole;
        }
        self.to.set_len(size).map_err(fault::at(&self.path, "write"))?;
        let after = self.from.metadata().map_err(|error| unreadable(&error))?;
        let mark = |file: &Metadata| (file.len(), file.mtime(), file.mtime_nsec());
        if mark(&after) != mark(&self.before) {
            return Err(changed());
        }
        self.hasher
            .map(|hasher| hasher.end(size))
            .transpose()
            .map_err(fault::at(&self.path, "read"))
    }

    /// Whether the copy becomes a part of the image, as far as its first bytes tell.
    fn stays(&self) -> Result<bool> {
        let mut head = [0; 512];
        detect::read_at(&self.from, &mut head, 0).map_err(|error| unreadable(&error))?;
        Ok(detect::stays(&head))
    }

    /// Where the next bytes lie that are no hole. What a file system says is believed as far as it
    /// leads onwards; one that knows no holes has one piece of data.
    fn next_data(&self, at: u64) -> io::Result<Option<(u64, u64)>> {
        let size = self.before.len();
        if at >= size {
            return Ok(None);
        }
        let data = match seek(&self.from, SeekFrom::Data(at)) {
            Ok(data) if data >= size => return Ok(None),
            Ok(data) => data.max(at),
            Err(Errno::NXIO) => return Ok(None),
            Err(Errno::INVAL) => at,
            Err(error) => return Err(error.into()),
        };
        let hole = seek(&self.from, SeekFrom::Hole(data)).ok().filter(|hole| *hole > data);
        Ok(Some((data, hole.unwrap_or(size).min(size))))
    }

    /// Copies a piece of data. Where no hasher uses the second thread, a helper does: one of them waits
    /// for memory while the other one copies.
    fn copy(&self, from: u64, to: u64, reached: Reached<'_>) -> Result<()> {
        let (next, done) = (AtomicU64::new(from), AtomicU64::new(from));
        let steps = || self.steps(&next, &done, to, reached);
        if self.hasher.is_some() || to - from <= STEP {
            return steps();
        }
        std::thread::scope(|scope| {
            let helper = scope.spawn(steps);
            let own = steps();
            let lost = |_| Err(Error::internal("copying was lost"));
            own.and(helper.join().unwrap_or_else(lost))
        })
    }

    /// Takes the next step that nobody has taken, until there is none before `to`.
    fn steps(
        &self,
        next: &AtomicU64,
        done: &AtomicU64,
        to: u64,
        reached: Reached<'_>,
    ) -> Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let from = next.fetch_add(STEP, Ordering::Relaxed);
            let end = to.min(from.saturating_add(STEP));
            if from >= to {
                return Ok(());
            }
            let copied = self.copy_step(&mut buffer, from, end);
            // Nobody needs to go on after a failure.
            copied.inspect_err(|_| next.store(to, Ordering::Relaxed))?;
            let at = done.fetch_add(end - from, Ordering::Relaxed) + end - from;
            let told = self.tell(at, reached);
            told.inspect_err(|_| next.store(to, Ordering::Relaxed))?;
        }
    }

    fn copy_step(&self, buffer: &mut [u8], from: u64, to: u64) -> Result<()> {
        let mut at = from;
        while at < to {
            let rest = usize::try_from(to - at).unwrap_or(usize::MAX);
            let part = &mut buffer[..rest.min(CHUNK)];
            self.from.read_exact_at(part, at).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => changed(),
                _ => unreadable(&error),
            })?;
            sparse::write_at(&self.to, part, at).map_err(fault::at(&self.path, "write"))?;
            at += part.len() as u64;
        }
        Ok(())
    }

    fn tell(&self, at: u64, reached: Reached<'_>) -> Result<()> {
        if !reached(at) {
            return Err(Error::unavailable("nobody waits for the image any more"));
        }
        let Some(hasher) = &self.hasher else { return Ok(()) };
        // Before the end of the file there may be nothing yet where zeros are.
        let grown = self.to.metadata().and_then(|file| match file.len() {
            len if len < at => self.to.set_len(at),
            _ => Ok(()),
        });
        grown.map_err(fault::at(&self.path, "write"))?;
        hasher.reach(at);
        Ok(())
    }
}

/// Hashes the copy while it grows.
struct Hasher {
    marks: Sender<u64>,
    thread: JoinHandle<io::Result<Sha256>>,
}

impl Hasher {
    fn start(copy: &File) -> io::Result<Self> {
        let copy = copy.try_clone()?;
        let (marks, reached) = channel();
        let thread = std::thread::spawn(move || sum::follow(&copy, reached));
        Ok(Self { marks, thread })
    }

    /// It takes marks until they end or the copy cannot be read, which [`Hasher::end`] tells.
    fn reach(&self, mark: u64) {
        let _ = self.marks.send(mark);
    }

    fn end(self, size: u64) -> io::Result<String> {
        self.reach(size);
        drop(self.marks);
        let hash = self.thread.join().map_err(|_| io::Error::other("hashing was lost"))??;
        Ok(hex(&hash.finalize()))
    }
}

#[cfg(test)]
mod tests;
