//! What the disk can do in this very minute.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use anyhow::Result;

const BLOCK: usize = 4096;
const ROUNDS: u32 = 400;

/// fdatasync calls per second after overwriting one block of a file.
pub fn fdatasync_rate() -> Result<f64> {
    let dir = tempfile::tempdir()?;
    let file = File::create(dir.path().join("calibration"))?;
    file.write_all_at(&vec![0; BLOCK * 16], 0)?;
    file.sync_all()?;
    let began = Instant::now();
    for round in 0..ROUNDS {
        let byte = u8::try_from(round % 251)?;
        file.write_all_at(&[byte; BLOCK], u64::from(round % 16) * BLOCK as u64)?;
        file.sync_data()?;
    }
    Ok(f64::from(ROUNDS) / began.elapsed().as_secs_f64())
}
