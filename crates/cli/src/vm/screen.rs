//! `screen`: offers the guest's RFB screen to a VNC viewer, through a port or socket of this
//! machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio_tungstenite::tungstenite::Message;

use super::{NOUN, peer};
use crate::client::websocket::{Farewell, Socket};
use crate::failure::{Failure, Result};
use crate::output;
use crate::session::Session;
use crate::signals::Signals;
use crate::transport::Stream;

#[derive(Debug, Clone, Args)]
pub struct ScreenArgs {
    /// Name of the VM
    #[arg(value_name = "VM")]
    name: String,
    /// Loopback address for the viewer; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Listen on a unix socket instead, which only you can open
    #[arg(long, value_name = "PATH", conflicts_with = "listen")]
    socket: Option<PathBuf>,
}

/// What Ctrl-C sends.
const INTERRUPT: u8 = 2;

/// Serves viewers until Ctrl-C.
pub async fn screen(session: &Session, args: &ScreenArgs) -> Result<()> {
    let path = NOUN.path(&session.project, &args.name) + "/screen";
    // Whether there is a screen is better said now than to a viewer.
    drop(session.client.websocket(&path).await?);
    let called = NOUN.called(&args.name);
    let mut signals = Signals::watch()?;
    tokio::select! {
        end = async {
            match &args.socket {
                Some(socket) => serve_socket(session, &path, socket, &called).await,
                None => serve_port(session, &path, args.listen, &called).await,
            }
        } => end,
        number = signals.next() => match number {
            INTERRUPT => Ok(()),
            number => Err(Failure::signalled(number)),
        },
    }
}

async fn serve_port(session: &Session, path: &str, listen: SocketAddr, called: &str) -> Result<()> {
    if !listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "{listen} is open to others, a screen has no password"
        ))
        .hint("listen on 127.0.0.1 and reach it through `ssh -L`"));
    }
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    announce(
        called,
        &address.to_string(),
        &format!("vncviewer {}::{}", address.ip(), address.port()),
    )?;
    loop {
        let (viewer, from) = listener.accept().await?;
        if !peer::is_ours(from, address) {
            output::note(format!("refused {from}: it belongs to another user"));
            continue;
        }
        serve(session, path, viewer).await;
    }
}

async fn serve_socket(session: &Session, path: &str, socket: &PathBuf, called: &str) -> Result<()> {
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(socket);
    rustix::process::umask(mask);
    let listener =
        listener.map_err(|error| Failure::failed(format!("{}: {error}", socket.display())))?;
    let _gone = Removed(socket.clone());
    let shown = socket.display().to_string();
    announce(called, &shown, &format!("vncviewer {shown}"))?;
    loop {
        let (viewer, _) = listener.accept().await?;
        serve(session, path, viewer).await;
    }
}

/// Removes the socket when nobody listens any more.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn announce(called: &str, address: &str, command: &str) -> Result<()> {
    output::note(format!(
        "the screen of {called} is offered at the address below until Ctrl-C; for example:\n  {command}\n\
         `novacron web` shows it in a browser"
    ));
    output::line(address)
}

async fn serve(session: &Session, path: &str, viewer: impl Stream + 'static) {
    match session.client.websocket(path).await {
        Ok(guest) => drop(tokio::spawn(relay(viewer, guest))),
        Err(failure) => output::note(failure.to_string()),
    }
}

/// Until either side goes; the other then goes, too.
async fn relay(viewer: impl Stream, guest: Socket) {
    let (mut viewer_in, mut viewer_out) = tokio::io::split(viewer);
    let (mut guest_out, mut guest_in) = guest.split();
    let to_guest = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = viewer_in.read(&mut buffer).await {
            let message = Message::binary(buffer[..count].to_vec());
            if guest_out.send(message).await.is_err() {
                return;
            }
        }
    };
    let to_viewer = async {
        while let Some(Ok(message)) = guest_in.next().await {
            let written = match message {
                Message::Binary(bytes) => viewer_out.write_all(&bytes).await,
                Message::Close(frame) => {
                    let words = Farewell::of(frame).words;
                    if !words.is_empty() {
                        output::note(format!("the screen was closed{words}"));
                    }
                    return;
                }
                _ => Ok(()),
            };
            if written.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = to_guest => {}
        () = to_viewer => {}
    }
}
