//! A file that hashes what is written into it, on threads of its own: reading the network,
//! hashing and writing go on side by side.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};

use bytes::Bytes as Chunk;
use novacron_model::units::Bytes;
use novacron_model::{Code, Error, Result};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::sum::hex;
use super::writeback::Writeback;
use super::{Arrival, sparse};
use crate::storage::fault;

/// Chunks on their way to the disk.
const QUEUE: usize = 16;

/// What had been written at some moment.
#[derive(Debug, Clone, Default)]
pub struct Written {
    pub size: u64,
    /// Absent before the first look at it.
    hash: Option<Sha256>,
}

/// Called on the sink's thread when it ends before it is finished, with what is durable then; none
/// after a failure, for then nobody knows.
pub type AtEnd = Box<dyn FnOnce(Option<Written>) -> Result<()> + Send>;

pub struct Sink {
    path: PathBuf,
    orders: Option<Sender<Order>>,
    writer: Option<JoinHandle<Result<Written>>>,
    /// Bytes taken so far.
    pub size: u64,
    limit: Bytes,
}

enum Order {
    Write(Chunk),
    Restart,
    Finish,
}

impl Sink {
    pub fn create(path: &Path, limit: Bytes) -> Result<Self> {
        let file = File::create(path).map_err(fault::at(path, "make"))?;
        Ok(Self::go_on(path, file, (0, None), limit, None))
    }

    /// Appends to a file of this length; what is known of its content need not be read again.
    pub fn go_on(
        path: &Path,
        file: File,
        (size, known): (u64, Option<Written>),
        limit: Bytes,
        at_end: Option<AtEnd>,
    ) -> Self {
        let (orders, queue) = channel(QUEUE);
        let known = known.filter(|known| known.size == size);
        let written = known.unwrap_or(Written { size, hash: None });
        let writer = Writer { path: path.to_owned(), file, written, at_end };
        let writer = Some(tokio::task::spawn_blocking(move || writer.run(queue)));
        Self { path: path.to_owned(), orders: Some(orders), writer, size, limit }
    }

    /// Refuses early what cannot fit: `length` bytes more.
    pub fn expect(&self, length: Option<u64>) -> Result<()> {
        let Some(length) = length else { return Ok(()) };
        self.check_limit(self.size.saturating_add(length))?;
        let stat = rustix::fs::statvfs(self.path.parent().unwrap_or(&self.path));
        match stat {
            Ok(stat) if stat.f_bavail.saturating_mul(stat.f_frsize) < length => {
                Err(fault::full(&self.path))
            }
            _ => Ok(()),
        }
    }

    pub async fn write(&mut self, chunk: Chunk) -> Result<()> {
        self.size = self.size.saturating_add(chunk.len() as u64);
        self.check_limit(self.size)?;
        self.order(Order::Write(chunk)).await
    }

    /// Forgets what was written.
    pub async fn restart(&mut self) -> Result<()> {
        self.size = 0;
        self.order(Order::Restart).await
    }

    /// All is here: returns once it is durable.
    pub async fn finish(mut self) -> Result<Arrival> {
        self.order(Order::Finish).await?;
        let written = self.ended().await?;
        let hash = written.hash.unwrap_or_default();
        Ok(Arrival { sha256: hex(&hash.finalize()), size: Bytes(written.size), boot: None })
    }

    /// No more comes for now: returns once what has come is written, and how much that is.
    pub async fn pause(mut self) -> Result<u64> {
        self.orders = None;
        self.ended().await.map(|written| written.size)
    }

    async fn order(&mut self, order: Order) -> Result<()> {
        let sent = match &self.orders {
            Some(orders) => orders.send(order).await.is_ok(),
            None => false,
        };
        if sent {
            return Ok(());
        }
        // It ends early only with an error.
        self.ended().await?;
        Err(Error::internal("the image's file was closed too early"))
    }

    async fn ended(&mut self) -> Result<Written> {
        let lost = || Error::internal("the image's file is closed already");
        let written = self.writer.take().ok_or_else(lost)?.await;
        written.map_err(|error| Error::internal(format!("writing was lost: {error}")))?
    }

    fn check_limit(&self, size: u64) -> Result<()> {
        if size <= self.limit.0 {
            return Ok(());
        }
        let message = format!("the image is larger than {}", self.limit);
        Err(Error::new(Code::TooLarge, message).at("spec.source"))
    }
}

