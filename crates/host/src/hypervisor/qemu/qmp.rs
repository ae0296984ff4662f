//! A tolerant client of QEMU's control protocol (QMP): unknown events and fields are kept, noise
//! is skipped, every call has a time limit. What the commands mean is the callers' matter.

mod wire;

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{broadcast, oneshot};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use wire::Message;
pub(super) use wire::{Event, take_line};

/// QEMU answers within milliseconds; this is for machines that are short of everything.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// No answer of QEMU is longer; more is not QEMU.
const LINE_MAX: usize = 16 << 20;

#[derive(Debug, thiserror::Error)]
pub(super) enum QmpError {
    #[error("QEMU closed its control channel")]
    Closed,
    #[error("QEMU did not answer {command} within {} s", patience.as_secs())]
    Timeout { command: String, patience: Duration },
    #[error("QEMU refused {command}: {text}")]
    Refused { command: String, text: String },
}

type Answer = Result<Value, String>;
type Pending = Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>;

pub(super) struct Qmp {
    stream: Arc<UnixStream>,
    /// Held while a command is written, so that two do not mix.
    writing: tokio::sync::Mutex<()>,
    pending: Arc<Pending>,
    next_id: AtomicU64,
    closed: CancellationToken,
    reader: AbortHandle,
    patience: Duration,
}

impl Drop for Qmp {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Qmp {
    /// Waits for the greeting and leaves negotiation mode. The receiver misses no event.
    pub async fn connect(
        stream: UnixStream,
    ) -> Result<(Self, broadcast::Receiver<Event>), QmpError> {
        let patience = CALL_TIMEOUT;
        let stream = Arc::new(stream);
        let pending = Arc::new(Pending::default());
        let closed = CancellationToken::new();
        let (events, receiver) = broadcast::channel(256);
        let (greeting, greeted) = oneshot::channel();
        let reader = Reader {
            stream: Arc::clone(&stream),
            pending: Arc::clone(&pending),
            events,
            greeting: Some(greeting),
        };
        let ending = closed.clone();
        let task = tokio::spawn(async move {
            let _guard = ending.drop_guard();
            reader.run().await;
        });
        let qmp = Self {
            stream,
            writing: tokio::sync::Mutex::default(),
            pending,
            next_id: AtomicU64::new(1),
            closed,
            reader: task.abort_handle(),
            patience,
        };
        match tokio::time::timeout(patience, greeted).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(QmpError::Closed),
            Err(_) => return Err(qmp.timeout("a connection")),
        }
        qmp.call("qmp_capabilities", Value::Null).await?;
        Ok((qmp, receiver))
    }

    /// `arguments`: an object, or null for none.
    pub async fn call(&self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        self.call_with(command, arguments, None).await
    }

    /// Sends a descriptor along.
    pub async fn call_with_fd(
        &self,
        command: &str,
        arguments: Value,
        fd: BorrowedFd<'_>,
    ) -> Result<Value, QmpError> {
        self.call_with(command, arguments, Some(fd)).await
    }

    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    async fn call_with(
        &self,
        command: &str,
        arguments: Value,
        fd: Option<BorrowedFd<'_>>,
    ) -> Result<Value, QmpError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        lock(&self.pending).insert(id, answer);
        let _forget = Forget { pending: &self.pending, id };
        let mut line = json!({"execute": command, "id": id});
        if !arguments.is_null() {
            line["arguments"] = arguments;
        }
        let line = format!("{line}\n");
        let exchange = async {
            self.send(line.as_bytes(), fd).await.map_err(|_| QmpError::Closed)?;
            tokio::select! {
                answer = answered => answer.map_err(|_| QmpError::Closed),
                () = self.closed.cancelled() => Err(QmpError::Closed),
            }
        };
        match tokio::time::timeout(self.patience, exchange).await {
            Err(_) => Err(self.timeout(command)),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(text))) => Err(QmpError::Refused { command: command.to_owned(), text }),
        }
    }

    fn timeout(&self, command: &str) -> QmpError {
        QmpError::Timeout { command: command.to_owned(), patience: self.patience }
    }

    async fn send(&self, mut line: &[u8], mut fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let _writing = self.writing.lock().await;
        while !line.is_empty() {
            let sent = self
                .stream
                .async_io(Interest::WRITABLE, || send_some(self.stream.as_fd(), line, fd))
                .await?;
            // The descriptor went with the first byte.
            fd = None;
            line = &line[sent..];
        }
        Ok(())
    }
}

fn send_some(socket: BorrowedFd<'_>, line: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<usize> {
    let fds = fd.as_slice();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    Ok(sendmsg(socket, &[io::IoSlice::new(line)], &mut control, flags)?)
}

/// Takes a call out of the list when its caller no longer waits.
struct Forget<'a> {
    pending: &'a Pending,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        lock(self.pending).remove(&self.id);
    }
}

fn lock(pending: &Pending) -> std::sync::MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Answer>>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Reader {
    stream: Arc<UnixStream>,
    pending: Arc<Pending>,
    events: broadcast::Sender<Event>,
    greeting: Option<oneshot::Sender<()>>,
}

impl Reader {
    /// Ends when the connection does, or on a line that is too long.
    async fn run(mut self) {
        let mut buffer = BytesMut::with_capacity(16 << 10);
        loop {
            while let Some(line) = wire::take_line(&mut buffer) {
                self.deliver(wire::read(&line));
            }
            if buffer.len() > LINE_MAX || self.stream.readable().await.is_err() {
                return;
            }
            match self.stream.try_read_buf(&mut buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    fn deliver(&mut self, message: Message) {
        match message {
            Message::Greeting => {
                if let Some(greeting) = self.greeting.take() {
                    let _ = greeting.send(());
                }
            }
            // Nobody may be listening.
            Message::Event(event) => drop(self.events.send(event)),
            Message::Answer { id, answer } => {
                if let Some(waiting) = lock(&self.pending).remove(&id) {
                    let _ = waiting.send(answer);
                }
            }
            Message::Noise => tracing::debug!("skipped a line of QMP that is no message"),
        }
    }
}

#[cfg(test)]
mod tests;
