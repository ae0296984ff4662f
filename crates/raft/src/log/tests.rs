//! The log by itself: openraft's own suite for log stores, and segments that end in torn writes.

use std::sync::Arc;

use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use openraft::testing::{StoreBuilder, Suite, blank_ent, log_id};
use proptest::prelude::*;

use super::frame::{FORMAT, Frame, HEADER, Header, Kind};
use super::scan::{Fault, scan};
use super::{Log, Writer, recover};
use crate::Options;
use crate::disk::{Disk, RealDisk};
use crate::machine::Machine;
use crate::space::Space;
use crate::types::{StorageError, TypeConfig};

struct InTemporaryDirectory;

impl StoreBuilder<TypeConfig, Log, Machine, tempfile::TempDir> for InTemporaryDirectory {
    async fn build(&self) -> Result<(tempfile::TempDir, Log, Machine), StorageError> {
        let dir = tempfile::tempdir().expect("makes a directory");
        let options =
            Options { segment_bytes: 4 << 10, reserve_bytes: 1 << 16, ..Options::default() };
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(dir.path()).expect("opens"));
        let recovered = recover(&*disk, &options, false).expect("opens");
        let space = Space::open(disk.clone(), &options).expect("opens");
        let started = Writer::start(disk.clone(), space.clone(), recovered, |why| panic!("{why}"));
        let (writer, index, _thread) = started.expect("starts");
        let (machine, _) = Machine::new(disk.clone(), space, &options, None);
        Ok((dir, Log::new(disk, index, writer), machine))
    }
}

#[test]
fn the_log_passes_the_suite_of_openraft() {
    Suite::test_all(InTemporaryDirectory).expect("passes");
}

#[tokio::test]
async fn a_log_that_leapt_ahead_with_a_snapshot_opens_again() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let options = Options { reserve_bytes: 1 << 16, ..Options::default() };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(dir.path()).expect("opens"));
    let recovered = recover(&*disk, &options, false).expect("opens");
    let space = Space::open(disk.clone(), &options).expect("opens");
    let started = Writer::start(disk.clone(), space, recovered, |why| panic!("{why}"));
    let (writer, index, _thread) = started.expect("starts");
    let mut log = Log::new(disk.clone(), index, writer);
    let entry = |index| blank_ent::<TypeConfig>(1, 1, index);
    log.blocking_append((0..10).map(entry)).await.expect("appends");
    log.purge(log_id(1, 1, 500)).await.expect("purges");
    log.blocking_append([entry(501)]).await.expect("appends");
    recover(&*disk, &options, false).expect("a healthy log is not damaged");
    log.blocking_append([entry(502)]).await.expect("appends");
}

/// A segment of several groups, each synced before the next was written.
struct Written {
    bytes: Vec<u8>,
    /// Where each group starts, and where the last one ends.
    starts: Vec<usize>,
}

const NUMBER: u32 = 3;

fn written(groups: &[Vec<usize>], bytes: usize) -> Written {
    let mut out = Vec::new();
    let (mut index, mut starts) = (0, Vec::new());
    for group in groups {
        starts.push(out.len());
        let durable = u32::try_from(out.len()).expect("fits");
        for len in group {
            index += 1;
            let payload = vec![b'a'; *len];
            Frame { kind: Kind::Entry, index, payload }.write(&mut out, NUMBER, durable);
        }
    }
    starts.push(out.len());
    assert!(out.len() <= bytes);
    out.resize(bytes, 0);
    Written { bytes: out, starts }
}

fn frames(groups: &[Vec<usize>]) -> usize {
    groups.iter().map(Vec::len).sum()
}

