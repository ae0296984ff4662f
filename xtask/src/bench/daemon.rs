//! A daemon of the built binary on a data directory of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::http::Client;
use crate::tidy::root;

const PATIENCE: Duration = Duration::from_mins(1);

pub struct Daemon {
    dir: TempDir,
    process: Option<Child>,
    args: &'static [&'static str],
}

impl Daemon {
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// With more arguments for `server`.
    pub fn start_with(args: &'static [&'static str]) -> Result<Self> {
        let mut daemon = Self { dir: tempfile::tempdir()?, process: None, args };
        daemon.up()?;
        Ok(daemon)
    }

    /// Starts it; returns the time until `/readyz` said yes.
    pub fn up(&mut self) -> Result<Duration> {
        let began = Instant::now();
        let process = Command::new(binary())
            .args(["server", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(self.dir.path())
            .args(self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("run `make build` first")?;
        self.process = Some(process);
        while !self.ready() {
            if began.elapsed() > PATIENCE {
                bail!("the daemon does not become ready");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(began.elapsed())
    }

    fn ready(&self) -> bool {
        self.client().and_then(|mut client| client.get("/readyz")).is_ok()
    }

    /// Ends it and waits; guests go on.
    pub fn down(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        Command::new("kill").arg(process.id().to_string()).status()?;
        process.wait()?;
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Child::id)
    }

    pub fn data(&self) -> &Path {
        self.dir.path()
    }

    pub fn client(&self) -> Result<Client> {
        Client::connect(&self.dir.path().join("api.sock"))
    }

    pub fn cli(&self, args: &[&str]) -> Result<()> {
        let output =
            Command::new(binary()).arg("--data-dir").arg(self.data()).args(args).output()?;
        if !output.status.success() {
            bail!("novacron {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended = self.down();
    }
}

pub fn binary() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("debug/novacron")
}
