//! The file of contexts: clusters by name, with their tokens. Mode 0600.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::context::address::Address;
use crate::failure::{Failure, Result};
use crate::globals::{home, variable};
use crate::transport::{Endpoint, tls};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contexts {
    /// The one in use; none means the daemon on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
}

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// PEM of the only authority that is trusted; absent means those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Context {
    pub fn endpoint(&self) -> Result<Endpoint> {
        let address: Address = self.url.parse()?;
        address.endpoint(|| self.ca.as_deref().map_or_else(tls::system, tls::pinned))
    }
}

impl Contexts {
    /// What the file says; empty when there is none.
    pub fn load() -> Result<Self> {
        Self::load_from(&path())
    }

    fn load_from(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                return Err(Failure::failed(format!("{} cannot be read: {error}", path.display())));
            }
        };
        toml::from_str(&text).map_err(|error| {
            Failure::usage(format!(
                "{} is not a file of contexts: {}",
                path.display(),
                error.message()
            ))
            .hint("mend it, or move it away and add the contexts again")
        })
    }

    pub fn save(&self) -> Result<()> {
        self.save_to(&path())
    }

    /// Replaces the file as a whole, readable by its owner only from its first byte.
    fn save_to(&self, path: &Path) -> Result<()> {
        let text = toml::to_string_pretty(self)
            .map_err(|error| Failure::failed(format!("contexts cannot be written: {error}")))?;
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let next = path.with_extension(format!("{}.new", std::process::id()));
        let _ = std::fs::remove_file(&next);
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&next, path)?;
        Ok(())
    }
}

/// `${XDG_CONFIG_HOME:-~/.config}/novacron/contexts.toml`
fn path() -> PathBuf {
    let config = variable("XDG_CONFIG_HOME").map_or_else(|| home().join(".config"), PathBuf::from);
    config.join("novacron/contexts.toml")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn contexts_survive_the_file_which_only_their_owner_reads() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("novacron/contexts.toml");
        let context = Context {
            url: "https://n1:7600".into(),
            token: Some("secret".into()),
            ca: Some("-----BEGIN\nx\n".into()),
            project: None,
        };
        let contexts = Contexts {
            current: Some("prod".into()),
            contexts: [("prod".to_owned(), context)].into(),
        };
        contexts.save_to(&path).unwrap();
        contexts.save_to(&path).unwrap();
        assert_eq!(Contexts::load_from(&path).unwrap(), contexts);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{contexts:?}").contains("secret"));
    }

    #[test]
    fn a_spoilt_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("contexts.toml");
        assert_eq!(Contexts::load_from(&path).unwrap(), Contexts::default());
        std::fs::write(&path, "current = [").unwrap();
        let failure = Contexts::load_from(&path).unwrap_err();
        assert_eq!(failure.exit, 2);
        assert!(failure.message.contains("contexts.toml"), "{failure}");
    }
}