#[test]
fn a_tail_cut_at_any_byte_is_torn_and_costs_only_the_last_group() {
    let groups = [vec![40, 700], vec![10], vec![2000, 5, 90]];
    let good = written(&groups, 8192);
    let [.., start, end] = good.starts[..] else { panic!("has groups") };
    for cut in start..end {
        let mut bytes = good.bytes.clone();
        bytes[cut..].fill(0);
        let found = scan(&bytes, NUMBER, true).unwrap_or_else(|fault| panic!("{cut}: {fault:?}"));
        assert!(found.frames.len() >= frames(&groups[..2]), "cut at {cut}");
        assert!(found.end >= start, "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_is_damage_even_in_the_last_frame() {
    let good = written(&[vec![40, 700], vec![10], vec![2000, 5, 90]], 8192);
    for at in 0..*good.starts.last().expect("has groups") {
        if good.bytes[at] == 0 {
            continue;
        }
        for bit in 0..8 {
            let mut bytes = good.bytes.clone();
            bytes[at] ^= 1 << bit;
            let Err(Fault::Damaged { .. }) = scan(&bytes, NUMBER, true) else {
                panic!("byte {at} bit {bit} was not seen");
            };
        }
    }
}

#[test]
fn lost_sectors_before_the_last_group_are_damage() {
    let good = written(&[vec![40, 700], vec![1500], vec![90]], 8192);
    let durable = good.starts[2];
    for sector in 0..durable / 512 {
        let mut bytes = good.bytes.clone();
        bytes[sector * 512..(sector + 1) * 512].fill(0);
        let Err(Fault::Damaged { .. }) = scan(&bytes, NUMBER, true) else {
            panic!("sector {sector} was not missed");
        };
    }
}

#[test]
fn an_older_segment_may_not_end_torn() {
    let good = written(&[vec![40], vec![2000]], 8192);
    let mut bytes = good.bytes.clone();
    bytes[1024..1536].fill(0);
    assert!(scan(&bytes, NUMBER, true).is_ok_and(|found| found.torn));
    assert!(scan(&bytes, NUMBER, false).is_err());
    assert!(scan(&good.bytes, NUMBER, false).is_ok_and(|found| found.frames.len() == 2));
}

#[test]
fn an_unknown_format_is_told_from_damage() {
    let mut good = written(&[vec![40]], 4096);
    good.bytes[25] = FORMAT + 1;
    let crc = crc32fast::hash(&good.bytes[..28]);
    good.bytes[28..HEADER].copy_from_slice(&crc.to_le_bytes());
    assert!(Header::read(&good.bytes).is_some());
    let refused = scan(&good.bytes, NUMBER, true).err();
    assert_eq!(refused, Some(Fault::Format { found: FORMAT + 1 }));
}

fn any_groups() -> impl Strategy<Value = Vec<Vec<usize>>> {
    let group = proptest::collection::vec(2..1500_usize, 1..4);
    proptest::collection::vec(group, 1..6)
}

proptest! {
    /// Whatever part of the last, unsynced write reached the disk: what was synced is read, and
    /// nothing is made up.
    #[test]
    fn a_power_loss_in_the_last_group_is_never_damage(
        groups in any_groups(),
        landed in proptest::collection::vec(any::<bool>(), 64),
    ) {
        let good = written(&groups, 32 << 10);
        let start = good.starts[groups.len() - 1];
        let mut bytes = good.bytes.clone();
        for (sector, _) in (start / 512..).zip(landed).filter(|(_, landed)| !landed) {
            let from = (sector * 512).max(start);
            if from < bytes.len() {
                let to = ((sector + 1) * 512).min(bytes.len());
                bytes[from..to].fill(0);
            }
        }
        let found = scan(&bytes, NUMBER, true);
        let found = found.map_err(|fault| TestCaseError::fail(format!("{fault:?}")))?;
        let durable = frames(&groups[..groups.len() - 1]);
        prop_assert!(found.frames.len() >= durable);
        for (frame, index) in found.frames.iter().zip(1..) {
            prop_assert_eq!(frame.index, index);
        }
    }
}

#[test]
fn one_byte_in_a_lost_sector_is_enough_to_be_torn() {
    let good = written(&[vec![1185, 929], vec![801, 961]], 32 << 10);
    let mut bytes = good.bytes.clone();
    bytes[3072..3584].fill(0);
    let found = scan(&bytes, NUMBER, true);
    assert!(found.as_ref().is_ok_and(|found| found.torn && found.frames.len() == 2), "{found:?}");
}
