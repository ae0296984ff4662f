//! SHA-256 of files, on threads of their own: hashing half a gibibyte takes a quarter of a second,
//! which nobody waits for who need not.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use novacron_model::units::Bytes;
use novacron_model::{Error, Result};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot::{Receiver, channel};

use crate::storage::fault;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// Bytes after which it is looked whether the sum is still wanted.
const STEP: u64 = 8 << 20;

/// A sum that is being worked out. Dropped, the work ends.
pub struct Summing(Receiver<Result<String>>);

/// Begins to work out the sum of a file's first bytes.
pub fn begin(path: &Path, size: Bytes) -> Result<Summing> {
    let file = File::open(path).map_err(fault::at(path, "read"))?;
    let path = path.to_owned();
    let (tell, sum) = channel();
    std::thread::spawn(move || {
        let marks = (0..size.0).step_by(usize::try_from(STEP).unwrap_or(CHUNK)).skip(1);
        let marks = marks.chain([size.0]).take_while(|_| !tell.is_closed());
        let hash = follow(&file, marks).map_err(fault::at(&path, "read"));
        // Whoever is gone wants no sum, and would get half of one.
        let _ = tell.send(hash.map(|hash| hex(&hash.finalize())));
    });
    Ok(Summing(sum))
}

impl Summing {
    pub async fn end(self) -> Result<String> {
        self.0.await.unwrap_or_else(|_| Err(Error::internal("hashing was lost")))
    }
}

/// Hashes a file up to each mark, once it is there.
pub fn follow(file: &File, marks: impl IntoIterator<Item = u64>) -> io::Result<Sha256> {
    let (mut hash, mut at, mut buffer) = (Sha256::new(), 0, vec![0; CHUNK]);
    for mark in marks {
        while at < mark {
            let rest = usize::try_from(mark - at).unwrap_or(usize::MAX);
            let part = &mut buffer[..rest.min(CHUNK)];
            file.read_exact_at(part, at)?;
            hash.update(&*part);
            at += part.len() as u64;
        }
    }
    Ok(hash)
}

/// In lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
