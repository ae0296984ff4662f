//! The serial line of a simulated guest: echoes what is typed and runs it on Enter.

use bytes::Bytes;
use novacron_model::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::broadcast::{self, error::RecvError};

use super::super::{Duplex, Handle, Phase};
use super::shell::{self, Context, PROMPT};
use super::world::{Files, Guest, SimWorld};

const BUFFER: usize = 64 << 10;
/// A line longer than this is cut, as by a terminal in cooked mode.
const TYPED_MAX: usize = 4096;

pub(super) fn open(world: &SimWorld, handle: &Handle) -> Result<Box<dyn Duplex>> {
    let output = world.change_quietly(handle, |guest| Ok(guest.listen()))?;
    let (ours, theirs) = tokio::io::duplex(BUFFER);
    tokio::spawn(carry(world.clone(), handle.clone(), output, theirs));
    Ok(Box::new(ours))
}

/// Ends when the client goes or the guest does.
async fn carry(
    world: SimWorld,
    handle: Handle,
    mut output: broadcast::Receiver<Bytes>,
    client: DuplexStream,
) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let mut input = [0; 1024];
    let mut reads = true;
    loop {
        tokio::select! {
            printed = output.recv() => match printed {
                // What it typed before it went is still to be read.
                Ok(bytes) => reads = reads && to_client.write_all(&bytes).await.is_ok(),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            typed = from_client.read(&mut input) => match typed {
                Ok(0) | Err(_) => return,
                Ok(n) => if type_in(&world, &handle, &input[..n]).is_err() { return },
            },
        }
    }
}

fn type_in(world: &SimWorld, handle: &Handle, bytes: &[u8]) -> Result<()> {
    let files = world.with_files(handle.uid, |files| files.clone());
    world.change_quietly(handle, |guest| {
        // A halted guest reads nothing.
        if guest.phase == Phase::Running {
            for byte in bytes {
                press(guest, *byte, &files);
            }
        }
        Ok(())
    })
}

fn press(guest: &mut Guest, byte: u8, files: &Files) {
    match byte {
        b'\r' | b'\n' => {
            guest.print(b"\r\n");
            enter(guest, files);
            guest.print(PROMPT.as_bytes());
        }
        // Backspace and delete.
        0x08 | 0x7f => erase(guest),
        // Ctrl-C and Ctrl-U drop the line.
        0x03 | 0x15 => {
            guest.typed.clear();
            guest.print(b"^C\r\n");
            guest.print(PROMPT.as_bytes());
        }
        _ if guest.typed.len() < TYPED_MAX => {
            guest.typed.push(byte);
            guest.print(&[byte]);
        }
        _ => {}
    }
}

fn erase(guest: &mut Guest) {
    if guest.typed.pop().is_some() {
        guest.print(b"\x08 \x08");
    }
}

fn enter(guest: &mut Guest, files: &Files) {
    let line = String::from_utf8_lossy(&std::mem::take(&mut guest.typed)).into_owned();
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let Some(name) = words.first() else { return };
    let hostname = guest.name.clone();
    let context = Context { hostname: &hostname, env: &[], stdin: &[], files };
    let outcome = shell::run(&words, &context).unwrap_or_else(|| shell::not_found(name));
    for output in [outcome.stdout, outcome.stderr] {
        guest.print(String::from_utf8_lossy(&output).replace('\n', "\r\n").as_bytes());
    }
}
