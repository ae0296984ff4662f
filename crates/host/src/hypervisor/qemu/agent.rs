//! Power `guest_agent`: what the guest tells of itself, programs and files in it.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use novacron_model::request::is_guest_path;
use novacron_model::vm::GuestAgent;
use novacron_model::{Code, Error, Result};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::super::{Agent, Exec, ExecOutput, Handle, agent_silent, no_such_file};
use super::QemuHypervisor;
use super::guest::Guest;
use super::qga::{Qga, QgaError};
use super::run_dir::AGENT;

/// Bytes of a file per message; the agent reads JSON byte by byte and slowly.
const CHUNK: usize = 192 << 10;
const POLL_FIRST: Duration = Duration::from_millis(5);
const POLL_MAX: Duration = Duration::from_millis(200);

#[async_trait]
impl Agent for QemuHypervisor {
    async fn info(&self, handle: &Handle) -> Result<GuestAgent> {
        let guest = self.guest(handle)?;
        let info = guest.agent_info().await?;
        guest.note_agent(&info);
        Ok(info)
    }

    async fn exec(&self, handle: &Handle, exec: &Exec) -> Result<ExecOutput> {
        let guest = self.guest(handle)?;
        let pid = guest.start_program(exec).await?;
        match tokio::time::timeout(exec.timeout, guest.await_program(pid)).await {
            Ok(output) => output,
            Err(_) => Err(Error::new(
                Code::Timeout,
                format!(
                    "program \"{}\" did not end within {} s; it goes on as process {pid} of the \
                     guest",
                    exec.argv.first().map_or("", String::as_str),
                    exec.timeout.as_secs(),
                ),
            )
            .hint("give a longer timeout")),
        }
    }

