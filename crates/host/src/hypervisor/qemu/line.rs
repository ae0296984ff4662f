//! The serial line of a live guest. QEMU serves one connection, many clients share it: each sees
//! all output, any may type. The connection lasts while there are clients, and is always read, so
//! that a slow client loses output but never holds up the guest.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use novacron_model::{Error, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::UnixStream;
use tokio::sync::{broadcast, mpsc};
use uuid::Uuid;

use super::super::{Duplex, Handle, Serial};
use super::QemuHypervisor;
use super::guest::Guest;
use super::run_dir::{SERIAL, io_failed};

const BUFFER: usize = 64 << 10;
/// QEMU may drop what it has not read when a connection ends; and clients often come back.
const LINGER: Duration = Duration::from_secs(1);

/// Where clients find the one connection.
#[derive(Default)]
pub(super) struct Line {
    shared: tokio::sync::Mutex<Weak<Connection>>,
}

struct Connection {
    output: broadcast::Sender<Bytes>,
    input: mpsc::Sender<Bytes>,
}

#[async_trait]
impl Serial for QemuHypervisor {
    async fn open(&self, handle: &Handle) -> Result<Box<dyn Duplex>> {
        let guest = self.guest(handle)?;
        let connection = guest.serial_connection().await?;
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let output = connection.output.subscribe();
        tokio::spawn(serve(connection, output, theirs));
        Ok(Box::new(ours))
    }

    async fn tail(&self, uid: Uuid, limit: u64) -> Result<Vec<u8>> {
        let run = self.run_dir(uid);
        let log = self.shared.serial_log(&run);
        let tail = tokio::task::spawn_blocking(move || log.tail(limit)).await;
        let tail = tail.unwrap_or_else(|error| Err(io::Error::other(error)));
        tail.map_err(|error| io_failed("read the serial log in", run.path(), &error))
    }
}

impl Guest {
    async fn serial_connection(&self) -> Result<Arc<Connection>> {
        let mut shared = self.line.shared.lock().await;
        if let Some(connection) = shared.upgrade().filter(|open| !open.input.is_closed()) {
            return Ok(connection);
        }
        let stream = self.run.connect(SERIAL).await.map_err(|error| {
            Error::unavailable(format!(
                "the serial line of guest {} cannot be opened: {error}",
                self.handle.uid
            ))
        })?;
        let (output, _) = broadcast::channel(256);
        let (input, typed) = mpsc::channel(16);
        tokio::spawn(carry(stream, output.clone(), typed));
        let connection = Arc::new(Connection { output, input });
        *shared = Arc::downgrade(&connection);
        Ok(connection)
    }
}

/// Between QEMU and all clients, until QEMU goes or the last client has been served.
async fn carry(
    stream: UnixStream,
    output: broadcast::Sender<Bytes>,
    mut typed: mpsc::Receiver<Bytes>,
) {
    let (mut from_guest, mut to_guest) = stream.into_split();
    let print = async {
        let mut buffer = BytesMut::with_capacity(BUFFER);
        while let Ok(1..) = from_guest.read_buf(&mut buffer).await {
            // The last client may have left just now.
            let _ = output.send(buffer.split().freeze());
            buffer.reserve(4096);
        }
    };
    let type_in = async {
        while let Some(bytes) = typed.recv().await {
            if to_guest.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = print => {}
        () = type_in => {}
    }
}

/// Between the connection and one client, until either goes. What a client typed before it went is
/// still delivered.
async fn serve(
    connection: Arc<Connection>,
    mut output: broadcast::Receiver<Bytes>,
    client: DuplexStream,
) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let print = async {
        loop {
            match output.recv().await {
                Ok(bytes) => {
                    if to_client.write_all(&bytes).await.is_err() {
                        return std::future::pending().await;
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    };
    let type_in = async {
        let mut buffer = BytesMut::with_capacity(4096);
        while let Ok(1..) = from_client.read_buf(&mut buffer).await {
            if connection.input.send(buffer.split().freeze()).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = print => {}
        () = type_in => {}
        () = connection.input.closed() => {}
    }
    tokio::time::sleep(LINGER).await;
}
