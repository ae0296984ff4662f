//! A connection to the daemon on this machine that hands over an open file beside the first bytes that
//! are sent on it: `SCM_RIGHTS` of unix(7). A daemon that takes none closes it.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::cmsg_space;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream;

pub struct Handing {
    stream: UnixStream,
    /// Until it has been sent.
    file: Option<OwnedFd>,
}

impl Handing {
    pub fn new(stream: UnixStream, file: OwnedFd) -> Self {
        Self { stream, file: Some(file) }
    }

    fn send(&self, file: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        let files = [file.as_fd()];
        beside.push(SendAncillaryMessage::ScmRights(&files));
        let bytes = [IoSlice::new(bytes)];
        Ok(sendmsg(&self.stream, &bytes, &mut beside, SendFlags::NOSIGNAL)?)
    }
}

impl AsyncRead for Handing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Handing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A descriptor goes with a byte.
        let Some(file) = self.file.as_ref().filter(|_| !bytes.is_empty()) else {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        };
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match self.stream.try_io(Interest::WRITABLE, || self.send(file, bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => {
                    if sent.is_ok() {
                        self.file = None;
                    }
                    return Poll::Ready(sent);
                }
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{IoSliceMut, Read};

    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// The next bytes, and what came beside them.
    async fn received(stream: &UnixStream) -> (Vec<u8>, Vec<OwnedFd>) {
        stream.readable().await.unwrap();
        let mut bytes = vec![0; 64];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(4))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let into = &mut [IoSliceMut::new(&mut bytes)];
        let length = recvmsg(stream, into, &mut beside, RecvFlags::empty()).unwrap().bytes;
        bytes.truncate(length);
        let files = beside.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => files.collect(),
            _ => Vec::new(),
        });
        (bytes, files.collect())
    }

    #[tokio::test]
    async fn the_file_goes_with_the_first_bytes_and_never_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut handing = Handing::new(ours, File::open(&path).unwrap().into());
        handing.write_all(b"PUT").await.unwrap();
        let (bytes, mut files) = received(&theirs).await;
        assert_eq!((bytes.as_slice(), files.len()), (&b"PUT"[..], 1));
        let mut content = String::new();
        File::from(files.remove(0)).read_to_string(&mut content).unwrap();
        assert_eq!(content, "content");
        handing.write_all(b"GET").await.unwrap();
        let (bytes, files) = received(&theirs).await;
        assert_eq!((bytes.as_slice(), files.len()), (&b"GET"[..], 0));
    }
}
