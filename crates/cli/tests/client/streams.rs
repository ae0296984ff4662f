//! Bytes that flow: logs, events, serial consoles through pipes, screens.

use std::process::Stdio;

use bytes::Bytes;
use futures::{FutureExt, SinkExt, StreamExt};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::program::{at, feed, run};
use crate::server::{Reply, Server, Socket, ok, problem, send};

#[tokio::test]
async fn logs_come_as_they_are() {
    let server = Server::start(|_| {
        let (sender, receiver) = mpsc::unbounded_channel();
        sender.send(Bytes::from_static(b"boot\xff\r\n")).unwrap();
        sender.send(Bytes::from_static(b"up\r\n")).unwrap();
        Reply::Stream(receiver)
    });
    let did = run(&server, "logs web --follow --source qemu --tail 1KiB").await;
    assert_eq!((did.code, did.raw.stdout.as_slice()), (0, b"boot\xff\r\nup\r\n".as_slice()));
    let path = "GET /v1/projects/default/vms/web/logs?source=qemu&tail=1024&follow=true";
    assert_eq!(server.shared.lines(), [path]);
}

#[tokio::test]
async fn a_nodes_log_is_the_clusters_not_a_projects() {
    let server = Server::start(|_| {
        let (sender, receiver) = mpsc::unbounded_channel();
        sender.send(Bytes::from_static(b"INFO ready\n")).unwrap();
        Reply::Stream(receiver)
    });
    let did = run(&server, "--project team node logs n1 --follow").await;
    assert_eq!((did.code, did.raw.stdout.as_slice()), (0, b"INFO ready\n".as_slice()));
    assert_eq!(server.shared.lines(), ["GET /v1/nodes/n1/logs?tail=65536&follow=true"]);
}

fn event(sequence: u64, level: &str, name: &str) -> Value {
    json!({"sequence": sequence, "time": "2026-01-31T12:00:00.5Z", "level": level, "kind": "k",
        "object": {"kind": "vm", "name": name, "uid": "u"}, "text": format!("event {sequence}"),
        "actor": "root"})
}

#[tokio::test]
async fn events_are_told_in_order_and_once() {
    let server = Server::start(|seen| {
        if !seen.path.contains("watch=true") {
            // Newest first.
            let items = json!([event(2, "error", "web"), event(1, "error", "web")]);
            return ok(json!({"items": items, "revision": 33}));
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        send(&sender, "synced", &json!({"revision": 33}));
        for event in [event(2, "error", "web"), event(5, "error", "web")] {
            send(&sender, "event", &event);
        }
        Reply::Stream(receiver)
    });
    let did = run(&server, "events --follow --object vm/web --level warning").await;
    assert_eq!(did.code, 6, "the stream ended: {did:?}");
    let expected = [1, 2, 5].map(|n| format!("2026-01-31T12:00:00Z  error  event {n} (by root)\n"));
    assert_eq!(did.out, expected.concat());
    server
        .shared
        .only("GET /v1/projects/default/events?watch=true&from=33&object=vm%2Fweb&level=warning");
    let did = run(&server, "events --all -o json").await;
    let shown: Value = serde_json::from_str(&did.out).unwrap();
    assert_eq!(shown, json!([event(1, "error", "web"), event(2, "error", "web")]));
}

/// Says hello, gives every line back, and hangs up after `bye`.
async fn parrot(mut socket: Socket) {
    socket.send(Message::binary(b"hello\xff ".to_vec())).await.unwrap();
    while let Some(Ok(Message::Binary(bytes))) = socket.next().await {
        socket.send(Message::binary(bytes.clone())).await.unwrap();
        if bytes.windows(3).any(|bytes| bytes == b"bye") {
            socket.close(None).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_console_that_its_token_no_longer_opens_is_a_failure() {
    let server = Server::start(|_| {
        Reply::WebSocket(Box::new(|mut socket| {
            async move {
                let reason = "the token was revoked".into();
                let frame = CloseFrame { code: 4401.into(), reason };
                socket.close(Some(frame)).await.unwrap();
            }
            .boxed()
        }))
    });
    let did = run(&server, "console web").await;
    assert_eq!(did.code, 5, "{did:?}");
    assert!(did.err.contains("the console was closed: the token was revoked"), "{}", did.err);
}

#[tokio::test]
async fn a_console_works_through_pipes_byte_for_byte() {
    let server = Server::start(|_| Reply::WebSocket(Box::new(|socket| parrot(socket).boxed())));
    let mut command = at(&server);
    command.args(["console", "web", "--replay", "1KiB"]);
    let did = feed(command, b"\x1d\x00\xfe bye").await;
    assert_eq!(did.code, 0, "{did:?}");
    assert_eq!(did.raw.stdout, b"hello\xff \x1d\x00\xfe bye");
    assert!(!did.err.contains("Ctrl-]"), "without a terminal no key leaves: {}", did.err);
    assert_eq!(server.shared.lines(), ["GET /v1/projects/default/vms/web/serial?replay=1024"]);
}

#[tokio::test]
async fn a_console_that_is_refused_says_why() {
    let server = Server::start(|_| problem(409, "conflict", "VM \"web\" is stopped"));
    let did = run(&server, "console web").await;
    assert_eq!(did.code, 4, "{did:?}");
    assert!(did.err.contains("VM \"web\" is stopped"), "{}", did.err);
}

#[tokio::test]
async fn a_console_that_breaks_is_not_taken_for_its_end() {
    let server = Server::start(|_| {
        Reply::WebSocket(Box::new(|mut socket| {
            async move { socket.send(Message::binary(b"x".to_vec())).await.unwrap() }.boxed()
        }))
    });
    let did = run(&server, "console web").await;
    assert_eq!((did.code, did.out.as_str()), (6, "x"), "{did:?}");
}

pub fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[tokio::test]
async fn a_screen_is_offered_to_a_viewer() {
    let server = Server::start(|_| Reply::WebSocket(Box::new(|socket| parrot(socket).boxed())));
    let mut command = at(&server);
    command.args(["screen", "web"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = out.next_line().await.unwrap().unwrap();
    for _ in 0..2 {
        let mut viewer = TcpStream::connect(&address).await.unwrap();
        viewer.write_all(b"bye").await.unwrap();
        let mut got = Vec::new();
        viewer.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"hello\xff bye");
    }
    signal(&child, Signal::INT);
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let did = run(&server, "screen web --listen 0.0.0.0:0").await;
    assert_eq!(did.code, 2, "{did:?}");
}

#[tokio::test]
async fn a_screen_socket_is_its_owners_and_goes_with_the_command() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start(|_| Reply::WebSocket(Box::new(|socket| parrot(socket).boxed())));
    let path = server.home().join("screen.sock");
    let mut command = at(&server);
    command.args(["screen", "web", "--socket"]).arg(&path).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(out.next_line().await.unwrap().unwrap(), path.display().to_string());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    signal(&child, Signal::INT);
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    assert!(!path.exists());
}
