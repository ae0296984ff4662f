//! The thread that writes: one command after the other, each durable before it is answered. After
//! a write or a sync has failed nothing more is written: what reached the disk is then unknown.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use openraft::storage::LogFlushed;
use tokio::sync::oneshot;

use super::frame::{Frame, Kind};
use super::index::{self, Index};
use super::meta::Meta;
use super::recover::{Recovered, read_entries};
use super::segment::{Segment, Start};
use super::segment_name;
use crate::disk::{Disk, is_full};
use crate::space::Space;
use crate::types::{LogId, TypeConfig, Vote};

pub enum Command {
    Append { frames: Vec<Frame>, callback: LogFlushed<TypeConfig> },
    Vote { vote: Vote, done: Done },
    Truncate { from: u64, done: Done },
    Purge { upto: LogId, done: Done },
}

type Done = oneshot::Sender<io::Result<()>>;

/// Where to send commands; the thread ends with the last clone.
#[derive(Clone)]
pub struct Writer(Sender<Command>);

impl Writer {
    /// Starts the thread on a recovered log. `failed` is told why, once, when it can write no more.
    pub fn start(
        disk: Arc<dyn Disk>,
        space: Arc<Space>,
        recovered: Recovered,
        failed: impl Fn(&str) + Send + 'static,
    ) -> io::Result<(Self, Arc<Mutex<Index>>, JoinHandle<()>)> {
        let Recovered { meta, index, active } = recovered;
        let index = Arc::new(Mutex::new(index));
        let (sender, commands) = channel();
        let mut thread = Thread {
            disk,
            space,
            index: index.clone(),
            meta,
            active,
            buffer: Vec::new(),
            failure: None,
            failed: Box::new(failed),
        };
        let spawned = std::thread::Builder::new()
            .name("store-log".to_owned())
            .spawn(move || thread.run(&commands))?;
        Ok((Self(sender), index, spawned))
    }

    pub fn send(&self, command: Command) -> io::Result<()> {
        self.0.send(command).map_err(|_| io::Error::other("the log has stopped"))
    }
}

struct Thread {
    disk: Arc<dyn Disk>,
    space: Arc<Space>,
    index: Arc<Mutex<Index>>,
    meta: Meta,
    active: Segment,
    buffer: Vec<u8>,
    failure: Option<String>,
    /// Is told the failure before anybody else.
    failed: Box<dyn Fn(&str) + Send>,
}

impl Thread {
    fn run(&mut self, commands: &Receiver<Command>) {
        while let Ok(command) = commands.recv() {
            match command {
                Command::Append { frames, callback } => {
                    callback.log_io_completed(self.guarded(|log| log.append(&frames)));
                }
                Command::Vote { vote, done } => {
                    let _ = done.send(self.guarded(|log| log.save_vote(vote)));
                }
                Command::Truncate { from, done } => {
                    let _ = done.send(self.guarded(|log| log.truncate(from)));
                }
                Command::Purge { upto, done } => {
                    let _ = done.send(self.guarded(|log| log.purge(upto)));
                }
            }
        }
    }

    /// Refuses work after a failure, and remembers the first one.
    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        if let Some(why) = &self.failure {
            return Err(io::Error::other(why.clone()));
        }
        work(self).inspect_err(|error| {
            let file = self.disk.path(&segment_name(self.active.number));
            let why = format!("the store cannot write its log {file}: {error}");
            (self.failed)(&why);
            self.failure = Some(why);
        })
    }

    fn append(&mut self, frames: &[Frame]) -> io::Result<()> {
        let size = frames.iter().map(Frame::size).sum();
        if !self.active.has_room(size) {
            self.roll(size)?;
        }
        let places = self.active.write(frames, &mut self.buffer)?;
        let entries = frames.iter().filter(|frame| frame.kind == Kind::Entry);
        let first = entries.map(|frame| frame.index).next();
        index::lock(&self.index).placed(first, places);
        // One large batch must not hold its memory for ever.
        self.buffer.shrink_to(1 << 20);
        Ok(())
    }

    /// Begins the next segment, with room for at least `size`.
    fn roll(&mut self, size: usize) -> io::Result<()> {
        let number = self.active.number + 1;
        let needed = size + Start::frame(u64::MAX)?.size();
        let (file, bytes) = self.space.next_segment(needed as u64)?;
        let next = Segment::begin(file, number, bytes)?;
        self.space.name_segment(&segment_name(number))?;
        self.meta.active = number;
        self.write_meta()?;
        self.active = next;
        Ok(())
    }

    fn save_vote(&mut self, vote: Vote) -> io::Result<()> {
        self.meta.vote = Some(vote);
        self.write_meta()
    }

    /// Writes `meta`, if need be with space from the reserve.
    fn write_meta(&self) -> io::Result<()> {
        loop {
            match self.meta.write(&*self.disk) {
                Err(error) if is_full(&error) && self.space.release() => {}
                other => return other,
            }
        }
    }

    fn truncate(&mut self, from: u64) -> io::Result<()> {
        let before = from.checked_sub(1).and_then(|before| index::lock(&self.index).place(before));
        let last = match before {
            None => None,
            Some(place) => read_entries(&*self.disk, &[place])?.last().map(|entry| entry.log_id),
        };
        self.append(&[Frame { kind: Kind::Truncate, index: from, payload: b"{}".to_vec() }])?;
        index::lock(&self.index).truncate(from, last);
        Ok(())
    }

    fn purge(&mut self, upto: LogId) -> io::Result<()> {
        let oldest = {
            let mut index = index::lock(&self.index);
            index.purge(upto);
            index.oldest_segment().unwrap_or(self.active.number)
        };
        let gone = self.meta.first..oldest;
        self.meta.purged = self.meta.purged.max(Some(upto));
        self.meta.first = oldest;
        self.write_meta()?;
        for number in gone {
            self.disk.remove(&segment_name(number))?;
        }
        self.space.look();
        Ok(())
    }
}
