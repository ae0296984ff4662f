//! The way into guests: serial lines, screens, logs, commands, files.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use novacron_host::Handle;
use novacron_host::hypervisor::{Agent as GuestAgentPower, Exec, Serial};
use novacron_model::request::{ExecRequest, ExecResult, LogSource};
use novacron_model::{Error, Object, Result, Vm};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio_util::io::{ReaderStream, StreamReader};
use uuid::Uuid;

use crate::AgentHandle;
use crate::pool::ByteStream;
use crate::vm::handle_of;

/// A byte stream into a guest.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

const EXEC_TIMEOUT: Duration = Duration::from_mins(1);
const PIPE: usize = 64 << 10;
/// How often, and how far back, a driver's log is looked at for more.
const LOG_LOOK: Duration = Duration::from_secs(1);
const LOG_WINDOW: u64 = 64 << 10;

impl AgentHandle {
    /// The live serial line; first come up to `replay` bytes of what was printed before.
    pub async fn serial(&self, vm: &Object<Vm>, replay: u64) -> Result<Box<dyn Duplex>> {
        let handle = running(vm)?;
        let serial = self.serial_power()?;
        let line = serial.open(&handle).await?;
        let before = serial.tail(vm.meta.uid, replay).await?;
        let (read, write) = tokio::io::split(line);
        Ok(Box::new(tokio::io::join(Cursor::new(before).chain(read), write)))
    }

    /// An RFB connection.
    pub async fn screen(&self, vm: &Object<Vm>) -> Result<Box<dyn Duplex>> {
        let handle = running(vm)?;
        let screen = self.node.config.hypervisor.screen().ok_or_else(|| lacks("screens"))?;
        Ok(Box::new(screen.open(&handle).await?))
    }

    /// The newest `tail` bytes, then, if `follow`, what comes until the reader goes.
    pub async fn log(
        &self,
        vm: &Object<Vm>,
        source: LogSource,
        tail: u64,
        follow: bool,
    ) -> Result<ByteStream> {
        match source {
            LogSource::Serial => self.serial_log(vm, tail, follow).await,
            LogSource::Qemu => self.driver_log(vm.meta.uid, tail, follow).await,
            LogSource::Agent => Ok(self.node.vm_logs.read(vm.meta.uid, tail, follow)),
        }
    }

    async fn driver_log(&self, uid: Uuid, tail: u64, follow: bool) -> Result<ByteStream> {
        let hypervisor = self.node.config.hypervisor.clone();
        let before = hypervisor.log(uid, tail).await?;
        let first = futures::stream::iter([Ok(bytes::Bytes::from(before))]);
        if !follow {
            return Ok(first.boxed());
        }
        let seen = hypervisor.log(uid, LOG_WINDOW).await?;
        let after =
            futures::stream::unfold((hypervisor, seen), move |(hypervisor, seen)| async move {
                loop {
                    tokio::time::sleep(LOG_LOOK).await;
                    let now = match hypervisor.log(uid, LOG_WINDOW).await {
                        Ok(now) => now,
                        Err(error) => return Some((Err(error), (hypervisor, seen))),
                    };
                    let fresh = fresh(&seen, &now);
                    if !fresh.is_empty() {
                        let fresh = bytes::Bytes::copy_from_slice(fresh);
                        return Some((Ok(fresh), (hypervisor, now)));
                    }
                }
            });
        Ok(first.chain(after).boxed())
    }

    async fn serial_log(&self, vm: &Object<Vm>, tail: u64, follow: bool) -> Result<ByteStream> {
        let serial = self.serial_power()?;
        let before = serial.tail(vm.meta.uid, tail).await?;
        let before = futures::stream::iter([Ok(bytes::Bytes::from(before))]);
        match running(vm) {
            Ok(handle) if follow => {
                let line = serial.open(&handle).await?;
                let (read, write) = tokio::io::split(line);
                // The line ends for us if our half that writes is closed.
                let after = read_stream(read).map(move |chunk| {
                    let _open = &write;
                    chunk
                });
                Ok(before.chain(after).boxed())
            }
            _ => Ok(before.boxed()),
        }
    }

