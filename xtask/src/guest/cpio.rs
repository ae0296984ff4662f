//! Writer of `newc` cpio archives, as the kernel's initramfs loader reads them
//! (Documentation/driver-api/early-userspace/buffer-format.rst). Everything belongs to root, and
//! times are zero, so the same files give the same bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

const DIR: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// An archive in memory; folders are added by themselves.
#[derive(Default)]
pub struct Archive {
    entries: BTreeMap<String, (u32, Vec<u8>)>,
}

impl Archive {
    /// `path` has no leading slash.
    pub fn file(&mut self, path: &str, mode: u32, content: impl Into<Vec<u8>>) {
        self.add(path, FILE | mode, content.into());
    }

    pub fn link(&mut self, path: &str, target: &str) {
        self.add(path, LINK | 0o777, target.into());
    }

    pub fn dir(&mut self, path: &str) {
        self.add(path, DIR | 0o755, Vec::new());
    }

    fn add(&mut self, path: &str, mode: u32, content: Vec<u8>) {
        for (at, _) in path.match_indices('/') {
            self.entries.entry(path[..at].into()).or_insert((DIR | 0o755, Vec::new()));
        }
        self.entries.insert(path.into(), (mode, content));
    }

    pub fn finish(self) -> Vec<u8> {
        let mut out = Vec::new();
        for (inode, (path, (mode, content))) in (1_u32..).zip(&self.entries) {
            put(&mut out, inode, path, *mode, content);
        }
        put(&mut out, 0, "TRAILER!!!", 0, &[]);
        out
    }
}

fn put(out: &mut Vec<u8>, inode: u32, path: &str, mode: u32, content: &[u8]) {
    let links = if mode & DIR == DIR && mode & FILE != FILE { 2 } else { 1 };
    // inode, mode, uid, gid, links, mtime, size, device ×4, length of the name, checksum
    let fields =
        [inode, mode, 0, 0, links, 0, size(content.len()), 0, 0, 0, 0, size(path.len() + 1), 0];
    let mut header = String::from("070701");
    for field in fields {
        let _ = write!(header, "{field:08x}");
    }
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(content);
    pad(out);
}

fn size(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}
