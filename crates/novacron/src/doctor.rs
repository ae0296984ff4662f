//! `novacron doctor`: prints what `host` finds, and what to type.

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use novacron_cli::Globals;
use novacron_host::doctor::{self, Finding, Verdict};

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
    let data_dir = globals.data_dir();
    let running = data_dir::in_use(&data_dir);
    let findings = doctor::examine(&doctor::Config {
        qemu: config.qemu.binary,
        qemu_img: "qemu-img".into(),
        listen: if running { Vec::new() } else { vec![config.api.listen] },
        data_dir,
    })
    .await;
    for finding in &findings {
        print(finding);
    }
    let failed = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn print(finding: &Finding) {
    let (word, colour) = match finding.verdict {
        Verdict::Ok => ("ok", "32"),
        Verdict::Warn => ("warn", "33"),
        Verdict::Fail => ("FAIL", "31"),
    };
    let word = format!("{word:<4}");
    let word =
        if stdout().is_terminal() { format!("\u{1b}[{colour}m{word}\u{1b}[0m") } else { word };
    println!("{word}  {:<12}  {}", finding.what, finding.sentence);
    if let Some(todo) = &finding.todo {
        println!("{:20}{todo}", "");
    }
}
