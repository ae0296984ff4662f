//! Whole-system figures against yardsticks of the same run, written to `docs/benchmarks.md`.
//!
//! Machines differ and drift, so a figure alone says little: each stands beside a yardstick that
//! was measured in turn with it (A B A B …), and beside the disk's own fdatasync rate.

mod calibration;
mod clone;
mod commits;
mod console;
mod create;
mod daemon;
mod figures;
mod http;
mod import;
mod libvirt;
mod lists;
mod memory;
mod qmp;
mod report;
mod snapshot;
mod start;
mod stored;

use anyhow::Result;

use daemon::Daemon;
use report::Report;

#[derive(clap::Args)]
pub struct Args {
    /// Only the benchmarks whose name contains this; writes no file.
    only: Option<String>,
    /// How many VMs are stored for the lists.
    #[arg(long, default_value_t = 10_000)]
    vms: usize,
}

pub fn run(args: &Args) -> Result<()> {
    let wanted = |name: &str| args.only.as_deref().is_none_or(|only| name.contains(only));
    let mut report = Report::new(calibration::fdatasync_rate()?);
    if wanted("create") {
        create::measure(&mut report)?;
    }
    if wanted("clone") {
        clone::measure(&mut report)?;
    }
    if wanted("import") {
        import::measure(&mut report)?;
    }
    if wanted("snapshot") {
        snapshot::measure(&mut report)?;
    }
    if wanted("commits") {
        commits::measure(&mut report)?;
    }
    if wanted("start") {
        start::empty(&mut report)?;
    }
    if ["memory", "stored", "lists"].iter().any(|name| wanted(name)) {
        // Ten simulated hosts have room for that many.
        let mut daemon = Daemon::start_with(&["--sim", "10"])?;
        let idle = memory::resident(&daemon)?;
        stored::fill(&daemon, args.vms)?;
        memory::measure(&mut report, &daemon, idle, args.vms)?;
        lists::measure(&mut report, &daemon, args.vms)?;
        start::filled(&mut report, &mut daemon, args.vms)?;
    }
    if wanted("figures") {
        figures::measure(&mut report)?;
    }
    if wanted("console") {
        console::measure(&mut report)?;
    }
    print!("{}", report.table());
    if args.only.is_none() {
        report.write()?;
    }
    Ok(())
}
