//! Server-sent events (WHATWG HTML, section 9.2).

use std::collections::VecDeque;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use super::broken;
use crate::failure::{Failure, Result};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// `message` unless the server said otherwise.
    pub name: String,
    pub data: String,
    pub id: Option<String>,
}

impl Event {
    /// The data as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.data).map_err(|error| {
            Failure::failed(format!("an event of the server is not JSON: {error}"))
        })
    }
}

/// Events as they arrive.
pub struct EventStream {
    body: Incoming,
    parser: Parser,
    ready: VecDeque<Event>,
}

impl EventStream {
    pub fn new(body: Incoming) -> Self {
        Self { body, parser: Parser::default(), ready: VecDeque::new() }
    }

    /// The next event; none when the server ended the stream.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| broken(&error))?;
            if let Some(bytes) = frame.data_ref() {
                self.parser.feed(bytes, &mut self.ready);
            }
        }
    }
}

#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    after_return: bool,
    event: Event,
    has_data: bool,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8], ready: &mut VecDeque<Event>) {
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => self.line_ended(ready),
                _ => self.line.push(*byte),
            }
        }
    }

    fn line_ended(&mut self, ready: &mut VecDeque<Event>) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            let mut event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                if event.name.is_empty() {
                    event.name.push_str("message");
                }
                ready.push_back(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "id" => self.event.id = Some(value.to_owned()),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments keep the connection awake; `retry` is the browser's.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(chunks: &[&str]) -> Vec<Event> {
        let (mut parser, mut ready) = (Parser::default(), VecDeque::new());
        for chunk in chunks {
            parser.feed(chunk.as_bytes(), &mut ready);
        }
        ready.into()
    }

    fn event(name: &str, data: &str, id: Option<&str>) -> Event {
        Event { name: name.into(), data: data.into(), id: id.map(str::to_owned) }
    }

    #[test]
    fn events_may_be_torn_anywhere() {
        let whole =
            "event: object\r\ndata: {\"a\":1}\r\nid: 7\r\n\r\n: ping\n\ndata: x\ndata: y\n\n";
        let expected =
            vec![event("object", "{\"a\":1}", Some("7")), event("message", "x\ny", None)];
        assert_eq!(parse(&[whole]), expected);
        for cut in 1..whole.len() {
            assert_eq!(parse(&[&whole[..cut], &whole[cut..]]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn an_event_without_data_or_end_is_none() {
        assert_eq!(parse(&["event: object\n\n"]), vec![]);
        assert_eq!(parse(&["event: object\ndata: 1\n"]), vec![]);
    }
}
