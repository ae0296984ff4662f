//! `console`: the guest's serial line in the user's terminal.
//!
//! ```text
//!  keys ──▶ until Ctrl-] ──▶ WebSocket ──▶ guest
//!  screen ◀── replay, then live ◀── WebSocket ◀── guest
//! ```
//!
//! Without a terminal (pipes) bytes pass as they are and nothing means "leave"; the command ends
//! with the guest's line or with a signal.

use clap::Args;
use futures::{SinkExt, StreamExt};
use novacron_model::Bytes;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::NOUN;
use super::terminal::{Raw, keyboard};
use crate::args::typed;
use crate::client::path::query;
use crate::client::websocket::{Farewell, Socket, failure};
use crate::failure::{Failure, Result};
use crate::output;
use crate::session::Session;
use crate::signals::Signals;

/// Ctrl-]
const LEAVE: u8 = 0x1d;

#[derive(Debug, Clone, Args)]
pub struct ConsoleArgs {
    /// Name of the VM
    #[arg(value_name = "VM")]
    name: String,
    /// First print up to this much of what was written before
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = typed::<Bytes>)]
    replay: Bytes,
}

pub async fn console(session: &Session, args: &ConsoleArgs) -> Result<()> {
    let replay = args.replay.0.to_string();
    let path = NOUN.path(&session.project, &args.name) + "/serial" + &query([("replay", &*replay)]);
    let socket = session.client.websocket(&path).await?;
    let mut signals = Signals::watch()?;
    let raw = Raw::enter()?;
    let leaves = if raw.is_some() { "; Ctrl-] leaves" } else { "" };
    output::note(format!("serial console of {}{leaves}\r", NOUN.called(&args.name)));
    let end = relay(socket, raw.is_some(), &mut signals).await;
    drop(raw);
    match end? {
        End::Left => output::note(format!("\nleft {}; it goes on", NOUN.called(&args.name))),
        End::Closed(farewell) => {
            output::note(format!("\n{}", farewell.conclude("the console")?));
        }
        End::Signal(number) => return Err(Failure::signalled(number)),
    }
    Ok(())
}

enum End {
    Left,
    /// By the server.
    Closed(Farewell),
    Signal(u8),
}

async fn relay(mut socket: Socket, leave_on_key: bool, signals: &mut Signals) -> Result<End> {
    let mut keys = keyboard();
    let mut typing = true;
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => output::bytes(&bytes)?,
                Some(Ok(Message::Text(text))) => output::bytes(text.as_bytes())?,
                Some(Ok(Message::Close(frame))) => return Ok(End::Closed(Farewell::of(frame))),
                Some(Ok(_)) => {}
                None | Some(Err(Error::ConnectionClosed)) => return Ok(End::Closed(Farewell::silent())),
                Some(Err(error)) => return Err(failure(error)),
            },
            typed = keys.recv(), if typing => match typed {
                None => typing = false,
                Some(bytes) => {
                    let (send, leave) = until_leave(&bytes, leave_on_key);
                    if !send.is_empty() {
                        socket.send(Message::binary(send.to_vec())).await.map_err(failure)?;
                    }
                    if leave {
                        // Politeness only: the connection goes with us.
                        let _ = socket.close(None).await;
                        return Ok(End::Left);
                    }
                }
            },
            number = signals.next() => return Ok(End::Signal(number)),
        }
    }
}

/// What goes to the guest, and whether the user left.
fn until_leave(bytes: &[u8], leave_on_key: bool) -> (&[u8], bool) {
    match bytes.iter().position(|byte| leave_on_key && *byte == LEAVE) {
        Some(end) => (&bytes[..end], true),
        None => (bytes, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_before_leaving_still_goes_to_the_guest() {
        assert_eq!(until_leave(b"ls\r\x1drest", true), (b"ls\r".as_slice(), true));
        assert_eq!(until_leave(b"ls\r", true), (b"ls\r".as_slice(), false));
        assert_eq!(until_leave(b"\x1d\x00\xff", false), (b"\x1d\x00\xff".as_slice(), false));
    }
}
