//! The same guest by hand: an overlay, QEMU, a few words of QMP.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::create::{overlay, returned, text};

const PATIENCE: Duration = Duration::from_secs(30);

/// The files and sockets of a guest by hand, which take the place of the daemon's.
struct Own<'a> {
    dir: &'a Path,
    disk: &'a Path,
}

/// Milliseconds of overlay and QEMU until QMP says `running`. `words` is the daemon's own command
/// line, which must still have its files.
pub fn by_hand(dir: &Path, base: &Path, words: &[String]) -> Result<f64> {
    let disk = dir.join("overlay.qcow2");
    let own = Own { dir, disk: &disk };
    let args = own.command(words)?;
    let began = Instant::now();
    overlay(&disk, base)?;
    let mut guest = Command::new(&words[0])
        .args(&args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let running = until_running(&mut guest, &own.socket("qmp"));
    let time = began.elapsed().as_secs_f64() * 1e3;
    guest.kill()?;
    guest.wait()?;
    running.map(|()| time)
}

impl Own<'_> {
    fn socket(&self, channel: &str) -> PathBuf {
        self.dir.join(format!("{channel}.sock"))
    }

    /// The daemon's words with its volume, pid file, serial log and inherited sockets replaced.
    fn command(&self, words: &[String]) -> Result<Vec<String>> {
        let pid_file =
            words.windows(2).find(|pair| pair[0] == "-pidfile").context("no -pidfile")?;
        let run = Path::new(&pid_file[1]).parent().context("a pid file without a folder")?;
        let own = |word: &String| -> Result<String> {
            let word = word.replace(text(run)?, text(self.dir)?);
            if let Some(rest) = word.strip_prefix("socket,id=") {
                let (channel, rest) =
                    rest.split_once(",fd=").context("a socket of another kind")?;
                let (_fd, rest) = rest.split_once(',').context("a socket without options")?;
                let path = self.socket(channel.trim_end_matches('0'));
                let _absent = fs::remove_file(&path);
                return Ok(format!("socket,id={channel},path={},{rest}", text(&path)?));
            }
            if word.contains("\"node-name\":\"disk0\"") {
                return with_file(&word, self.disk);
            }
            Ok(word)
        };
        words[1..].iter().map(own).collect()
    }
}

/// The block device with another file below it.
fn with_file(blockdev: &str, file: &Path) -> Result<String> {
    let mut device: serde_json::Value = serde_json::from_str(blockdev)?;
    device["file"]["filename"] = text(file)?.into();
    Ok(device.to_string())
}

fn until_running(guest: &mut Child, socket: &Path) -> Result<()> {
    let began = Instant::now();
    let stream = loop {
        if let Ok(stream) = UnixStream::connect(socket) {
            break stream;
        }
        if guest.try_wait()?.is_some() || began.elapsed() > PATIENCE {
            bail!("QEMU by hand does not start");
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut ask = |command: &str| -> Result<serde_json::Value> {
        (&stream).write_all(format!("{{\"execute\":\"{command}\"}}\n").as_bytes())?;
        loop {
            let line = lines.next().context("QMP ended")??;
            if let Some(value) = returned(&line) {
                return Ok(value);
            }
        }
    };
    ask("qmp_capabilities")?;
    while ask("query-status")?["status"] != "running" {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
