//! `novacron doctor`: prints what `host` finds, and what to type.

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use novacron_cli::{Failure, Format, Globals};
use novacron_host::doctor::{self, Finding, Verdict};
use serde_json::json;

use crate::config::Config;
use crate::data_dir;

#[derive(ClapArgs)]
pub struct Args {
    /// Settings file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Exits 1 when something is missing without which no guest runs.
pub async fn run(args: &Args, globals: &Globals) -> ExitCode {
    let config = match Config::read(args.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("novacron: {error:#}");
            return ExitCode::from(2);
        }
    };
    let data_dir = config.data_dir(globals);
    let running = data_dir::in_use(&data_dir);
    let findings = doctor::examine(&doctor::Config {
        qemu: config.qemu.binary,
        qemu_img: "qemu-img".into(),
        listen: if running { Vec::new() } else { vec![config.api.listen] },
        data_dir,
    })
    .await;
    if let Err(error) = show(globals.output, &findings) {
        eprintln!("novacron: {error}");
        return ExitCode::FAILURE;
    }
    let failed = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn show(format: Format, findings: &[Finding]) -> Result<(), Failure> {
    novacron_cli::print(format, &json!(findings), || {
        findings.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

fn line(finding: &Finding) -> String {
    let (word, colour) = match finding.verdict {
        Verdict::Ok => ("ok", "32"),
        Verdict::Warn => ("warn", "33"),
        Verdict::Fail => ("FAIL", "31"),
    };
    let word = format!("{word:<4}");
    let word =
        if stdout().is_terminal() { format!("\u{1b}[{colour}m{word}\u{1b}[0m") } else { word };
    let todo = finding.todo.as_ref().map(|todo| format!("\n{:20}{todo}", ""));
    format!("{word}  {:<12}  {}{}", finding.what, finding.sentence, todo.unwrap_or_default())
}
