//! The client against a peer that says anything at any time.

use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::*;

const GREETING: &[u8] = b"{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\n";

/// A peer that greets, then answers each command with what `script` makes of its id.
async fn peer(stream: UnixStream, script: impl Fn(&str, u64) -> Vec<u8>) {
    let (read, mut write) = stream.into_split();
    write.write_all(GREETING).await.unwrap();
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let command: Value = serde_json::from_str(&line).unwrap();
        let name = command["execute"].as_str().unwrap();
        let id = command["id"].as_u64().unwrap();
        let answer = if name == "qmp_capabilities" { ok(id) } else { script(name, id) };
        if write.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn ok(id: u64) -> Vec<u8> {
    format!("{{\"return\": {{}}, \"id\": {id}}}\r\n").into_bytes()
}

async fn connect(
    script: impl Fn(&str, u64) -> Vec<u8> + Send + Sync + 'static,
) -> (Qmp, broadcast::Receiver<Event>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    tokio::spawn(peer(theirs, script));
    Qmp::connect(ours).await.unwrap()
}

#[tokio::test]
async fn noise_and_unknown_things_do_not_break_a_call() {
    let (qmp, mut events) = connect(|_, id| {
        let mut said = b"\n{}\nnull\n\xff\xfe\n{\"return\": 1}\n{\"id\": 99999, \"return\": 2}\n\
            {\"id\": \"x\", \"error\": 3}\n{\"event\": \"NEWER\", \"data\": {\"a\": [1]}, \"x\": 1}\n"
            .to_vec();
        said.extend(format!("{{\"return\": {{\"new\": 7}}, \"id\": {id}, \"y\": 0}}\n").bytes());
        said
    })
    .await;
    assert_eq!(qmp.call("query-status", Value::Null).await.unwrap()["new"], 7);
    let event = events.recv().await.unwrap();
    assert_eq!((event.name.as_str(), &event.data["a"]), ("NEWER", &json!([1])));
}

#[tokio::test]
async fn answers_find_their_calls_whatever_the_order() {
    let (qmp, _events) = connect(|name, id| match name {
        // Answered only together with the second call.
        "first" => Vec::new(),
        _ => format!(
            "{{\"return\": \"second\", \"id\": {id}}}\n{{\"return\": \"first\", \"id\": {}}}\n",
            id - 1
        )
        .into_bytes(),
    })
    .await;
    let (first, second) =
        tokio::join!(qmp.call("first", Value::Null), qmp.call("second", Value::Null));
    assert_eq!((first.unwrap(), second.unwrap()), (json!("first"), json!("second")));
}

#[tokio::test]
async fn a_refusal_keeps_the_words_of_qemu() {
    let (qmp, _events) = connect(|_, id| {
        format!("{{\"error\": {{\"class\": \"New\", \"desc\": \"no disk\"}}, \"id\": {id}}}\n")
            .into_bytes()
    })
    .await;
    let error = qmp.call("eject", Value::Null).await.unwrap_err();
    assert_eq!(error.to_string(), "QEMU refused eject: no disk");
}

#[tokio::test]
async fn a_call_ends_when_the_connection_does() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let task = tokio::spawn(peer(theirs, |_, _| Vec::new()));
    let (qmp, _events) = Qmp::connect(ours).await.unwrap();
    let call = qmp.call("query-status", Value::Null);
    let (result, ()) = tokio::join!(call, async { task.abort() });
    assert!(matches!(result, Err(QmpError::Closed)), "{result:?}");
}

#[tokio::test]
async fn a_silent_peer_is_given_up() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    tokio::spawn(peer(theirs, |_, _| Vec::new()));
    let (mut qmp, _events) = Qmp::connect(ours).await.unwrap();
    qmp.patience = Duration::from_millis(50);
    let result = qmp.call("query-status", Value::Null).await;
    assert!(matches!(result, Err(QmpError::Timeout { .. })), "{result:?}");
    assert!(lock(&qmp.pending).is_empty());
}

#[tokio::test]
async fn an_endless_line_ends_the_connection() {
    let (qmp, _events) = connect(|_, _| vec![b'x'; LINE_MAX + 2]).await;
    let result = qmp.call("query-status", Value::Null).await;
    assert!(matches!(result, Err(QmpError::Closed)), "{result:?}");
}

proptest! {
    #[test]
    fn no_line_is_more_than_noise(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = wire::read(&line);
    }

    #[test]
    fn no_json_is_more_than_noise(
        key in "QMP|event|id|return|error|data",
        value in "null|1|-1|1e99|\"\"|\\[\\]|\\{\\}|\\{\"desc\": 1\\}|18446744073709551616",
    ) {
        let _ = wire::read(format!("{{\"{key}\": {value}, \"id\": 3}}").as_bytes());
        let _ = wire::read(format!("{{\"{key}\": {value}}}").as_bytes());
    }
}
