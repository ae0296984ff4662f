//! Upload and import of a file, against `qemu-img convert` of the same file.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::create::{qemu_img, text};
use super::daemon::Daemon;
use super::report::{Report, median};

const ROUNDS: usize = 5;
const MIB: usize = 1 << 20;
/// Half of it is noise, half is zeros, in turn by 4 MiB.
const SIZE: usize = 512 * MIB;

pub fn measure(report: &mut Report) -> Result<()> {
    let daemon = Daemon::start()?;
    // On the disk that the pool is on.
    let dir = tempfile::tempdir_in(daemon.data())?;
    let raw = dir.path().join("disk.raw");
    write(&raw)?;
    for format in ["raw", "qcow2", "vmdk"] {
        let file = dir.path().join(format!("source.{format}"));
        qemu_img(&["convert", "-f", "raw", "-O", format, text(&raw)?, text(&file)?])?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(import(&daemon, &file)?);
            theirs.push(convert(dir.path(), &file, format)?);
        }
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        let what = format!("upload and import of a {format} file, of qemu-img convert");
        let beside = format!("{ours:.0} ms against {theirs:.0} ms for 512 MiB");
        report.at_least(&what, theirs / ours, 0.7, "×", &beside);
        fs::remove_file(&file)?;
    }
    report.calibrate()
}

/// Milliseconds until the image is ready.
fn import(daemon: &Daemon, file: &Path) -> Result<f64> {
    let began = Instant::now();
    daemon.cli(&["image", "import", text(file)?, "--name", "bench"])?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    daemon.cli(&["image", "delete", "bench", "--yes"])?;
    Ok(took)
}

/// Milliseconds until a durable qcow2 disk is there, as an import promises it.
fn convert(dir: &Path, file: &Path, format: &str) -> Result<f64> {
    let to = dir.join("converted.qcow2");
    let began = Instant::now();
    qemu_img(&["convert", "-f", format, "-O", "qcow2", text(file)?, text(&to)?])?;
    File::open(&to)?.sync_all()?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    fs::remove_file(&to)?;
    Ok(took)
}

fn write(path: &Path) -> Result<()> {
    let mut out = BufWriter::with_capacity(MIB, File::create(path)?);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for chunk in 0..SIZE / MIB {
        let mut block = vec![0_u8; MIB];
        if chunk / 4 % 2 == 0 {
            for eight in block.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                eight.copy_from_slice(&state.to_le_bytes());
            }
        }
        out.write_all(&block)?;
    }
    out.into_inner()?.sync_all()?;
    Ok(())
}