    async fn push(
        &self,
        handle: &Handle,
        path: &Path,
        from: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<u64> {
        let guest = self.guest(handle)?;
        let file = guest.open_file(path, "w").await?;
        let pushed = guest.write_file(file, from).await;
        let closed = guest.agent("guest-file-close", json!({"handle": file})).await;
        let pushed = pushed?;
        closed.map_err(|error| agent_failed(&error))?;
        Ok(pushed)
    }

    async fn pull(
        &self,
        handle: &Handle,
        path: &Path,
        to: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<u64> {
        let guest = self.guest(handle)?;
        let file = guest.open_file(path, "r").await?;
        let pulled = guest.read_file(file, to).await;
        // The agent closes it at the latest when it ends.
        let _ = guest.agent("guest-file-close", json!({"handle": file})).await;
        pulled
    }
}

impl Guest {
    pub async fn agent_info(&self) -> Result<GuestAgent> {
        let info = self.agent("guest-info", Value::Null).await;
        let info = info.map_err(|error| agent_failed(&error))?;
        // Agents may be told to answer less; what they do not tell stays empty.
        let host = self.agent("guest-get-host-name", Value::Null).await.unwrap_or_default();
        let os = self.agent("guest-get-osinfo", Value::Null).await.unwrap_or_default();
        let nets = self.agent("guest-network-get-interfaces", Value::Null).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(GuestAgent {
            version: text(&info["version"]),
            hostname: text(&host["host-name"]),
            os: text(&os["pretty-name"]),
            addresses: addresses(&nets.unwrap_or_default()),
        })
    }

    pub async fn agent_shutdown(&self) -> Result<()> {
        let mut slot = self.qga.lock().await;
        let qga = self.synced(&mut slot).await.map_err(|error| agent_failed(&error))?;
        let sent = qga.send("guest-shutdown", json!({"mode": "powerdown"})).await;
        sent.map_err(|error| agent_failed(&error))
    }

    async fn start_program(&self, exec: &Exec) -> Result<u64> {
        let Some((program, words)) = exec.argv.split_first() else {
            return Err(Error::invalid("argv", "there is no program to run"));
        };
        let mut arguments = json!({"path": program, "arg": words, "capture-output": true});
        if !exec.env.is_empty() {
            arguments["env"] = json!(exec.env);
        }
        if !exec.stdin.is_empty() {
            arguments["input-data"] = json!(BASE64.encode(&exec.stdin));
        }
        match self.agent("guest-exec", arguments).await {
            Ok(started) => started["pid"].as_u64().ok_or_else(agent_silent),
            Err(QgaError::Refused(text)) => {
                Err(Error::invalid("argv", format!("the guest cannot run \"{program}\": {text}")))
            }
            Err(error) => Err(agent_failed(&error)),
        }
    }

    async fn await_program(&self, pid: u64) -> Result<ExecOutput> {
        let mut pause = POLL_FIRST;
        loop {
            let status = self.agent("guest-exec-status", json!({"pid": pid})).await;
            let status = status.map_err(|error| agent_failed(&error))?;
            if status["exited"] == true {
                return Ok(output(&status));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(POLL_MAX);
        }
    }

    async fn open_file(&self, path: &Path, mode: &str) -> Result<u64> {
        let Some(text) = path.to_str().filter(|text| is_guest_path(text)) else {
            return Err(Error::invalid("path", format!("\"{}\" is not absolute", path.display())));
        };
        match self.agent("guest-file-open", json!({"path": text, "mode": mode})).await {
            Ok(file) => file.as_u64().ok_or_else(agent_silent),
            Err(QgaError::Refused(text)) if mode == "r" && tells_absent(&text) => {
                Err(no_such_file(path))
            }
            Err(QgaError::Refused(text)) => Err(Error::invalid(
                "path",
                format!("the guest cannot open \"{}\": {text}", path.display()),
            )),
            Err(error) => Err(agent_failed(&error)),
        }
    }

    async fn write_file(
        &self,
        file: u64,
        from: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<u64> {
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut total = 0;
        loop {
            chunk.clear();
            let read = (&mut *from).take(CHUNK as u64).read_to_end(&mut chunk).await;
            let read =
                read.map_err(|error| Error::unavailable(format!("the upload broke: {error}")))?;
            if read == 0 {
                return Ok(total);
            }
            let mut todo = &chunk[..];
            while !todo.is_empty() {
                let arguments = json!({"handle": file, "buf-b64": BASE64.encode(todo)});
                let done = self.agent("guest-file-write", arguments).await;
                let done = done.map_err(|error| agent_failed(&error))?;
                let count = done["count"].as_u64().and_then(|count| usize::try_from(count).ok());
                let count = count.filter(|count| (1..=todo.len()).contains(count));
                todo = &todo[count.ok_or_else(agent_silent)?..];
            }
            total += read as u64;
        }
    }

    async fn read_file(&self, file: u64, to: &mut (dyn AsyncWrite + Send + Unpin)) -> Result<u64> {
        let broken =
            |error: std::io::Error| Error::unavailable(format!("the download broke: {error}"));
        let mut total = 0;
        loop {
            let arguments = json!({"handle": file, "count": CHUNK});
            let read = self.agent("guest-file-read", arguments).await;
            let read = read.map_err(|error| agent_failed(&error))?;
            let bytes = decoded(&read["buf-b64"]);
            to.write_all(&bytes).await.map_err(broken)?;
            total += bytes.len() as u64;
            if read["eof"] == true || bytes.is_empty() {
                to.flush().await.map_err(broken)?;
                return Ok(total);
            }
        }
    }

    /// One command to the agent. Commands of several callers take turns.
    async fn agent(&self, command: &str, arguments: Value) -> Result<Value, QgaError> {
        let mut slot = self.qga.lock().await;
        let result = self.synced(&mut slot).await?.call(command, arguments).await;
        if matches!(result, Err(QgaError::Silent)) {
            *slot = None;
        }
        result
    }

    /// The connection, agreed with the agent; made anew if it does not answer any more.
    pub(super) async fn synced<'a>(
        &self,
        slot: &'a mut Option<Qga>,
    ) -> Result<&'a mut Qga, QgaError> {
        if !self.agent_present() {
            *slot = None;
            return Err(QgaError::Silent);
        }
        let reused = match slot.as_mut() {
            Some(qga) => qga.sync().await.is_ok(),
            None => false,
        };
        if !reused {
            *slot = None;
            let stream = self.run.connect(AGENT).await.map_err(|_| QgaError::Silent)?;
            let mut qga = Qga::new(stream);
            qga.sync().await?;
            *slot = Some(qga);
        }
        slot.as_mut().ok_or(QgaError::Silent)
    }
}

fn agent_failed(error: &QgaError) -> Error {
    match error {
        QgaError::Silent => agent_silent(),
        QgaError::Unknown(_) => Error::unsupported(format!("{error}"))
            .hint("allow it in the configuration of qemu-guest-agent in the guest"),
        QgaError::Refused(text) => Error::unavailable(format!("the guest agent failed: {text}")),
    }
}

/// From the answer of `guest-exec-status`.
fn output(status: &Value) -> ExecOutput {
    let number = |value: &Value| value.as_i64().and_then(|code| i32::try_from(code).ok());
    let killed = number(&status["signal"]).map(|signal| 128 + signal);
    ExecOutput {
        exit_code: killed.or_else(|| number(&status["exitcode"])).unwrap_or(-1),
        stdout: decoded(&status["out-data"]),
        stderr: decoded(&status["err-data"]),
        truncated: status["out-truncated"] == true || status["err-truncated"] == true,
    }
}

fn decoded(base64: &Value) -> Vec<u8> {
    BASE64.decode(base64.as_str().unwrap_or_default()).unwrap_or_default()
}

/// From the answer of `guest-network-get-interfaces`, without loopback and link-local addresses.
fn addresses(interfaces: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    list(interfaces)
        .iter()
        .flat_map(|interface| list(&interface["ip-addresses"]))
        .filter_map(|address| address["ip-address"].as_str()?.parse().ok())
        .filter(|address: &std::net::IpAddr| match address {
            std::net::IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
            std::net::IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
        })
        .map(|address| address.to_string())
        .collect()
}

/// In the words of Linux and of Windows.
fn tells_absent(refusal: &str) -> bool {
    ["No such file", "cannot find the file", "cannot find the path"]
        .iter()
        .any(|words| refusal.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_program_has_128_and_its_signal() {
        let status =
            json!({"exited": true, "signal": 9, "out-data": "aGk=", "out-truncated": true});
        let output = output(&status);
        assert_eq!((output.exit_code, output.truncated), (137, true));
        assert_eq!(output.stdout, b"hi");
    }

    #[test]
    fn only_addresses_that_lead_somewhere_are_told() {
        let told = json!([
            {"name": "lo", "ip-addresses": [{"ip-address": "127.0.0.1"}, {"ip-address": "::1"}]},
            {"name": "eth0", "ip-addresses": [
                {"ip-address": "10.0.2.15"}, {"ip-address": "fe80::1"}, {"ip-address": "fec0::2"},
                {"ip-address": "nonsense"}, {}
            ]},
            {"name": "down"}
        ]);
        assert_eq!(addresses(&told), ["10.0.2.15", "fec0::2"]);
        assert!(addresses(&json!(7)).is_empty());
    }
}
