//! The guest agent of simulated guests: built-in commands, and files in memory.

use std::path::Path;

use async_trait::async_trait;
use novacron_model::vm::GuestAgent;
use novacron_model::{Error, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::super::{Agent, Exec, ExecOutput, Handle, Phase, agent_silent, no_such_file};
use super::SimHypervisor;
use super::shell::{self, Context};

pub(super) fn info(name: &str, address: String) -> GuestAgent {
    GuestAgent {
        version: "sim".to_owned(),
        hostname: name.to_owned(),
        os: "NovaCron simulated guest".to_owned(),
        addresses: vec![address],
    }
}

impl SimHypervisor {
    /// The guest's name, if its agent answers.
    fn awake(&self, handle: &Handle) -> Result<String> {
        self.world.change_quietly(handle, |guest| match guest.phase {
            Phase::Running => Ok(guest.name.clone()),
            _ => Err(agent_silent()),
        })
    }
}

#[async_trait]
impl Agent for SimHypervisor {
    async fn info(&self, handle: &Handle) -> Result<GuestAgent> {
        let name = self.awake(handle)?;
        let address = self.world.change_quietly(handle, |guest| Ok(guest.address()))?;
        Ok(info(&name, address))
    }

    async fn exec(&self, handle: &Handle, exec: &Exec) -> Result<ExecOutput> {
        let hostname = self.awake(handle)?;
        self.latency().await;
        let outcome = self.world.with_files(handle.uid, |files| {
            let context =
                Context { hostname: &hostname, env: &exec.env, stdin: &exec.stdin, files };
            shell::run(&exec.argv, &context)
        });
        let program = exec.argv.first().map_or("", String::as_str);
        let outcome = outcome.ok_or_else(|| {
            Error::invalid("argv", format!("the guest has no program \"{program}\""))
        })?;
        Ok(ExecOutput {
            exit_code: outcome.exit_code,
            stdout: outcome.stdout,
            stderr: outcome.stderr,
            truncated: false,
        })
    }

    async fn push(
        &self,
        handle: &Handle,
        path: &Path,
        from: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<u64> {
        self.awake(handle)?;
        let mut content = Vec::new();
        let read = from.read_to_end(&mut content).await;
        let length = read.map_err(|error| Error::unavailable(format!("upload broke: {error}")))?;
        self.world.with_files(handle.uid, |files| files.insert(path.to_owned(), content));
        Ok(length as u64)
    }

    async fn pull(
        &self,
        handle: &Handle,
        path: &Path,
        to: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<u64> {
        self.awake(handle)?;
        let content = self.world.with_files(handle.uid, |files| files.get(path).cloned());
        let content = content.ok_or_else(|| no_such_file(path))?;
        let written = to.write_all(&content).await;
        written.map_err(|error| Error::unavailable(format!("download broke: {error}")))?;
        Ok(content.len() as u64)
    }
}
