//! The way into guests: serial lines, screens, logs, commands, files.

use std::io::{Cursor, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use novacron_host::Handle;
use novacron_host::hypervisor::{Agent as GuestAgentPower, Exec, Serial};
use novacron_model::request::{ExecRequest, ExecResult, LogSource};
use novacron_model::{Error, Object, Result, Vm};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite};
use tokio_util::io::{ReaderStream, StreamReader};

use crate::AgentHandle;
use crate::pool::ByteStream;
use crate::vm::handle_of;

/// A byte stream into a guest.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

const EXEC_TIMEOUT: Duration = Duration::from_mins(1);
const PIPE: usize = 64 << 10;
/// How often a log file is looked at for more.
const LOG_LOOK: Duration = Duration::from_millis(500);

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
            LogSource::Qemu => {
                let run = self.node.config.data.join("run").join(vm.meta.uid.to_string());
                file_log(run.join("qemu.log"), tail, follow).await
            }
        }
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

async fn file_log(path: PathBuf, tail: u64, follow: bool) -> Result<ByteStream> {
    let unreadable = |error: std::io::Error| Error::internal(format!("log not readable: {error}"));
    let mut file = match File::open(&path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(futures::stream::empty().boxed());
        }
        Err(error) => return Err(unreadable(error)),
    };
    let length = file.metadata().await.map_err(unreadable)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(tail))).await.map_err(unreadable)?;
    if !follow {
        return Ok(read_stream(file));
    }
    Ok(futures::stream::unfold(file, |mut file| async move {
        let mut buffer = bytes::BytesMut::with_capacity(PIPE);
        loop {
            match file.read_buf(&mut buffer).await {
                Ok(0) => tokio::time::sleep(LOG_LOOK).await,
                Ok(_) => return Some((Ok(buffer.freeze()), file)),
                Err(_) => return None,
            }
        }
    })
    .boxed())
}
