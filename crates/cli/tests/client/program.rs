//! Running the command line as a user would.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::server::Server;

/// The built program, with nothing of the tester's own surroundings.
pub fn program(home: &Path) -> Command {
    let own = std::env::current_exe().unwrap();
    let built: PathBuf = own.parent().unwrap().parent().unwrap().join("examples/novacron-client");
    assert!(built.exists(), "{} is not built: run all tests of the crate", built.display());
    let mut command = Command::new(built);
    command.env_clear().env("HOME", home).kill_on_drop(true).current_dir(home);
    command
}

/// The program, told where the server is.
pub fn at(server: &Server) -> Command {
    let mut command = program(server.home());
    command.arg("--data-dir").arg(&server.data_dir);
    command
}

/// What a command did.
#[derive(Debug)]
pub struct Did {
    pub code: i32,
    pub out: String,
    pub err: String,
    pub raw: Output,
}

impl From<Output> for Did {
    fn from(raw: Output) -> Self {
        Self {
            code: raw.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&raw.stdout).into_owned(),
            err: String::from_utf8_lossy(&raw.stderr).into_owned(),
            raw,
        }
    }
}

pub async fn run(server: &Server, line: &str) -> Did {
    let mut command = at(server);
    command.args(line.split_whitespace()).stdin(Stdio::null());
    command.output().await.unwrap().into()
}

/// Runs with `input` on a pipe that is closed after it.
pub async fn feed(mut command: Command, input: &[u8]) -> Did {
    let piped = Stdio::piped;
    let mut child = command.stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have ended without reading.
    let _ = stdin.write_all(input).await;
    drop(stdin);
    child.wait_with_output().await.unwrap().into()
}
