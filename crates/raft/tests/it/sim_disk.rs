//! A disk in memory that can run full, fail, be cut off, and lose power. What was not synced
//! reaches the platter sector by sector, as chance has it; names likewise up to the last sync.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use novacron_raft::disk::{Disk, DiskFile};

const SECTOR: usize = 512;

/// Repeatable chance.
#[derive(Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`. (splitmix64, public domain, by Sebastiano Vigna)
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// What the disk does wrong.
#[derive(Clone, Default)]
pub struct Faults {
    /// The power is cut at this many operations from now.
    pub power_off_after: Option<u64>,
    /// The n-th sync from now fails, once.
    pub fail_sync_after: Option<u64>,
    /// Planted: syncs report success and do nothing.
    pub ignore_syncs: bool,
}

/// Clones share the disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<Inner>>);

struct Inner {
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since they were last synced.
    unsynced_names: Vec<(String, Option<usize>)>,
    files: Vec<Content>,
    capacity: u64,
    faults: Faults,
    off: bool,
    chance: Chance,
}

#[derive(Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written since the last sync.
    dirty: Vec<usize>,
}

impl SimDisk {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_names: Vec::new(),
            files: Vec::new(),
            capacity: u64::MAX,
            faults: Faults::default(),
            off: false,
            chance: Chance::new(seed),
        })))
    }

    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    pub fn set_capacity(&self, bytes: u64) {
        self.lock().capacity = bytes;
    }

    pub fn used_bytes(&self) -> u64 {
        self.lock().used()
    }

    pub fn is_off(&self) -> bool {
        self.lock().off
    }

    /// Cuts the power; returns the disk as it is when the power is back.
    pub fn power_cycle(&self) -> Self {
        let mut inner = self.lock();
        inner.off = true;
        let mut chance = inner.chance.clone();
        let mut names = inner.durable_names.clone();
        let survive = chance.below(inner.unsynced_names.len() as u64 + 1);
        for (name, file) in
            inner.unsynced_names.iter().take(usize::try_from(survive).expect("fits"))
        {
            match file {
                Some(file) => names.insert(name.clone(), *file),
                None => names.remove(name),
            };
        }
        let files = inner.files.iter().map(|file| file.after_power_loss(&mut chance)).collect();
        Self(Arc::new(Mutex::new(Inner {
            durable_names: names.clone(),
            names,
            unsynced_names: Vec::new(),
            files,
            capacity: inner.capacity,
            faults: Faults::default(),
            off: false,
            chance,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, number: usize) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), number })
    }
}

impl Content {
    fn after_power_loss(&self, chance: &mut Chance) -> Self {
        let mut bytes = self.durable.clone();
        if self.now.len() != bytes.len() && chance.below(2) == 0 {
            bytes.resize(self.now.len(), 0);
        }
        for sector in &self.dirty {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(self.now.len());
            if chance.below(2) == 0 && range.end <= bytes.len() {
                bytes[range.clone()].copy_from_slice(&self.now[range]);
            }
        }
        Self { now: bytes.clone(), durable: bytes, dirty: Vec::new() }
    }

    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if self.now.len() < end {
            self.now.resize(end, 0);
        }
        self.now[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / SECTOR..end.div_ceil(SECTOR));
    }
}

impl Inner {
    /// Counts an operation; from the power cut on all of them fail.
    fn step(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.faults.power_off_after {
            *left = left.saturating_sub(1);
            self.off |= *left == 0;
        }
        if self.off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn used(&self) -> u64 {
        self.names.values().map(|number| self.files[*number].now.len() as u64).sum()
    }

    fn grow(&mut self, number: usize, len: usize) -> io::Result<()> {
        let more = len.saturating_sub(self.files[number].now.len()) as u64;
        if more > 0 && self.used().saturating_add(more) > self.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn set_name(&mut self, name: &str, file: Option<usize>) {
        self.unsynced_names.push((name.to_owned(), file));
        match file {
            Some(file) => self.names.insert(name.to_owned(), file),
            None => self.names.remove(name),
        };
    }
}

impl Disk for SimDisk {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut inner = self.lock();
        inner.step()?;
        let number = *inner.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        drop(inner);
        Ok(self.file(number))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut inner = self.lock();
        inner.step()?;
        let number = inner.files.len();
        inner.files.push(Content::default());
        inner.set_name(name, Some(number));
        drop(inner);
        Ok(self.file(number))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.step()?;
        let number = *inner.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        inner.set_name(to, Some(number));
        inner.set_name(from, None);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.step()?;
        if !inner.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        inner.set_name(name, None);
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut inner = self.lock();
        inner.step()?;
        Ok(inner.names.keys().cloned().collect())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.step()?;
        if !inner.faults.ignore_syncs {
            inner.durable_names = inner.names.clone();
            inner.unsynced_names.clear();
        }
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let mut inner = self.lock();
        inner.step()?;
        Ok(inner.capacity.saturating_sub(inner.used()))
    }

    fn path(&self, name: &str) -> String {
        format!("sim/{name}")
    }

    fn unlock(&self) {}
}

struct SimFile {
    disk: SimDisk,
    number: usize,
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        let mut inner = self.disk.lock();
        inner.step()?;
        Ok(inner.files[self.number].now.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.disk.lock();
        inner.step()?;
        let offset = usize::try_from(offset).expect("fits");
        let rest = inner.files[self.number].now.get(offset..).unwrap_or_default();
        let len = rest.len().min(bytes.len());
        bytes[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut inner = self.disk.lock();
        let offset = usize::try_from(offset).expect("fits");
        if let Err(error) = inner.step() {
            // The power went off in the middle of this write: some sectors of it may land.
            if inner.faults.power_off_after == Some(0) {
                inner.faults.power_off_after = None;
                inner.files[self.number].write(bytes, offset);
            }
            return Err(error);
        }
        inner.grow(self.number, offset + bytes.len())?;
        inner.files[self.number].write(bytes, offset);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.disk.lock();
        inner.step()?;
        if let Some(left) = inner.faults.fail_sync_after {
            inner.faults.fail_sync_after = left.checked_sub(1);
            if left == 0 {
                return Err(io::Error::from_raw_os_error(5));
            }
        }
        if !inner.faults.ignore_syncs {
            let file = &mut inner.files[self.number];
            file.durable = file.now.clone();
            file.dirty.clear();
        }
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut inner = self.disk.lock();
        inner.step()?;
        let len = usize::try_from(len).expect("fits");
        inner.grow(self.number, len)?;
        let file = &mut inner.files[self.number];
        file.now.resize(len.max(file.now.len()), 0);
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut inner = self.disk.lock();
        inner.step()?;
        inner.files[self.number].now.truncate(usize::try_from(len).expect("fits"));
        Ok(())
    }
}
