//! How much a snapshot inside a qcow2 file holds, told by the snapshot's own L1 and L2 tables.
//!
//! QEMU changes these tables no more once the snapshot is taken, so they may be read while a guest
//! writes the disk.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use novacron_model::units::Bytes;

/// Bits of an L1 or L2 entry that say where the table or cluster lies.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
/// Fixed part of an entry of the snapshot table.
const ENTRY: usize = 40;

/// Bytes of clusters in this file, not in one beneath it; none if there is no such snapshot.
pub fn held(file: &File, name: &str) -> io::Result<Option<Bytes>> {
    let mut header = [0; 72];
    file.read_exact_at(&mut header, 0)?;
    let bits = u32_at(&header, 20);
    if !(9..=21).contains(&bits) {
        return Err(ErrorKind::InvalidData.into());
    }
    let Some((l1, entries)) = find(file, &header, name)? else { return Ok(None) };
    let tables = numbers(file, l1, u64::from(entries) * 8)?;
    let mut clusters = 0;
    for table in tables.into_iter().map(|entry| entry & OFFSET).filter(|at| *at != 0) {
        let entries = numbers(file, table, 1 << bits)?;
        let held = |entry: &&u64| **entry & (OFFSET | COMPRESSED) != 0;
        clusters += entries.iter().filter(held).count() as u64;
    }
    Ok(Some(Bytes(clusters << bits)))
}

/// Where a snapshot's L1 table is, and the number of its entries.
fn find(file: &File, header: &[u8], name: &str) -> io::Result<Option<(u64, u32)>> {
    let mut at = u64_at(header, 64);
    for _ in 0..u32_at(header, 60) {
        let mut entry = [0; ENTRY];
        file.read_exact_at(&mut entry, at)?;
        let (id, title) = (u16_at(&entry, 12), u16_at(&entry, 14));
        let behind = at + ENTRY as u64 + u64::from(u32_at(&entry, 36)) + u64::from(id);
        let mut bytes = vec![0; usize::from(title)];
        file.read_exact_at(&mut bytes, behind)?;
        if bytes == name.as_bytes() {
            return Ok(Some((u64_at(&entry, 0), u32_at(&entry, 8))));
        }
        at = (behind + u64::from(title)).next_multiple_of(8);
    }
    Ok(None)
}

fn numbers(file: &File, at: u64, length: u64) -> io::Result<Vec<u64>> {
    let end = file.metadata()?.len();
    if at.checked_add(length).is_none_or(|behind| behind > end) {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes.chunks_exact(8).map(|bytes| u64_at(bytes, 0)).collect())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) << 16 | u32::from(u16_at(bytes, at + 2))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) << 32 | u64::from(u32_at(bytes, at + 4))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn run(program: &str, words: &[&str], disk: &Path) {
        let done = Command::new(program).args(words).arg(disk).output().unwrap();
        assert!(done.status.success(), "{program} {words:?}: {done:?}");
    }

    #[test]
    fn a_snapshot_holds_what_was_written_before_it() {
        let home = tempfile::tempdir().unwrap();
        let disk = home.path().join("disk");
        let file = File::create_new(&disk).unwrap();
        super::super::create(&file, Bytes::gib(2), None).unwrap();
        let write = |what: &str| run("qemu-io", &["-f", "qcow2", "-c", what], &disk);
        let take = |name: &str| run("qemu-img", &["snapshot", "-c", name], &disk);

        take("empty");
        write("write 0 10M");
        write("write -z -u 20M 5M");
        // In the second L2 table.
        write("write 1G 64k");
        take("a-longer-name");
        write("write 0 20M");
        take("last");
        write("discard 0 20M");

        let file = File::open(&disk).unwrap();
        let held = |name: &str| held(&file, name).unwrap();
        assert_eq!(held("empty"), Some(Bytes(0)));
        assert_eq!(held("a-longer-name"), Some(Bytes((10 << 20) + (64 << 10))));
        assert_eq!(held("last"), Some(Bytes((20 << 20) + (64 << 10))));
        assert_eq!(held("las"), None);
    }
}
