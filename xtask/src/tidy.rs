//! The ratchets: rules of the house that a compiler does not check.
//!
//! Each rule returns its breaches; all are printed, then the run fails. Tests are left out of the
//! size rules, because a long list of cases reads well.

mod floors;
mod functions;
mod sources;
mod words;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

pub fn run() -> Result<()> {
    let root = root();
    let sources = sources::read(&root)?;
    let mut breaches = floors::breaches(&root)?;
    breaches.extend(sources::breaches(&sources));
    breaches.extend(functions::breaches(&sources));
    breaches.extend(words::breaches(&sources));
    if breaches.is_empty() {
        println!("tidy: {} files keep the rules", sources.len());
        return Ok(());
    }
    for breach in &breaches {
        println!("tidy: {breach}");
    }
    bail!("{} breaches of the rules", breaches.len())
}

/// The workspace's root.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The value at `percent` of an ordered list.
fn percentile(mut values: Vec<usize>, percent: usize) -> usize {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    values.get(last * percent / 100).copied().unwrap_or(0)
}
