//! The client against agents that are half asleep, noisy or hostile.

use tokio::io::{AsyncBufReadExt, BufReader};

use super::*;

/// An agent that answers syncs rightly and other commands by `script`.
fn agent(script: impl Fn(&Value) -> Vec<u8> + Send + 'static) -> Qga {
    let (ours, theirs) = UnixStream::pair().unwrap();
    tokio::spawn(async move {
        let (read, mut write) = theirs.into_split();
        let mut read = BufReader::new(read);
        let mut line = Vec::new();
        while let Ok(1..) = read.read_until(b'\n', &mut line).await {
            let start = line.iter().rposition(|byte| *byte == 0xff).map_or(0, |at| at + 1);
            let command: Value = serde_json::from_slice(&line[start..]).unwrap();
            let answer = if command["execute"] == "guest-sync-delimited" {
                format!("{{\"return\": {}}}\n", command["arguments"]["id"]).into_bytes()
            } else {
                script(&command)
            };
            let mark: &[u8] = if start > 0 { b"\xff" } else { b"" };
            write.write_all(&[mark, &answer].concat()).await.unwrap();
            line.clear();
        }
    });
    Qga::new(ours)
}

#[tokio::test]
async fn an_answer_is_read_after_a_sync() {
    let mut qga = agent(|_| b"{\"return\": {\"version\": \"9\", \"new\": 1}}\n".to_vec());
    qga.sync().await.unwrap();
    assert_eq!(qga.call("guest-info", Value::Null).await.unwrap()["version"], "9");
    qga.sync().await.unwrap();
}

#[tokio::test]
async fn leftovers_of_an_earlier_talk_are_skipped() {
    // Half an answer, a whole one, and the answer to another sync lie in the port.
    let mut qga = agent(|_| b"{\"return\": \"mine\"}\n".to_vec());
    qga.buffer.extend_from_slice(b": 1}\n{\"return\": \"old\"}\n\xff{\"return\": 1}\n{\"ret");
    qga.sync().await.unwrap();
    assert_eq!(qga.call("guest-ping", Value::Null).await.unwrap(), "mine");
}

#[tokio::test]
async fn refusals_keep_their_words() {
    let mut qga = agent(|command| {
        let class = if command["execute"] == "guest-new" { "CommandNotFound" } else { "X" };
        let answer = json!({"error": {"class": class, "desc": "it is so"}});
        format!("{answer}\n").into_bytes()
    });
    qga.sync().await.unwrap();
    let unknown = qga.call("guest-new", Value::Null).await.unwrap_err();
    assert_eq!(unknown.to_string(), "the guest agent does not know guest-new");
    let refused = qga.call("guest-exec", Value::Null).await.unwrap_err();
    assert_eq!(refused.to_string(), "it is so");
}

#[tokio::test]
async fn a_port_without_an_agent_is_silent() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let mut qga = Qga::new(ours);
    qga.sync_patience = Duration::from_millis(50);
    assert!(matches!(qga.sync().await, Err(QgaError::Silent)));
}

#[tokio::test]
async fn nonsense_is_no_answer() {
    let mut qga = agent(|_| b"\x00\xfenonsense\n".to_vec());
    qga.sync().await.unwrap();
    assert!(matches!(qga.call("guest-info", Value::Null).await, Err(QgaError::Silent)));
}