struct Writer {
    path: PathBuf,
    file: File,
    written: Written,
    at_end: Option<AtEnd>,
}

impl Writer {
    fn run(mut self, orders: Receiver<Order>) -> Result<Written> {
        let at_end = self.at_end.take();
        let ended = self.write(orders, at_end.is_some());
        match (ended, at_end) {
            (Ok(false), Some(at_end)) => at_end(Some(self.written.clone()))?,
            (Ok(_), _) => {}
            (Err(error), Some(at_end)) => {
                // The first failure is the one to tell.
                let _ = at_end(None);
                return Err(error);
            }
            (Err(error), None) => return Err(error),
        }
        Ok(self.written)
    }

    /// Carries orders out until there are no more; whether the last one was to finish. `kept`: what
    /// is unfinished stays, and so must be durable.
    fn write(&mut self, mut orders: Receiver<Order>, kept: bool) -> Result<bool> {
        let mut hasher = Hasher::start(match self.written.hash.take() {
            Some(hash) => hash,
            None => self.hash_what_is_there()?,
        });
        let (mut finished, mut writeback) = (false, Writeback::from(self.written.size));
        while let Some(order) = orders.blocking_recv() {
            match order {
                Order::Write(chunk) => {
                    hasher.update(chunk.clone());
                    self.append(&chunk)?;
                    let begun = writeback.reach(&self.file, self.written.size);
                    begun.map_err(fault::at(&self.path, "write"))?;
                }
                Order::Restart => {
                    (self.written.size, hasher) = (0, Hasher::start(Sha256::new()));
                    writeback = Writeback::from(0);
                    self.file.set_len(0).map_err(fault::at(&self.path, "write"))?;
                }
                Order::Finish => {
                    finished = true;
                    break;
                }
            }
        }
        if finished || kept {
            // Zeros at the end have not been written.
            let done = self.file.set_len(self.written.size).and_then(|()| self.file.sync_all());
            done.map_err(fault::at(&self.path, "write"))?;
        }
        self.written.hash = Some(hasher.end()?);
        Ok(finished)
    }

    fn hash_what_is_there(&self) -> Result<Sha256> {
        let (mut hash, mut at) = (Sha256::new(), 0);
        let mut buffer = vec![0; if self.written.size == 0 { 0 } else { 1 << 20 }];
        while at < self.written.size {
            let rest = usize::try_from(self.written.size - at).unwrap_or(usize::MAX);
            let part = rest.min(buffer.len());
            let read = self.file.read_exact_at(&mut buffer[..part], at);
            read.map_err(fault::at(&self.path, "read"))?;
            hash.update(&buffer[..part]);
            at += part as u64;
        }
        Ok(hash)
    }

    fn append(&mut self, chunk: &[u8]) -> Result<()> {
        let at = self.written.size;
        sparse::write_at(&self.file, chunk, at).map_err(fault::at(&self.path, "write"))?;
        self.written.size = at + chunk.len() as u64;
        Ok(())
    }
}

/// Hashing takes about as long as writing, so it has a thread of its own beside it.
struct Hasher {
    queue: SyncSender<Chunk>,
    thread: std::thread::JoinHandle<Sha256>,
}

impl Hasher {
    fn start(mut hash: Sha256) -> Self {
        let (queue, chunks) = sync_channel::<Chunk>(QUEUE);
        let thread = std::thread::spawn(move || {
            while let Ok(chunk) = chunks.recv() {
                hash.update(&chunk);
            }
            hash
        });
        Self { queue, thread }
    }

    /// It takes chunks until it is dropped.
    fn update(&self, chunk: Chunk) {
        let _ = self.queue.send(chunk);
    }

    fn end(self) -> Result<Sha256> {
        drop(self.queue);
        self.thread.join().map_err(|_| Error::internal("hashing was lost"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_a_failed_write_nothing_is_said_to_be_durable() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read_only = File::open(file.path()).unwrap();
        let (told, hears) = std::sync::mpsc::channel();
        let at_end: AtEnd = Box::new(move |written| {
            let _ = told.send(written.map(|written| written.size));
            Ok(())
        });
        let limit = Bytes::mib(1);
        let mut sink = Sink::go_on(file.path(), read_only, (0, None), limit, Some(at_end));
        let _ = sink.write(Chunk::from_static(&[7; 4096])).await;
        assert!(sink.pause().await.is_err());
        assert_eq!(hears.recv(), Ok(None));
    }
}
