//! The debian guest.

use std::path::Path;

use anyhow::{Result, bail};

pub const RECIPE: &[&str] = &[include_str!("debian.rs")];

pub fn build(_work: &Path, _out: &Path) -> Result<()> {
    bail!("not there yet")
}
