//! A crate stands on a floor and uses only lower ones.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// Floors from the ground up. `dev-dependencies` may reach anywhere but up to the binary.
const FLOORS: [(&str, u8); 12] = [
    ("novacron-model", 0),
    ("novacron-store", 1),
    ("novacron-host", 1),
    ("novacron-cli", 1),
    ("novacron-pki", 1),
    ("novacron-control", 2),
    ("novacron-raft", 2),
    ("novacron-agent", 3),
    ("novacron-api", 3),
    ("novacron-sim", 4),
    ("novacron", 5),
    ("xtask", 6),
];

/// Edges that the floors alone would allow but the design does not.
const NEVER: [(&str, &str); 10] = [
    ("novacron-host", "novacron-store"),
    ("novacron-cli", "novacron-store"),
    ("novacron-pki", "novacron-store"),
    ("novacron-agent", "novacron-pki"),
    ("novacron-control", "novacron-host"),
    ("novacron-agent", "novacron-control"),
    ("novacron-agent", "novacron-raft"),
    ("novacron-api", "novacron-raft"),
    ("novacron-api", "novacron-host"),
    ("novacron-sim", "novacron-raft"),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

pub fn breaches(root: &Path) -> Result<Vec<String>> {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(root)
        .output()
        .context("cargo metadata")?;
    if !cargo.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&cargo.stderr));
    }
    let metadata: Metadata = serde_json::from_slice(&cargo.stdout)?;
    Ok(metadata.packages.iter().flat_map(package_breaches).collect())
}

fn package_breaches(package: &Package) -> Vec<String> {
    let Some(own) = floor(&package.name) else {
        return vec![format!("crate {} has no floor; give it one in tidy/floors.rs", package.name)];
    };
    let built = package.dependencies.iter().filter(|each| each.kind.as_deref() != Some("dev"));
    built
        .filter(|each| floor(&each.name).is_some_and(|below| below >= own) || never(package, each))
        .map(|each| format!("crate {} must not use {}", package.name, each.name))
        .collect()
}

fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(each, _)| *each == name).map(|(_, floor)| *floor)
}

fn never(package: &Package, dependency: &Dependency) -> bool {
    NEVER.iter().any(|(from, to)| *from == package.name && *to == dependency.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, uses: &str) -> Package {
        let dependency = Dependency { name: uses.into(), kind: None };
        Package { name: name.into(), dependencies: vec![dependency] }
    }

    #[test]
    fn a_crate_uses_lower_floors_only() {
        assert!(package_breaches(&package("novacron-control", "novacron-store")).is_empty());
        assert_eq!(package_breaches(&package("novacron-store", "novacron-control")).len(), 1);
        assert_eq!(package_breaches(&package("novacron-control", "novacron-host")).len(), 1);
        assert_eq!(package_breaches(&package("newcomer", "serde")).len(), 1);
    }
}
