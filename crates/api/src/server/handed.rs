//! Open files that a client hands over on the unix socket, beside the bytes of a request: `SCM_RIGHTS`
//! of unix(7).
//!
//! A descriptor comes with a byte of the request's head, so it is here before the request is read.
//! It belongs to that connection and to the next request on it, and is closed when another one
//! comes or the connection ends. Nobody gains a right by it: the client had opened the file.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use rustix::cmsg_space;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream;

/// Bytes that are read at once. They are cleared before, which is cheap for few.
const READ_MAX: usize = 64 << 10;

/// What came last on a connection and was not taken yet.
#[derive(Debug, Clone, Default)]
pub struct Handed(Arc<Mutex<Option<OwnedFd>>>);

impl Handed {
    pub fn take(&self) -> Option<File> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map(File::from)
    }

    fn put(&self, descriptor: OwnedFd) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(descriptor);
    }
}

/// A connection that takes descriptors.
pub(super) struct Taking {
    stream: UnixStream,
    handed: Handed,
}

impl Taking {
    pub fn new(stream: UnixStream) -> (Self, Handed) {
        let handed = Handed::default();
        (Self { stream, handed: handed.clone() }, handed)
    }

    /// One descriptor is taken at a time; the kernel closes what finds no room.
    fn receive(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(&self.stream, &mut [IoSliceMut::new(bytes)], &mut beside, flags)?;
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                descriptors.for_each(|descriptor| self.handed.put(descriptor));
            }
        }
        Ok(received.bytes)
    }
}

impl AsyncRead for Taking {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining().min(READ_MAX);
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            let bytes = buffer.initialize_unfilled_to(room);
            match self.stream.try_io(Interest::READABLE, || self.receive(bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => {
                    buffer.advance(received?);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Taking {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
