//! Flags that every command takes, and what they mean when they are not given.

use std::env;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Environment variables that stand in for flags.
pub const SOCKET_ENV: &str = "NOVACRON_SOCKET";
pub const DATA_DIR_ENV: &str = "NOVACRON_DATA_DIR";
pub const CONTEXT_ENV: &str = "NOVACRON_CONTEXT";
pub const PROJECT_ENV: &str = "NOVACRON_PROJECT";

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        help = "Project to work in; the context's own unless said [env: NOVACRON_PROJECT]"
    )]
    pub project: Option<String>,

    #[arg(
        long,
        global = true,
        value_name = "NAME",
        conflicts_with = "data_dir",
        help = "Cluster to speak to, as named by `context add` [env: NOVACRON_CONTEXT]"
    )]
    pub context: Option<String>,

    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help = "Data directory of the daemon on this machine [env: NOVACRON_DATA_DIR, or \
            NOVACRON_SOCKET for its socket alone]"
    )]
    pub data_dir: Option<PathBuf>,

    /// How results are printed: for people, or as the API's objects
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Where a daemon that root runs keeps its data.
pub const SYSTEM_DATA_DIR: &str = "/var/lib/novacron";

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
    Yaml,
}

impl Globals {
    /// The data directory by flag, then environment, then the user's default.
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir
            .clone()
            .or_else(|| variable(DATA_DIR_ENV).map(PathBuf::from))
            .unwrap_or_else(default_data_dir)
    }
}

/// `/var/lib/novacron` for root, `$XDG_DATA_HOME/novacron` (`~/.local/share/novacron`) for others.
pub fn default_data_dir() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from(SYSTEM_DATA_DIR);
    }
    match variable("XDG_DATA_HOME") {
        Some(directory) => PathBuf::from(directory).join("novacron"),
        None => home().join(".local/share/novacron"),
    }
}

/// An environment variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

pub(crate) fn home() -> PathBuf {
    variable("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from)
}
