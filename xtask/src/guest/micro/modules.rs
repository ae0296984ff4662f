//! Kernel modules of the micro guest: those that `init` loads, and more for tests that need
//! faults which a host kernel lacks (`modprobe NAME`), each with what it depends on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::super::cpio::Archive;

/// Loaded at boot.
const LOADED: &[&str] = &[
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_console",
    "virtio_scsi",
    "sd_mod",
    "sr_mod",
    "isofs",
    "evdev",
    "button",
    "virtio-rng",
    "virtio_balloon",
];

const EXTRA: &[&str] = &["sch_netem", "dm-flakey", "dm-delay", "kvm-amd", "loop", "overlay"];

/// Adds the module files, `modules.dep` for `modprobe`, and `etc/modules`: files in load order.
pub fn add(archive: &mut Archive, root: &Path, release: &str) -> Result<()> {
    let base = root.join("lib/modules").join(release);
    let order = fs::read_to_string(base.join("modules.order"))?;
    let mut available = BTreeMap::new();
    for path in order.lines() {
        let stem = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
        available.insert(plain(&stem), path.to_owned());
    }
    let mut modules = Modules { base: &base, available, chain: BTreeMap::new() };
    let mut load = Vec::new();
    for name in LOADED.iter().chain(EXTRA) {
        modules.resolve(&plain(name))?;
    }
    for name in LOADED {
        load.extend(modules.chain.get(&plain(name)).cloned().unwrap_or_default());
    }
    let mut seen = Vec::new();
    load.retain(|path| {
        !seen.contains(path) && {
            seen.push(path.clone());
            true
        }
    });

    let place = format!("lib/modules/{release}");
    let mut dep = String::new();
    for chain in modules.chain.values() {
        let (module, needs) = chain.split_last().context("a module without a file")?;
        let needs: Vec<_> = needs.iter().rev().map(String::as_str).collect();
        let _ = writeln!(dep, "{module}: {}", needs.join(" "));
        archive.file(&format!("{place}/{module}"), 0o644, fs::read(base.join(module))?);
    }
    archive.file(&format!("{place}/modules.dep"), 0o644, dep);
    let lines = load.iter().fold(String::new(), |all, path| all + &format!("/{place}/{path}\n"));
    archive.file("etc/modules", 0o644, lines);
    Ok(())
}

struct Modules<'a> {
    base: &'a Path,
    /// Path below `base` by name.
    available: BTreeMap<String, String>,
    /// By name: the paths to load, the module itself last.
    chain: BTreeMap<String, Vec<String>>,
}

impl Modules<'_> {
    fn resolve(&mut self, name: &str) -> Result<Vec<String>> {
        if let Some(chain) = self.chain.get(name) {
            return Ok(chain.clone());
        }
        let path = self.available.get(name).cloned();
        let path = path.with_context(|| format!("the kernel package has no module {name}"))?;
        let mut chain = Vec::new();
        for need in depends(&fs::read(self.base.join(&path))?) {
            for module in self.resolve(&plain(&need))? {
                if !chain.contains(&module) {
                    chain.push(module);
                }
            }
        }
        chain.push(path);
        self.chain.insert(name.into(), chain.clone());
        Ok(chain)
    }
}

/// The `depends=` line of a module's `.modinfo` section.
fn depends(module: &[u8]) -> Vec<String> {
    let tag = b"\0depends=";
    let Some(at) = module.windows(tag.len()).position(|window| window == tag) else {
        return Vec::new();
    };
    let text = &module[at + tag.len()..];
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    let names = String::from_utf8_lossy(&text[..end]).into_owned();
    names.split(',').filter(|name| !name.is_empty()).map(String::from).collect()
}

/// Modules are named with `-` or `_` as one pleases.
fn plain(name: &str) -> String {
    name.replace('-', "_")
}
