//! The web console in a real browser: the weight of its scripts, its first paint, its scrolling.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::daemon;
use super::report::Report;
use crate::tidy::root;

/// One line of what `console/bench/console.mjs` prints.
#[derive(Deserialize)]
struct Figure {
    what: String,
    measured: f64,
    goal: f64,
    unit: String,
    beside: String,
}

pub fn measure(report: &mut Report) -> Result<()> {
    let output = Command::new("node")
        .arg("bench/console.mjs")
        .current_dir(root().join("console"))
        .env("NOVACRON_BIN", daemon::binary())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start node")?;
    ensure!(output.status.success(), "console/bench/console.mjs failed: {}", output.status);
    for line in String::from_utf8(output.stdout)?.lines() {
        let figure: Figure = serde_json::from_str(line).context("not a figure")?;
        let Figure { what, measured, goal, unit, beside } = figure;
        report.at_most(&what, measured, goal, &unit, &beside);
    }
    Ok(())
}
