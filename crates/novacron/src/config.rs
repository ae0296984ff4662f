//! Settings: embedded defaults, a TOML file, the command line; each overrides the former.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use novacron_cli::Globals;
use novacron_host::catalogue::Catalogue;
use novacron_model::{Bytes, Name};
use serde::{Deserialize, Serialize};

/// The documented defaults, as `novacron config show --defaults` prints them.
pub const DEFAULTS: &str = include_str!("defaults.toml");

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Absent: `novacron_cli::default_data_dir`.
    pub data_dir: Option<PathBuf>,
    pub name: Option<Name>,
    #[serde(default)]
    pub api: Api,
    #[serde(default)]
    pub cluster: Cluster,
    #[serde(default)]
    pub tls: Tls,
    #[serde(default)]
    pub log: Log,
    #[serde(default)]
    pub qemu: Qemu,
    #[serde(default)]
    pub images: Images,
    #[serde(default)]
    pub backup: Backup,
    #[serde(default)]
    pub figures: Figures,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    pub listen: SocketAddr,
    pub hosts: Vec<String>,
    /// Absent: only the daemon's user and root use the socket.
    pub group: Option<String>,
}

impl Default for Api {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 7600)), hosts: Vec::new(), group: None }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    pub listen: SocketAddr,
    /// `HOST` or `HOST:PORT`; absent: the address of the default route.
    pub advertise: Option<String>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([0, 0, 0, 0], 7601)), advertise: None }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info,openraft=warn".into(), format: LogFormat::Text }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Qemu {
    pub binary: PathBuf,
}

impl Default for Qemu {
    fn default() -> Self {
        Self { binary: "qemu-system-x86_64".into() }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Images {
    pub max_virtual_size: Bytes,
    /// A file's path or a URL; absent: the built-in one.
    pub catalogue: Option<String>,
}

impl Images {
    pub fn catalogue(&self) -> Catalogue {
        self.catalogue.as_deref().map(Catalogue::at).unwrap_or_default()
    }
}

impl Default for Images {
    fn default() -> Self {
        Self { max_virtual_size: Bytes::gib(8192), catalogue: None }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// Absent: `backups` in the data directory.
    pub dir: Option<PathBuf>,
    pub keep: usize,
}

impl Default for Backup {
    fn default() -> Self {
        Self { dir: None, keep: 7 }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Figures {
    /// Seconds.
    pub interval: u64,
    pub metrics_vms: usize,
}

impl Figures {
    pub fn every(&self) -> Duration {
        Duration::from_secs(self.interval)
    }
}

impl Default for Figures {
    fn default() -> Self {
        Self { interval: 5, metrics_vms: 1000 }
    }
}

/// Marks errors that only the user can mend, in the settings.
#[derive(Debug, thiserror::Error)]
#[error("the settings cannot be used")]
pub struct Misconfigured;

impl Config {
    /// Reads a file over the defaults. Without a path: the defaults alone.
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Self::parse("") };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))
            .context(Misconfigured)?;
        Self::parse(&text).with_context(|| format!("in {}", path.display())).context(Misconfigured)
    }

    /// The data directory: a flag stands over the file, the file over environment and default.
    pub fn data_dir(&self, globals: &Globals) -> PathBuf {
        match &self.data_dir {
            Some(own) if globals.data_dir.is_none() => own.clone(),
            _ => globals.data_dir(),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text)?;
        if config.tls.cert.is_some() != config.tls.key.is_some() {
            bail!("[tls] needs both cert and key, or neither");
        }
        if !(1..=15).contains(&config.figures.interval) {
            bail!("[figures] interval is a number of seconds from 1 to 15");
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_defaults_are_the_defaults() {
        assert_eq!(Config::parse(DEFAULTS).unwrap(), Config::parse("").unwrap());
    }

    #[test]
    fn every_key_is_documented() {
        let uncommented: String = DEFAULTS
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(key) if key.contains(" = ") && !key.contains(',') => format!("{key}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let full = Config::parse(&uncommented).unwrap();
        assert!(full.data_dir.is_some() && full.name.is_some() && full.tls.key.is_some());
    }

    #[test]
    fn figures_are_measured_at_least_once_for_each_point() {
        for wrong in [0, 16] {
            let error = Config::parse(&format!("[figures]\ninterval = {wrong}")).unwrap_err();
            assert!(error.to_string().contains("from 1 to 15"), "{error}");
        }
        let every = Config::parse("[figures]\ninterval = 15").unwrap().figures.every();
        assert_eq!(every, Duration::from_secs(15));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = Config::parse("[api]\nlissen = \"127.0.0.1:1\"").unwrap_err();
        assert!(error.to_string().contains("lissen"), "{error}");
    }
}
