//! The data directory: made private, locked by one daemon, keeper of the data key.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use novacron_model::DataKey;
use novacron_raft::copies::write_whole;
use rustix::fs::{FlockOperation, flock};

/// How often and after which pauses the lock is tried before somebody is taken to hold it.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A data directory that this process owns until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates the directory if need be and takes it for this process alone.
    pub fn open(path: &Path) -> Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot create the data directory {}", path.display()))?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .with_context(|| format!("cannot write in the data directory {}", path.display()))?;
        if !taken(&lock) {
            bail!(
                "the data directory {} is in use by another novacron; stop it first, \
                 or pass another --data-dir",
                path.display()
            );
        }
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The cluster's data key; made at the first start, before the store is.
    pub fn data_key(&self) -> Result<DataKey> {
        let path = self.path.join("data.key");
        if !path.exists() {
            if self.path.join("store").exists() {
                bail!(
                    "{} is missing beside an existing store, whose secrets it opens; \
                     `novacron state restore` brings both back from a copy",
                    path.display()
                );
            }
            self.make_data_key(&path)?;
        }
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .with_context(|| format!("cannot read {}", path.display()))?;
        let Ok(key) = <[u8; 32]>::try_from(bytes) else {
            bail!(
                "{} is damaged: it must have 32 bytes; `novacron state restore` brings it back from a copy",
                path.display()
            );
        };
        Ok(DataKey::new(key))
    }

    fn make_data_key(&self, path: &Path) -> Result<()> {
        let mut key = [0_u8; 32];
        File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut key))?;
        self.write_data_key(path, &key)
    }

    /// Takes the data key of a cluster that this node joins.
    pub fn adopt_data_key(&self, key: &[u8]) -> Result<()> {
        let Ok(key) = <[u8; 32]>::try_from(key) else { bail!("a data key has 32 bytes") };
        self.write_data_key(&self.path.join("data.key"), &key)
    }

    /// After a crash the whole key is there, or none.
    fn write_data_key(&self, path: &Path, key: &[u8; 32]) -> Result<()> {
        write_whole(path, |file| file.write_all(key))?;
        File::open(&self.path)?.sync_all()?;
        Ok(())
    }
}

/// Takes the lock. A daemon that was killed while it started a guest leaves a child that holds it
/// until it has become QEMU: a moment is waited for it.
fn taken(lock: &File) -> bool {
    (0..LOCK_TRIES).any(|attempt| {
        if attempt > 0 {
            std::thread::sleep(LOCK_PAUSE);
        }
        flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok()
    })
}

/// Whether a daemon holds the directory.
pub fn in_use(path: &Path) -> bool {
    let lock = File::open(path.join("lock"));
    lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        let refused = DataDir::open(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("in use by another novacron"), "{refused}");
        drop(first);
        DataDir::open(dir.path()).unwrap();
    }

    #[test]
    fn the_data_key_stays() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        let secret = novacron_model::Secret::Plain("x".into());
        let sealed = data.data_key().unwrap().seal(&secret, [0; 24]).unwrap();
        assert_eq!(data.data_key().unwrap().open(&sealed).unwrap(), "x");
        fs::write(dir.path().join("data.key"), b"short").unwrap();
        assert!(data.data_key().unwrap_err().to_string().contains("damaged"));
        fs::remove_file(dir.path().join("data.key")).unwrap();
        fs::create_dir(dir.path().join("store")).unwrap();
        assert!(data.data_key().unwrap_err().to_string().contains("missing"));
    }
}
