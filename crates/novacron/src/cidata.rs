//! Where guests' `cidata` disks lie: `<data>/cidata/<uid>.iso`.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use novacron_agent::{Cidata, CidataOrder};
use novacron_host::cloud_init;
use novacron_model::{Error, Result};
use uuid::Uuid;

pub struct CidataDisks {
    dir: PathBuf,
}

impl CidataDisks {
    /// `data`: the data directory, absolute.
    pub fn new(data: &Path) -> Self {
        Self { dir: data.join("cidata") }
    }

    fn path(&self, uid: Uuid) -> PathBuf {
        self.dir.join(format!("{uid}.iso"))
    }
}

#[async_trait]
impl Cidata for CidataDisks {
    async fn build(&self, guest: &CidataOrder) -> Result<PathBuf> {
        let path = self.path(guest.uid);
        let disk = cloud_init::build(
            guest.uid,
            &guest.name,
            &guest.cloud_init,
            guest.password.as_deref(),
        )?;
        std::fs::create_dir_all(&self.dir).map_err(|error| failed(&self.dir, &error))?;
        cloud_init::write(&path, &disk)?;
        Ok(path)
    }

    async fn remove(&self, uid: Uuid) -> Result<()> {
        let path = self.path(uid);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(failed(&path, &error))
            }
            _ => Ok(()),
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::internal(format!("{}: {error}", path.display()))
}