    pub async fn exec(&self, vm: &Object<Vm>, exec: ExecRequest) -> Result<ExecResult> {
        let handle = running(vm)?;
        let stdin = exec.stdin.unwrap_or_default();
        let stdin =
            STANDARD.decode(stdin).map_err(|_| Error::invalid("stdin", "stdin is not base64"))?;
        let timeout = exec.timeout.map_or(EXEC_TIMEOUT, |seconds| Duration::from_secs(seconds.0));
        let exec = Exec { argv: exec.argv, env: exec.env, stdin, timeout };
        let output = self.agent_power()?.exec(&handle, &exec).await?;
        Ok(ExecResult {
            exit_code: output.exit_code,
            stdout: STANDARD.encode(output.stdout),
            stderr: STANDARD.encode(output.stderr),
            truncated: output.truncated,
        })
    }

    /// Writes a file in the guest, whole.
    pub async fn push(&self, vm: &Object<Vm>, path: &str, content: ByteStream) -> Result<()> {
        let handle = running(vm)?;
        let mut from = StreamReader::new(content.map(|chunk| chunk.map_err(std::io::Error::other)));
        self.agent_power()?.push(&handle, Path::new(path), &mut from).await.map(drop)
    }

    /// A file of the guest. What fails before the first byte is an error here.
    pub async fn pull(&self, vm: &Object<Vm>, path: &str) -> Result<ByteStream> {
        let handle = running(vm)?;
        self.agent_power()?;
        let (mut to, from) = tokio::io::duplex(PIPE);
        let hypervisor = self.node.config.hypervisor.clone();
        let path = PathBuf::from(path);
        let (tell, told) = tokio::sync::oneshot::channel();
        self.node.spawn(async move {
            let Some(agent) = hypervisor.guest_agent() else { return };
            let result = agent.pull(&handle, &path, &mut to).await.map(drop);
            // The reader may have gone.
            let _ = tell.send(result);
        });
        let mut chunks = read_stream(from);
        let first = chunks.next().await;
        let end = futures::stream::once(async move {
            let lost = || Err(Error::unavailable("the agent ended"));
            told.await.unwrap_or_else(|_| lost()).map(|()| bytes::Bytes::new())
        });
        if let Some(first) = first {
            return Ok(futures::stream::iter([first]).chain(chunks).chain(end).boxed());
        }
        let outcome = Box::pin(end).next().await.unwrap_or_else(|| Ok(bytes::Bytes::new()))?;
        Ok(futures::stream::iter([Ok(outcome)]).boxed())
    }

    fn serial_power(&self) -> Result<&dyn Serial> {
        self.node.config.hypervisor.serial().ok_or_else(|| lacks("serial lines"))
    }

    fn agent_power(&self) -> Result<&dyn GuestAgentPower> {
        self.node.config.hypervisor.guest_agent().ok_or_else(|| lacks("guest agents"))
    }
}

/// The process of a VM that has one.
fn running(vm: &Object<Vm>) -> Result<Handle> {
    let handle = vm.status.runtime.as_ref().and_then(handle_of);
    handle.ok_or_else(|| {
        let name = vm.name();
        Error::conflict(format!("VM \"{name}\" is not running"))
            .hint(format!("start it with `novacron start {name}`"))
    })
}

fn lacks(what: &str) -> Error {
    Error::unsupported(format!("this node's driver has no {what}"))
}

fn read_stream(read: impl AsyncRead + Send + 'static) -> ByteStream {
    let broken = |error: std::io::Error| Error::unavailable(format!("the stream broke: {error}"));
    ReaderStream::new(read).map(move |chunk| chunk.map_err(broken)).boxed()
}

/// What `now`, the newest part of a log, has beyond `seen`, an earlier newest part.
fn fresh<'a>(seen: &[u8], now: &'a [u8]) -> &'a [u8] {
    let known = (0..=seen.len()).map(|start| &seen[start..]).find(|rest| now.starts_with(rest));
    &now[known.map_or(0, <[u8]>::len)..]
}

#[cfg(test)]
mod tests {
    use super::fresh;

    #[test]
    fn following_a_log_shows_each_byte_once() {
        assert_eq!(fresh(b"", b"one\n"), b"one\n");
        assert_eq!(fresh(b"one\n", b"one\ntwo\n"), b"two\n");
        assert_eq!(fresh(b"one\ntwo\n", b"two\nthree\n"), b"three\n");
        assert_eq!(fresh(b"one\n", b"one\n"), b"");
        assert_eq!(fresh(b"old", b"new"), b"new");
    }
}
