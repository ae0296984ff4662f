//! Consoles on a terminal: a pseudo-terminal whose other end the test holds.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::mpsc as channel;
use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt};
use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::program::at;
use crate::server::{Reply, Server};
use crate::streams::signal;

/// Long enough for any machine.
const DEADLINE: Duration = Duration::from_mins(1);

struct Terminal {
    keys: File,
    user: OwnedFd,
    screen: channel::Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Terminal {
    fn open() -> Self {
        let main = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&main).unwrap();
        unlockpt(&main).unwrap();
        let name = ptsname(&main, Vec::new()).unwrap();
        let user = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let keys = File::from(main);
        let mut reader = keys.try_clone().unwrap();
        let (sender, screen) = channel::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let _ = sender.send(buffer[..count].to_vec());
            }
        });
        Self { keys, user, screen, seen: Vec::new() }
    }

    fn stdio(&self) -> Stdio {
        Stdio::from(self.user.try_clone().unwrap())
    }

    /// Waits until this stands on the screen.
    fn await_text(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.seen).contains(text) {
            let more = self.screen.recv_timeout(DEADLINE);
            let seen = String::from_utf8_lossy(&self.seen);
            self.seen.extend(more.unwrap_or_else(|_| panic!("no {text:?} in {seen:?}")));
        }
    }

    fn modes(&self) -> LocalModes {
        tcgetattr(&self.user).unwrap().local_modes
    }
}

/// A client in a console, what the guest gets of it, and the terminal.
fn console() -> (Server, Terminal, Child, mpsc::UnboundedReceiver<Vec<u8>>) {
    let (sender, guest) = mpsc::unbounded_channel();
    let server = Server::start(move |_| {
        let sender = sender.clone();
        Reply::WebSocket(Box::new(move |mut socket| {
            async move {
                socket.send(Message::binary(b"login: ".to_vec())).await.unwrap();
                while let Some(Ok(Message::Binary(bytes))) = socket.next().await {
                    let _ = sender.send(bytes.to_vec());
                }
            }
            .boxed()
        }))
    });
    let terminal = Terminal::open();
    let mut command = at(&server);
    command.args(["console", "web"]).stdin(terminal.stdio()).stdout(terminal.stdio());
    let child = command.stderr(terminal.stdio()).spawn().unwrap();
    (server, terminal, child, guest)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_reaches_the_guest_until_one_leaves() {
    let (_server, mut terminal, mut child, mut guest) = console();
    let before = terminal.modes();
    assert!(before.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG));
    terminal.await_text("Ctrl-] leaves");
    terminal.await_text("login: ");
    assert!(!terminal.modes().intersects(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG));
    terminal.keys.write_all(b"\x03\x04\x1a\r").unwrap();
    let mut got = Vec::new();
    while got.len() < 4 {
        got.extend(tokio::time::timeout(DEADLINE, guest.recv()).await.unwrap().unwrap());
    }
    assert_eq!(got, b"\x03\x04\x1a\r");
    terminal.keys.write_all(b"\x1d").unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    terminal.await_text("left VM \"web\"");
    assert_eq!(terminal.modes(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_puts_the_terminal_right_before_it_ends_the_command() {
    for (sent, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let (_server, mut terminal, mut child, _guest) = console();
        let before = terminal.modes();
        terminal.await_text("login: ");
        assert_ne!(terminal.modes(), before);
        signal(&child, sent);
        assert_eq!(child.wait().await.unwrap().code(), Some(code));
        assert_eq!(terminal.modes(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_delete_asks_and_no_means_no() {
    let server = Server::start(|_| crate::server::ok(serde_json::json!({})));
    for (answer, code, requests) in [("n\n", 1, 1), ("\n", 1, 2), ("y\n", 0, 4)] {
        let mut terminal = Terminal::open();
        let mut command = at(&server);
        command.args(["network", "delete", "lan"]).stdin(terminal.stdio());
        let mut child = command.stderr(terminal.stdio()).spawn().unwrap();
        terminal.await_text("Delete? [y/N]");
        terminal.keys.write_all(answer.as_bytes()).unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(code), "{answer:?}");
        assert_eq!(server.shared.lines().len(), requests, "{answer:?}");
    }
}
