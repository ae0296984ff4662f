//! Opens the log: reads what is there, refuses what is damaged, cleans up what a crash left half
//! done. Nothing is changed before everything has been found good.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::frame::{self, Kind};
use super::index::{Index, Place};
use super::meta::{META, Meta};
use super::scan::{self, Fault, Scan, scan};
use super::segment::{Segment, Start};
use super::segment_name;
use crate::disk::{Disk, DiskFile, read_all};
use crate::space::create_zeroed;
use crate::types::{Entry, LogId, Vote};
use crate::{OpenError, Options};

/// The log as it lies on disk.
pub struct Recovered {
    pub meta: Meta,
    pub index: Index,
    pub active: Segment,
}

/// Opens the log, or makes an empty one where there is no store. `has_snapshot`: the directory
/// holds a snapshot, so a store there is.
pub fn recover(
    disk: &dyn Disk,
    options: &Options,
    has_snapshot: bool,
) -> Result<Recovered, OpenError> {
    let names = disk.list().map_err(|error| OpenError::io(disk.path(""), error))?;
    let segments: Vec<u32> = names.iter().filter_map(|name| segment_number(name)).collect();
    let Some(meta) = Meta::read(disk)? else {
        if has_snapshot || segments.iter().any(|number| !is_unused(disk, *number)) {
            return Err(OpenError::Missing { file: disk.path(META) });
        }
        return create(disk, options).map_err(|error| OpenError::io(disk.path(META), error));
    };
    let mut reading = Reading { disk, meta, places: VecDeque::new(), next: None, committed: None };
    let active = reading.segments()?;
    for number in segments.iter().copied().filter(|number| *number > active.number) {
        if !is_unused(disk, number) {
            let why = format!("older than {}", segment_name(number));
            return Err(OpenError::Damaged { file: disk.path(META), at: 0, why });
        }
    }
    let index = reading.index()?;
    for number in segments.into_iter().filter(|number| *number < reading.meta.first) {
        let removed = disk.remove(&segment_name(number));
        removed.map_err(|error| OpenError::io(disk.path(&segment_name(number)), error))?;
    }
    Ok(Recovered { meta: reading.meta, index, active })
}

fn segment_number(name: &str) -> Option<u32> {
    name.strip_prefix("log-")?.parse().ok()
}

/// Whether nothing but its start was ever written to a segment.
fn is_unused(disk: &dyn Disk, number: u32) -> bool {
    let bytes = disk.open(&segment_name(number)).and_then(|file| read_all(&*file));
    let Ok(bytes) = bytes else { return false };
    scan::is_zero(&bytes)
        || scan(&bytes, number, true).is_ok_and(|found| found.frames.len() <= 1 && !found.torn)
}

fn create(disk: &dyn Disk, options: &Options) -> io::Result<Recovered> {
    begin(disk, options, Meta::new())
}

/// Makes the empty log of a store that continues from a snapshot of `last`.
pub fn continue_from(
    disk: &dyn Disk,
    options: &Options,
    vote: Vote,
    last: LogId,
) -> io::Result<()> {
    let meta = Meta { vote: Some(vote), purged: Some(last), ..Meta::new() };
    begin(disk, options, meta).map(drop)
}

fn begin(disk: &dyn Disk, options: &Options, meta: Meta) -> io::Result<Recovered> {
    let name = segment_name(meta.active);
    let file = create_zeroed(disk, &name, options.segment_bytes)?;
    let active = Segment::begin(file, meta.active, options.segment_bytes)?;
    disk.sync_names()?;
    meta.write(disk)?;
    Ok(Recovered { meta, index: Index::default(), active })
}

struct Reading<'a> {
    disk: &'a dyn Disk,
    meta: Meta,
    places: VecDeque<Place>,
    /// Log index that the next entry must have; `None` before the first.
    next: Option<u64>,
    committed: Option<LogId>,
}

