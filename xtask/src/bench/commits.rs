//! Durable commits per second, measured by an example of the `raft` crate.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::report::{Report, median};
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
    let rounds = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let column = |name: &str| -> Result<f64> {
        let values = rounds.iter().map(|round| round[name].as_f64().context("no figure"));
        Ok(median(&mut values.collect::<Result<Vec<_>>>()?))
    };
    let (disk, one, many) = (column("fdatasync")?, column("one_writer")?, column("writers_64")?);
    let beside = format!("{one:.0}/s; fdatasync {disk:.0}/s");
    report.at_least("durable commits, one writer, of fdatasync", one / disk, 0.5, "×", &beside);
    let beside = format!("{many:.0}/s");
    report.at_least("durable commits, 64 writers, of one", many / one, 5.0, "×", &beside);
    report.calibrate()
}
