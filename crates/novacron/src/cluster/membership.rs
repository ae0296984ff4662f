//! Which member this node is. The founder of a cluster is number 1 and needs no file to know it;
//! who has joined has it written down.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use novacron_model::Name;
use novacron_raft::copies::write_whole;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::identity;
use crate::state::sync_dir;

/// A node's place in its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub name: Name,
    pub number: u64,
}

impl Membership {
    /// What is written down in a data directory, else the founder's.
    pub fn of(config: &Config, data: &Path) -> Result<Self> {
        let given = config.name.clone();
        match Self::read(data)? {
            Some(own) if given.as_ref().is_some_and(|given| *given != own.name) => bail!(
                "this node joined its cluster as \"{0}\" and keeps that name: start it with --name {0}",
                own.name
            ),
            Some(own) => Ok(own),
            None => Ok(Self { name: given.map_or_else(identity::node_name, Ok)?, number: 1 }),
        }
    }

    pub fn read(data: &Path) -> Result<Option<Self>> {
        read(&folder(data).join("member.json"))
    }

    /// Notes that the state of a data directory comes from a backup, whose other members are not
    /// its own.
    pub fn mark_alone(data: &Path) -> Result<()> {
        write(&alone(data), &())
    }

    pub fn is_marked_alone(data: &Path) -> bool {
        alone(data).exists()
    }

    /// Takes the mark away.
    pub fn settle(data: &Path) -> Result<()> {
        let removed = fs::remove_file(alone(data));
        let durable = removed.and_then(|()| sync_dir(&folder(data)));
        durable.context("a mark of the restore cannot be removed")
    }

    pub fn write(&self, data: &Path) -> Result<()> {
        write(&folder(data).join("member.json"), self)
    }
}

/// Holds what this node is to others.
pub fn folder(data: &Path) -> PathBuf {
    data.join("cluster")
}

fn alone(data: &Path) -> PathBuf {
    folder(data).join("alone.json")
}

pub fn key_file(data: &Path) -> PathBuf {
    folder(data).join("member.key")
}

/// Reads a file of JSON; `None`: there is none.
pub fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let parsed = serde_json::from_slice(&text);
    parsed.map(Some).with_context(|| format!("{} is damaged", path.display()))
}

/// After a crash the whole file is there, or none.
pub fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let folder = path.parent().with_context(failed)?;
    fs::create_dir_all(folder).with_context(failed)?;
    let json = serde_json::to_vec(value)?;
    write_whole(path, |file| file.write_all(&json))
        .and_then(|()| sync_dir(folder))
        .with_context(failed)
}
