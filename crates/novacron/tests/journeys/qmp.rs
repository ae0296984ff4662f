//! Asks a guest's QEMU itself. It talks with one client at a time: the daemon must have ended.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::daemon::{Daemon, PATIENCE};

pub struct Qmp(BufReader<UnixStream>);

impl Qmp {
    /// `vm`: as the daemon showed it.
    pub fn of(daemon: &Daemon, vm: &Value) -> Self {
        let run = daemon.data().join("run").join(vm["meta"]["uid"].as_str().unwrap());
        let stream = UnixStream::connect(run.join("qmp.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut qmp = Self(BufReader::new(stream));
        qmp.call("qmp_capabilities", &json!({}));
        qmp
    }

    pub fn call(&mut self, command: &str, arguments: &Value) -> Value {
        let line = json!({"execute": command, "arguments": arguments, "id": command});
        writeln!(self.0.get_mut(), "{line}").unwrap();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "QEMU hung up at {command}");
            let mut answer: Value = serde_json::from_str(&line).unwrap();
            // What comes before it is a greeting, or an event.
            if answer["id"] == command {
                assert!(answer["error"].is_null(), "{command} {arguments}: {answer}");
                return answer["return"].take();
            }
        }
    }

    pub fn property(&mut self, path: &str, property: &str) -> Value {
        self.call("qom-get", &json!({"path": path, "property": property}))
    }

    /// What the monitor for people says.
    pub fn monitor(&mut self, line: &str) -> String {
        let said = self.call("human-monitor-command", &json!({"command-line": line}));
        said.as_str().unwrap().to_owned()
    }
}
