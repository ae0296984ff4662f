//! The same guest by hand: an overlay, QEMU, a few words of QMP.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::create::{overlay, returned, text};

const PATIENCE: Duration = Duration::from_secs(30);

/// Milliseconds of overlay and QEMU until QMP says `running`. `words` is the daemon's command
/// line; its sockets, descriptors and disk are replaced by ones of our own.
pub fn by_hand(dir: &Path, base: &Path, words: &[String]) -> Result<f64> {
    let socket = dir.join("qmp");
    let _absent = fs::remove_file(&socket);
    let args = plain(words);
    let began = Instant::now();
    let disk = overlay(dir, base)?;
    let mut guest = Command::new(&words[0])
        .args(&args)
        .args(["-qmp", &format!("unix:{},server=on,wait=off", text(&socket)?)])
        .args(["-drive", &format!("file={},format=qcow2,if=virtio", text(&disk)?)])
        .args(["-nic", "user,model=virtio-net-pci", "-serial", "null", "-vnc", "none"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let running = until_running(&mut guest, &socket);
    let time = began.elapsed().as_secs_f64() * 1e3;
    guest.kill()?;
    guest.wait()?;
    running.map(|()| time)
}

/// What of the daemon's command line stands for itself: machine, CPU, memory.
fn plain(words: &[String]) -> Vec<String> {
    let kept = ["-machine", "-M", "-accel", "-cpu", "-smp", "-m", "-display", "-vga"];
    let pairs = words.windows(2).filter(|pair| kept.contains(&pair[0].as_str()));
    let mut args = vec!["-nodefaults".to_owned(), "-no-user-config".to_owned()];
    args.extend(pairs.flatten().cloned());
    args
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
