//! Durable commits per second, measured by an example of the `raft` crate.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::report::Report;
use crate::tidy::root;

pub fn measure(report: &mut Report) -> Result<()> {
    let cargo = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "novacron-raft", "--example", "commit_rate"])
        .current_dir(root())
        .output()?;
    if !cargo.status.success() {
        bail!("commit_rate: {}", String::from_utf8_lossy(&cargo.stderr));
    }
    let text = String::from_utf8(cargo.stdout)?;
    // One line for each round; the last has the medians.
    let medians: Value = serde_json::from_str(text.lines().last().context("it printed nothing")?)?;
    let figure = |name: &str| medians[name].as_f64().with_context(|| format!("no {name}"));
    let disk = figure("fdatasync_per_second")?;
    let beside = format!("{:.0}/s; fdatasync {disk:.0}/s", figure("commits_per_second_1_writer")?);
    let one = figure("one_writer_to_fdatasync")?;
    report.at_least("durable commits, one writer, of fdatasync", one, 0.5, "×", &beside);
    let beside = format!("{:.0}/s", figure("commits_per_second_64_writers")?);
    let many = figure("writers_64_to_one_writer")?;
    report.at_least("durable commits, 64 writers, of one", many, 5.0, "×", &beside);
    report.calibrate()
}
