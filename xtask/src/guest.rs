//! Builds guests from Debian packages.

#[derive(clap::Args)]
pub struct Args {
    /// `micro` or `debian`.
    name: String,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("there is no guest \"{}\"", args.name)
}
