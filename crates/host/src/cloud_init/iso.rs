//! A small ISO 9660 image (ECMA-119) of a few files in one folder, with Joliet names beside the
//! plain ones. The plain names are written as they are, in lower case and with dashes, as
//! `genisoimage -relaxed-filenames -allow-lowercase` does: kernels without Joliet read them.
//!
//! ```text
//!  sector 16   17      18    19 20     21 22   23    24      25 …
//!  plain  Joliet  end   path tables   root  root    the files
//!  volume volume        plain Joliet  plain Joliet
//! ```
//!
//! There are no times in it, so the same files give the same bytes.

const SECTOR: usize = 2048;
const PLAIN_TABLES: u32 = 19;
const JOLIET_TABLES: u32 = 21;
const PLAIN_ROOT: u32 = 23;
const JOLIET_ROOT: u32 = 24;
const FILES: u32 = 25;
const FOLDER: u8 = 2;

/// Names of one folder sector: at most seven of 64 bytes; ours are four.
const FILES_MAX: usize = 7;

/// The whole image. `files` are names of plain ASCII and contents.
pub fn image(volume: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    debug_assert!(files.len() <= FILES_MAX);
    let mut placed = Vec::new();
    let mut next = FILES;
    for (name, content) in files {
        placed.push(Placed { name, sector: next, size: int(content.len()) });
        next += int(content.len().div_ceil(SECTOR));
    }
    placed.sort_by_key(|file| file.name);

    let mut out = vec![0; 16 * SECTOR];
    sector(&mut out, &descriptor(&Names::Plain, volume, next));
    sector(&mut out, &descriptor(&Names::Joliet, volume, next));
    sector(&mut out, b"\xffCD001\x01");
    for root in [PLAIN_ROOT, JOLIET_ROOT] {
        sector(&mut out, &path_table(root.to_le_bytes(), 1_u16.to_le_bytes()));
        sector(&mut out, &path_table(root.to_be_bytes(), 1_u16.to_be_bytes()));
    }
    sector(&mut out, &folder(&Names::Plain, &placed));
    sector(&mut out, &folder(&Names::Joliet, &placed));
    for (_, content) in files {
        if !content.is_empty() {
            sector(&mut out, content);
        }
    }
    out
}

struct Placed<'a> {
    name: &'a str,
    sector: u32,
    size: u32,
}

enum Names {
    Plain,
    Joliet,
}

impl Names {
    fn root(&self) -> u32 {
        match self {
            Self::Plain => PLAIN_ROOT,
            Self::Joliet => JOLIET_ROOT,
        }
    }

    fn tables(&self) -> u32 {
        match self {
            Self::Plain => PLAIN_TABLES,
            Self::Joliet => JOLIET_TABLES,
        }
    }

    /// Text of these names, padded with blanks to a length.
    fn padded(&self, text: &str, length: usize) -> Vec<u8> {
        let blank = self.encode(" ");
        let mut out = self.encode(text);
        while out.len() + blank.len() <= length {
            out.extend(&blank);
        }
        out.resize(length, 0);
        out
    }

    fn encode(&self, text: &str) -> Vec<u8> {
        match self {
            Self::Plain => text.into(),
            Self::Joliet => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }
}

/// ECMA-119, 8.4 and 8.5.
fn descriptor(names: &Names, volume: &str, sectors: u32) -> Vec<u8> {
    let (kind, escape): (u8, &[u8]) = match names {
        Names::Plain => (1, b""),
        Names::Joliet => (2, b"%/E"), // UCS-2, level 3
    };
    let mut out = vec![kind];
    out.extend(b"CD001\x01\0");
    out.extend(names.padded("", 32)); // system
    out.extend(names.padded(volume, 32));
    out.extend([0; 8]);
    out.extend(both32(sectors));
    out.extend(escape);
    out.resize(120, 0);
    out.extend(both16(1)); // volumes in the set
    out.extend(both16(1)); // number of this one
    out.extend(both16(2048));
    out.extend(both32(10)); // bytes of a path table
    out.extend(names.tables().to_le_bytes());
    out.extend([0; 4]);
    out.extend((names.tables() + 1).to_be_bytes());
    out.extend([0; 4]);
    out.extend(record(names.root(), int(SECTOR), FOLDER, &[0]));
    out.extend(names.padded("", 4 * 128 + 3 * 37)); // publisher and others
    for _ in 0..4 {
        out.extend(b"0000000000000000\0"); // no time
    }
    out.extend([1, 0]);
    out
}

/// One entry: the root folder.
fn path_table(root: [u8; 4], parent: [u8; 2]) -> Vec<u8> {
    let mut out = vec![1, 0];
    out.extend(root);
    out.extend(parent);
    out.extend([0, 0]);
    out
}

fn folder(names: &Names, files: &[Placed]) -> Vec<u8> {
    let size = int(SECTOR);
    let mut out = record(names.root(), size, FOLDER, &[0]);
    out.extend(record(names.root(), size, FOLDER, &[1]));
    for file in files {
        let name = names.encode(&format!("{};1", file.name));
        out.extend(record(file.sector, file.size, 0, &name));
    }
    out
}

/// A directory record (ECMA-119, 9.1).
fn record(sector: u32, size: u32, flags: u8, name: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0];
    out.extend(both32(sector));
    out.extend(both32(size));
    out.extend([0; 7]); // no time
    out.push(flags);
    out.extend([0, 0]); // not interleaved
    out.extend(both16(1));
    out.push(u8::try_from(name.len()).unwrap_or(0));
    out.extend(name);
    if out.len() % 2 == 1 {
        out.push(0);
    }
    out[0] = u8::try_from(out.len()).unwrap_or(0);
    out
}

fn sector(out: &mut Vec<u8>, content: &[u8]) {
    out.extend(content);
    out.resize(out.len().next_multiple_of(SECTOR), 0);
}

fn both16(value: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (value.to_le_bytes(), value.to_be_bytes());
    [a, b, c, d]
}

fn both32(value: u32) -> Vec<u8> {
    [value.to_le_bytes(), value.to_be_bytes()].concat()
}

/// Contents are far below 4 GiB; `cloud_init` bounds them.
fn int(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