impl Reading<'_> {
    /// Reads all segments; returns the last one, ready to be written.
    fn segments(&mut self) -> Result<Segment, OpenError> {
        let mut number = self.meta.first;
        loop {
            let is_last = number >= self.meta.active;
            let (file, bytes) = self.read(number)?;
            let found =
                scan(&bytes, number, is_last).map_err(|fault| self.refuse(number, &fault))?;
            self.check_start(number, &bytes, &found)?;
            for frame in &found.frames {
                self.take(number, frame, &bytes)?;
            }
            if is_last {
                if found.torn {
                    let file_error = |error| OpenError::io(self.path(number), error);
                    clear(&*file, &bytes, found.end).map_err(file_error)?;
                }
                return Ok(Segment { file, number, end: found.end, bytes: bytes.len() as u64 });
            }
            number += 1;
        }
    }

    fn read(&self, number: u32) -> Result<(Arc<dyn DiskFile>, Vec<u8>), OpenError> {
        let file = match self.disk.open(&segment_name(number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OpenError::Missing { file: self.path(number) });
            }
            other => other.map_err(|error| OpenError::io(self.path(number), error))?,
        };
        let bytes = read_all(&*file).map_err(|error| OpenError::io(self.path(number), error))?;
        Ok((file, bytes))
    }

    fn check_start(&self, number: u32, bytes: &[u8], found: &Scan) -> Result<(), OpenError> {
        let first = found.frames.first().filter(|frame| frame.kind == Kind::Start);
        let start = first
            .and_then(|first| serde_json::from_slice::<Start>(&bytes[first.payload.clone()]).ok());
        let Some(start) = start else { return Err(self.damaged(number, 0, "no start")) };
        if start.bytes != bytes.len() as u64 {
            let why = format!("the file should have {} bytes", start.bytes);
            return Err(self.damaged(number, bytes.len(), &why));
        }
        Ok(())
    }

    fn take(&mut self, number: u32, frame: &scan::Found, bytes: &[u8]) -> Result<(), OpenError> {
        let at = frame.payload.start;
        match frame.kind {
            Kind::Start => {}
            Kind::Entry => {
                let purged_next = self.meta.purged.map_or(0, |purged| purged.index + 1);
                // A snapshot from elsewhere purges beyond the last entry: the log goes on there.
                let leapt = frame.index <= purged_next && self.next < Some(frame.index);
                if !leapt && self.next != Some(frame.index) {
                    return Err(self.damaged(number, at, "entries are missing before it"));
                }
                self.next = Some(frame.index + 1);
                if frame.index >= purged_next {
                    // Segments are far below 4 GiB.
                    let [offset, len] =
                        [at, frame.payload.len()].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
                    self.places.push_back(Place { segment: number, offset, len });
                }
            }
            Kind::Committed => {
                let committed = serde_json::from_slice(&bytes[frame.payload.clone()]);
                let committed = committed.map_err(|_| self.damaged(number, at, "no log id"))?;
                self.committed = Some(committed);
            }
            Kind::Truncate => {
                let next = self.next.unwrap_or(frame.index);
                let gone = usize::try_from(next.saturating_sub(frame.index)).unwrap_or(usize::MAX);
                self.places.truncate(self.places.len().saturating_sub(gone));
                self.next = Some(next.min(frame.index));
            }
        }
        Ok(())
    }

    fn index(&mut self) -> Result<Index, OpenError> {
        let places = std::mem::take(&mut self.places);
        let last = match places.back() {
            None => None,
            Some(place) => {
                let entries = read_entries(self.disk, &[*place])
                    .map_err(|error| OpenError::io(self.path(place.segment), error))?;
                entries.last().map(|entry| entry.log_id)
            }
        };
        let committed = self.committed.filter(|_| self.committed <= last);
        let mut index = Index::recovered(self.meta.purged, last, committed, places);
        index.vote = self.meta.vote;
        Ok(index)
    }

    fn refuse(&self, number: u32, fault: &Fault) -> OpenError {
        match *fault {
            Fault::Damaged { at, why } => self.damaged(number, at, why),
            Fault::Format { found } => {
                OpenError::format(self.path(number), found.into(), frame::FORMAT.into())
            }
        }
    }

    fn damaged(&self, number: u32, at: usize, why: &str) -> OpenError {
        OpenError::Damaged { file: self.path(number), at: at as u64, why: why.to_owned() }
    }

    fn path(&self, number: u32) -> String {
        self.disk.path(&segment_name(number))
    }
}

/// Puts zeros where a write was torn, durably, before anything is written there again.
fn clear(file: &dyn DiskFile, bytes: &[u8], from: usize) -> io::Result<()> {
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(from, |last| last + 1);
    file.write_at(&vec![0; used.saturating_sub(from)], from as u64)?;
    file.sync()
}

/// Reads entries from their places.
pub fn read_entries(disk: &dyn Disk, places: &[Place]) -> io::Result<Vec<Entry>> {
    let mut open: Option<(u32, Arc<dyn DiskFile>)> = None;
    let mut entries = Vec::with_capacity(places.len());
    for place in places {
        let file = match &open {
            Some((segment, file)) if *segment == place.segment => file.clone(),
            _ => disk.open(&segment_name(place.segment))?,
        };
        let mut payload = vec![0; place.len as usize];
        file.read_at(&mut payload, place.offset.into())?;
        entries.push(serde_json::from_slice(&payload)?);
        open = Some((place.segment, file));
    }
    Ok(entries)
}
