//! Serial consoles and screens: WebSockets with binary frames, and the tickets that open them.

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::{SinkExt, StreamExt};
use novacron_model::request::{GuestStream, Ticket, TicketRequest};
use novacron_model::{Code, Error};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::call::Call;
use super::guests::vm;
use super::payload::Payload;
use crate::auth::Caller;
use crate::auth::watchdog::{self, Ended};
use crate::edge;
use crate::gateway::Duplex;
use crate::problem::{Answer, Refusal};
use crate::resource::{Target, body};
use crate::state::Api;

const REPLAY: u64 = 64 << 10;
const REPLAY_MAX: u64 = 1 << 20;
/// Largest frame that a client may send.
const FRAME_MAX: usize = 1 << 20;

/// As of RFC 6455: the server goes, and the client may come again.
const GOING_AWAY: u16 = 1001;
/// The same as an answer 401, in the range that RFC 6455 leaves to applications; GraphQL's protocol
/// over WebSockets has this number, too.
const UNAUTHENTICATED: u16 = 4401;

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

pub async fn ticket(call: Call, payload: Payload) -> Answer<Response> {
    call.params(&[])?;
    let ticket = make_ticket(&call.api, &call.caller, call.target(), payload.required()?)?;
    Ok((StatusCode::CREATED, Json(ticket)).into_response())
}

/// Makes a ticket; `body` is a [`TicketRequest`].
pub fn make_ticket(api: &Api, caller: &Caller, target: Target<'_>, body: Value) -> Answer<Ticket> {
    let TicketRequest { stream } = body::strict(body)?;
    vm(api, target)?;
    let stream = match stream {
        GuestStream::Serial => "serial",
        GuestStream::Screen => "screen",
    };
    let project = target.project.unwrap_or_default();
    let path = format!("/v1/projects/{project}/vms/{}/{stream}", target.name);
    let (ticket, expires) = api.tickets.issue(caller, &path, edge::now())?;
    let url = format!("{path}?ticket={ticket}");
    Ok(Ticket { ticket, url, expires })
}

pub async fn serial(call: Call, upgrade: Upgrade) -> Answer<Response> {
    let params = call.params(&["replay", "ticket"])?;
    let replay = params.number("replay", 0..=REPLAY_MAX)?.unwrap_or(REPLAY);
    let vm = vm(&call.api, call.target())?;
    let upgrade = websocket(upgrade)?;
    let line = call.api.gateway.serial(&vm, replay).await?;
    Ok(open(upgrade, call, line))
}

pub async fn screen(call: Call, upgrade: Upgrade) -> Answer<Response> {
    call.params(&["ticket"])?;
    let vm = vm(&call.api, call.target())?;
    let upgrade = websocket(upgrade)?;
    let line = call.api.gateway.screen(&vm).await?;
    Ok(open(upgrade, call, line))
}

fn websocket(upgrade: Upgrade) -> Answer<WebSocketUpgrade> {
    upgrade.map_err(|_| {
        let error = Error::new(Code::Invalid, "only WebSockets are served here");
        Refusal::new(StatusCode::UPGRADE_REQUIRED, error)
    })
}

fn open(upgrade: WebSocketUpgrade, call: Call, line: Box<dyn Duplex>) -> Response {
    upgrade
        .protocols(["binary"])
        .max_message_size(FRAME_MAX)
        .on_upgrade(move |socket| bridge(socket, call.api, call.caller, line))
}

/// Carries bytes both ways until either side or the caller's credential ends.
async fn bridge(socket: WebSocket, api: Arc<Api>, caller: Caller, line: Box<dyn Duplex>) {
    let (mut to_client, mut from_client) = socket.split();
    let (mut from_guest, mut to_guest) = tokio::io::split(line);
    let outward = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = from_guest.read(&mut buffer).await {
            let bytes = bytes::Bytes::copy_from_slice(&buffer[..count]);
            if to_client.send(Message::Binary(bytes)).await.is_err() {
                return;
            }
        }
    };
    let inward = async {
        while let Some(Ok(message)) = from_client.next().await {
            let bytes = match message {
                Message::Binary(bytes) => bytes,
                Message::Text(text) => text.into(),
                Message::Close(_) => return,
                Message::Ping(_) | Message::Pong(_) => continue,
            };
            if to_guest.write_all(&bytes).await.is_err() || to_guest.flush().await.is_err() {
                return;
            }
        }
    };
    let frame = tokio::select! {
        () = outward => None,
        () = inward => None,
        ended = watchdog::ended(api, caller) => Some(farewell(ended)),
    };
    // Both halves are dropped first if the client has gone; a failed close changes nothing.
    let _ = to_client.send(Message::Close(frame)).await;
}

fn farewell(ended: Ended) -> CloseFrame {
    let (code, reason) = match ended {
        Ended::Closing => (GOING_AWAY, "the server is ending"),
        Ended::Expired => (UNAUTHENTICATED, "the token has expired"),
        Ended::Revoked => (UNAUTHENTICATED, "the token was revoked"),
    };
    CloseFrame { code, reason: reason.into() }
}
