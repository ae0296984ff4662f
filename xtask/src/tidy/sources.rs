//! Files: their size, their head, their name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::percentile;

const MEDIAN_MAX: usize = 150;
const P95_MAX: usize = 450;
const FILE_MAX: usize = 800;

/// Names that say nothing about what a file owns.
const EMPTY_NAMES: [&str; 5] = ["utils", "util", "common", "helpers", "misc"];

/// One Rust file of the product, without its test module.
pub struct Source {
    pub path: PathBuf,
    /// Everything, tests included.
    pub text: String,
    /// Lines before the first `#[cfg(test)]` module; all of the file when it has none.
    pub product: usize,
    /// The whole file is a test.
    pub test: bool,
}

impl Source {
    pub fn product_lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().take(self.product)
    }
}

/// All Rust files of the workspace, in path order.
pub fn read(root: &Path) -> Result<Vec<Source>> {
    let mut paths = Vec::new();
    for folder in ["crates", "xtask", "tests"] {
        walk(&root.join(folder), &mut paths)?;
    }
    paths.sort();
    paths.iter().map(|path| source(root, path)).collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            walk(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

fn source(root: &Path, path: &Path) -> Result<Source> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let path = path.strip_prefix(root).unwrap_or(path).to_path_buf();
    let in_tests = path.components().any(|part| part.as_os_str() == "tests");
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let is_test = in_tests || name == "tests" || name.ends_with("_tests");
    let lines = text.lines().count();
    let product = text.lines().position(|line| line == "#[cfg(test)]").unwrap_or(lines);
    Ok(Source { path, text, product, test: is_test })
}

pub fn breaches(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let path = source.path.display();
        let name = source.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if EMPTY_NAMES.contains(&name) {
            found.push(format!("{path}: \"{name}\" does not say what the file owns"));
        }
        if !source.text.starts_with("//!") {
            found.push(format!("{path}: must open with `//!`: what it owns, what it leaves"));
        }
        if !source.test && source.product > FILE_MAX {
            found.push(format!("{path}: {} lines; {FILE_MAX} are the limit", source.product));
        }
    }
    let sizes: Vec<usize> =
        sources.iter().filter(|source| !source.test).map(|source| source.product).collect();
    for (percent, limit) in [(50, MEDIAN_MAX), (95, P95_MAX)] {
        let size = percentile(sizes.clone(), percent);
        if size > limit {
            found.push(format!("files: {size} lines at {percent} %; {limit} are the limit"));
        }
    }
    found
}
