//! Words that must not stand where they would break a promise: clocks and randomness in pure
//! crates, `unsafe` without its reason, `anyhow` in libraries.

use super::sources::Source;

/// Deterministic crates, and what would make them less so.
const PURE: [&str; 3] = ["crates/model/", "crates/store/", "crates/control/"];
const IMPURE: [&str; 8] = [
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Uuid::now_v7",
    "Uuid::new_v4",
    "rand::",
    "HashMap",
    "HashSet",
];

/// Crates that may use `anyhow`.
const ANYHOW: [&str; 3] = ["crates/novacron/", "xtask/", "tests/"];

pub fn breaches(sources: &[Source]) -> Vec<String> {
    sources.iter().filter(|source| !source.test).flat_map(of_source).collect()
}

fn of_source(source: &Source) -> Vec<String> {
    let path = source.path.to_string_lossy();
    if path.starts_with("xtask/src/tidy/") {
        return Vec::new();
    }
    let pure = PURE.iter().any(|folder| path.starts_with(folder));
    let anyhow = ANYHOW.iter().any(|folder| path.starts_with(folder));
    let lines: Vec<&str> = source.product_lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        if pure && let Some(word) = IMPURE.iter().find(|word| code.contains(**word)) {
            found.push(format!("{path}:{}: `{word}` in a deterministic crate", at + 1));
        }
        if !anyhow && code.contains("anyhow::") {
            found.push(format!("{path}:{}: `anyhow` in a library", at + 1));
        }
        if code.contains("unsafe {") && !explained(&lines[..at]) {
            found.push(format!("{path}:{}: `unsafe` without a `// SAFETY:` reason", at + 1));
        }
    }
    found
}

/// A `SAFETY` comment stands within the few lines above.
fn explained(above: &[&str]) -> bool {
    above.iter().rev().take(8).any(|line| line.contains("SAFETY:"))
}
