//! CDs and DVDs: the volume descriptors of ISO 9660 (ECMA-119, chapter 8), as far as they tell
//! that a file is a whole CD. Its files are the guest's business.

use std::fs::File;
use std::io;

use novacron_model::{Error, Result};

use super::detect::read_at;
use crate::storage::fault;

const SECTOR: u64 = 2048;
/// The sectors before this one are the system area: boot code, partition tables, anything.
const FIRST: u64 = 16;
const DESCRIPTORS_MAX: u64 = 64;
/// `mkisofs -pad` counts 150 sectors that some programs do not write.
const PADDING: u64 = 150;

const PRIMARY: u8 = 1;
const TERMINATOR: u8 = 255;

/// Whether volume descriptors stand where a CD has them.
pub fn is_iso(file: &File) -> io::Result<bool> {
    let mut head = [0; 7];
    read_at(file, &mut head, FIRST * SECTOR)?;
    Ok(head[1..6] == *b"CD001")
}

/// Refuses a CD that contradicts itself or that is cut short; `length` is the file's.
pub fn check(file: &File, length: u64) -> Result<()> {
    for sector in FIRST..FIRST + DESCRIPTORS_MAX {
        let mut descriptor = [0; 90];
        let read = read_at(file, &mut descriptor, sector * SECTOR);
        read.map_err(|error| fault::unreadable(&error))?;
        if descriptor[1..7] != *b"CD001\x01" {
            return Err(lie("its descriptors end without a mark"));
        }
        match descriptor[0] {
            PRIMARY => return check_primary(&descriptor, length),
            TERMINATOR => break,
            _ => (),
        }
    }
    Err(lie("it has no primary volume"))
}

/// Numbers stand there twice, little-endian and big-endian.
fn check_primary(descriptor: &[u8; 90], length: u64) -> Result<()> {
    let little = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| descriptor[at + n]));
    let big = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|n| descriptor[at + n]));
    let sectors = little(80);
    if sectors == 0 || sectors != big(84) {
        return Err(lie("its size contradicts itself"));
    }
    if length < u64::from(sectors).saturating_sub(PADDING) * SECTOR {
        let message =
            format!("the ISO is cut short: {length} of {} bytes", u64::from(sectors) * SECTOR);
        return Err(Error::invalid("spec.source", message).hint("fetch it again"));
    }
    Ok(())
}

fn lie(what: &str) -> Error {
    Error::invalid("spec.source", format!("the image's ISO 9660 header is damaged: {what}"))
        .hint("fetch it again, and compare its checksum")
}
