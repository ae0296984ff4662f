//! Fresh ids and the node's name.

use anyhow::{Context, Result};
use novacron_model::Name;
use uuid::Uuid;

pub fn fresh_uid() -> Uuid {
    Uuid::now_v7()
}

/// The host's name as a node's name: lower case, up to the first dot, other characters as `-`.
pub fn node_name() -> Result<Name> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let label = host.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let label: String = label.chars().map(plain).take(63).collect();
    Name::new(label.trim_matches('-'))
        .with_context(|| format!("the host name \"{host}\" is no name for a node; pass --name"))
}
