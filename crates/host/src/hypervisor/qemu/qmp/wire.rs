//! QMP's lines: one JSON object each. Anything else is noise, never an error.

use bytes::{Buf, BytesMut};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Event {
    pub name: String,
    /// An object, or null.
    pub data: Value,
}

#[derive(Debug, PartialEq)]
pub(super) enum Message {
    Greeting,
    Event(Event),
    Answer {
        id: u64,
        /// The value, or QEMU's description of its error.
        answer: Result<Value, String>,
    },
    Noise,
}

/// Takes the first whole line out of the buffer, without its end.
pub(in super::super) fn take_line(buffer: &mut BytesMut) -> Option<BytesMut> {
    let end = buffer.iter().position(|byte| *byte == b'\n')?;
    let line = buffer.split_to(end);
    buffer.advance(1);
    Some(line)
}

pub(super) fn read(line: &[u8]) -> Message {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(line) else {
        return Message::Noise;
    };
    if fields.contains_key("QMP") {
        return Message::Greeting;
    }
    if let Some(Value::String(name)) = fields.remove("event") {
        let data = fields.remove("data").unwrap_or(Value::Null);
        return Message::Event(Event { name, data });
    }
    let Some(id) = fields.get("id").and_then(Value::as_u64) else { return Message::Noise };
    if let Some(value) = fields.remove("return") {
        return Message::Answer { id, answer: Ok(value) };
    }
    match fields.remove("error") {
        Some(error) => {
            let text = error["desc"].as_str().unwrap_or("no reason given").to_owned();
            Message::Answer { id, answer: Err(text) }
        }
        None => Message::Noise,
    }
}
