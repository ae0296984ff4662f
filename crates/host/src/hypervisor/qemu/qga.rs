//! A client of the guest agent's protocol (QGA): JSON lines without ids over a port that may hold
//! half an answer of an earlier talk. Every call therefore begins with `guest-sync-delimited`,
//! whose answer is marked with a byte 0xFF and carries a number of ours.
//!
//! The guest is not trusted: lines are bounded, every wait has an end.

use std::time::Duration;

use bytes::BytesMut;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use uuid::Uuid;

use super::qmp::take_line;

/// An agent that runs answers a sync in milliseconds.
const SYNC_PATIENCE: Duration = Duration::from_secs(5);
const CALL_PATIENCE: Duration = Duration::from_secs(30);
/// The agent keeps 16 MiB of output of each kind, which base64 and JSON stretch.
const LINE_MAX: usize = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub(super) enum QgaError {
    #[error("the guest agent does not answer")]
    Silent,
    #[error("the guest agent does not know {0}")]
    Unknown(String),
    #[error("{0}")]
    Refused(String),
}

pub(super) struct Qga {
    stream: UnixStream,
    buffer: BytesMut,
    sync_patience: Duration,
}

impl Qga {
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, buffer: BytesMut::new(), sync_patience: SYNC_PATIENCE }
    }

    /// Agrees with the agent on where the next answer begins.
    pub async fn sync(&mut self) -> Result<(), QgaError> {
        let number = number();
        let patience = self.sync_patience;
        let command = json!({"execute": "guest-sync-delimited", "arguments": {"id": number}});
        // The mark makes the agent forget half a command.
        let line = [b"\xff", command.to_string().as_bytes(), b"\n"].concat();
        let exchange = async {
            self.stream.write_all(&line).await.map_err(|_| QgaError::Silent)?;
            loop {
                let line = self.line().await?;
                let Some(mark) = line.iter().rposition(|byte| *byte == 0xff) else { continue };
                let answer: Value = serde_json::from_slice(&line[mark + 1..]).unwrap_or_default();
                if answer["return"] == number {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(patience, exchange).await.unwrap_or(Err(QgaError::Silent))
    }

    /// Only after [`Self::sync`]. After `Silent` the connection is of no more use.
    pub async fn call(&mut self, command: &str, arguments: Value) -> Result<Value, QgaError> {
        self.send(command, arguments).await?;
        let answer = tokio::time::timeout(CALL_PATIENCE, self.line());
        let line = answer.await.unwrap_or(Err(QgaError::Silent))?;
        read_answer(command, &line)
    }

    /// For commands that answer only when they fail.
    pub async fn send(&mut self, command: &str, arguments: Value) -> Result<(), QgaError> {
        let mut message = json!({"execute": command});
        if !arguments.is_null() {
            message["arguments"] = arguments;
        }
        let line = format!("{message}\n");
        let written = tokio::time::timeout(CALL_PATIENCE, self.stream.write_all(line.as_bytes()));
        match written.await {
            Ok(Ok(())) => Ok(()),
            _ => Err(QgaError::Silent),
        }
    }

    async fn line(&mut self) -> Result<BytesMut, QgaError> {
        loop {
            if let Some(line) = take_line(&mut self.buffer) {
                return Ok(line);
            }
            if self.buffer.len() > LINE_MAX {
                return Err(QgaError::Silent);
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(1..) => {}
                _ => return Err(QgaError::Silent),
            }
        }
    }
}

/// Differs from any number of an earlier talk, and fits a double, as some agents read numbers.
fn number() -> u64 {
    Uuid::now_v7().as_u64_pair().1 & ((1 << 53) - 1)
}

fn read_answer(command: &str, line: &[u8]) -> Result<Value, QgaError> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(line) else {
        return Err(QgaError::Silent);
    };
    if let Some(value) = fields.remove("return") {
        return Ok(value);
    }
    let error = fields.remove("error").unwrap_or_default();
    if error["class"] == "CommandNotFound" {
        return Err(QgaError::Unknown(command.to_owned()));
    }
    Err(QgaError::Refused(error["desc"].as_str().unwrap_or("no reason given").to_owned()))
}

#[cfg(test)]
mod tests;
