//! Figures with their goals, as a table and as `docs/benchmarks.md`.

use std::fmt::Write;
use std::fs;

use anyhow::Result;

use super::calibration;
use crate::tidy::root;

pub struct Report {
    fdatasync: Vec<f64>,
    rows: Vec<Row>,
}

struct Row {
    what: String,
    measured: String,
    goal: String,
    met: bool,
}

impl Report {
    pub fn new(fdatasync: f64) -> Self {
        Self { fdatasync: vec![fdatasync], rows: Vec::new() }
    }

    /// Measures the disk again, so that the spread shows.
    pub fn calibrate(&mut self) -> Result<()> {
        self.fdatasync.push(calibration::fdatasync_rate()?);
        Ok(())
    }

    /// A figure that must be at most `goal`, both in `unit`.
    pub fn at_most(&mut self, what: &str, measured: f64, goal: f64, unit: &str, beside: &str) {
        self.row(what, measured, "≤", goal, unit, beside, measured <= goal);
    }

    /// A figure that must be at least `goal`.
    pub fn at_least(&mut self, what: &str, measured: f64, goal: f64, unit: &str, beside: &str) {
        self.row(what, measured, "≥", goal, unit, beside, measured >= goal);
    }

    #[expect(clippy::too_many_arguments, reason = "one table row, cell by cell")]
    fn row(
        &mut self,
        what: &str,
        at: f64,
        sign: &str,
        goal: f64,
        unit: &str,
        beside: &str,
        met: bool,
    ) {
        println!("{what}: {at:.2} {unit} (goal {sign} {goal} {unit}; {beside})");
        self.rows.push(Row {
            what: what.to_owned(),
            measured: format!("{at:.2} {unit} ({beside})"),
            goal: format!("{sign} {goal} {unit}"),
            met,
        });
    }

    pub fn table(&self) -> String {
        let mut text = String::from("| what | measured | goal | met |\n|---|---|---|---|\n");
        for row in &self.rows {
            let met = if row.met { "yes" } else { "**no**" };
            let _infallible =
                writeln!(text, "| {} | {} | {} | {met} |", row.what, row.measured, row.goal);
        }
        text
    }

    pub fn write(&self) -> Result<()> {
        let method = include_str!("method.md");
        let rates: Vec<String> = self.fdatasync.iter().map(|rate| format!("{rate:.0}")).collect();
        let text = format!(
            "{method}\n## Figures\n\nfdatasync of one 4 KiB block, calls per second, measured \
             between the benchmarks: {}.\n\n{}",
            rates.join(", "),
            self.table()
        );
        fs::write(root().join("docs/benchmarks.md"), text)?;
        Ok(())
    }
}

/// The middle of the values.
pub fn median(values: &mut [f64]) -> f64 {
    percentile(values, 50)
}

pub fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get(last * percent / 100).copied().unwrap_or(f64::NAN)
}
