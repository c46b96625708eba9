//! What recovery says of damage, and what it cannot tell from a torn write.

use std::path::PathBuf;

use super::super::{Floors, GroupCursor, Log, LogRemains, Recovered, recover, segment};
use super::{one_log, options, segment_path, update};
use crate::bounds::BLOCK_BYTES;
use crate::disk::Disk;
use crate::disk::simulated::{Crash, SimulatedDisk, data_directory, run};
use crate::error::{Error, Result};
use crate::ids::GroupId;

const BLOCK: u64 = BLOCK_BYTES as u64;
/// Records of one block that fit into the smallest segment.
const RECORDS: u64 = crate::bounds::SEGMENT_BYTES_MIN / BLOCK - 1;

/// A log whose records are one block each, closed.
fn records(count: u64) -> SimulatedDisk {
    let (disk, log) = one_log(1);
    for index in 1..=count {
        log.append(vec![update(1, index, 100)]).expect("room");
        run(log.flush()).expect("durable");
    }
    disk
}

fn read(disk: &SimulatedDisk) -> Result<Recovered> {
    run(recover(disk, &data_directory(), &Floors::new()))
}

fn entries(disk: &SimulatedDisk) -> usize {
    read(disk).expect("whole").groups[&GroupId(1)].entries.len()
}

fn assert_corrupt(found: Result<Recovered>, wanted_path: &PathBuf, wanted_offset: u64) {
    match found.expect_err("damage") {
        Error::Corrupt { path, offset, what } => {
            assert_eq!((&path, offset), (wanted_path, wanted_offset), "{what}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn rot_before_a_later_record_is_reported_with_its_place() {
    for record in 1..=4 {
        let disk = records(5);
        disk.corrupt(&segment_path(1), record * BLOCK + 40..record * BLOCK + 41);
        assert_corrupt(read(&disk), &segment_path(1), record * BLOCK);
    }
}

#[test]
fn rot_at_the_end_of_a_full_segment_is_reported() {
    let disk = records(RECORDS + 3);
    disk.corrupt(&segment_path(1), RECORDS * BLOCK..RECORDS * BLOCK + 1);
    assert_corrupt(read(&disk), &segment_path(1), RECORDS * BLOCK);
}

#[test]
fn rot_in_the_very_last_record_looks_like_a_torn_write() {
    let disk = records(5);
    disk.corrupt(&segment_path(1), 5 * BLOCK + 40..5 * BLOCK + 41);
    assert_eq!(entries(&disk), 4);
    assert_eq!(entries(&disk), 4, "and stays cut");
}

#[test]
fn every_lost_header_is_reported() {
    for sequence in 1..=2 {
        let disk = records(RECORDS + 3);
        disk.corrupt(&segment_path(sequence), 8..9);
        assert_corrupt(read(&disk), &segment_path(sequence), 0);
    }
}

#[test]
fn a_missing_segment_is_reported() {
    let disk = records(2 * RECORDS + 3);
    run(disk.remove(&segment_path(2))).expect("it is there");
    assert_corrupt(read(&disk), &segment_path(1), 0);
}

#[test]
fn a_lost_beginning_is_reported() {
    let disk = records(2 * RECORDS + 3);
    run(disk.remove(&segment_path(1))).expect("it is there");
    assert_corrupt(read(&disk), &segment_path(2), BLOCK);
}

#[test]
fn a_sector_that_cannot_be_read_is_an_error_of_the_disk() {
    let disk = records(5);
    disk.make_unreadable(&segment_path(1), 2 * BLOCK..2 * BLOCK + 512);
    assert!(matches!(read(&disk), Err(Error::Io { operation: "read", .. })));
}

/// The group lived in log 0, then in log 1. Without log 0 its beginning is missing, and recovery knows.
#[test]
fn a_lost_log_is_reported() {
    let disk = records(5);
    let mut recovered = read(&disk).expect("whole");
    let remains = run(LogRemains::create(&disk, &data_directory(), 1)).expect("room");
    let log = run(Log::open(disk.clone(), remains, options(2))).expect("room");
    log.adopt(GroupId(1), recovered.groups.remove(&GroupId(1)).expect("it was there").cursor);
    log.append(vec![update(1, 6, 100)]).expect("room");
    run(log.flush()).expect("durable");
    assert_eq!(entries(&disk), 6, "both logs together");
    let first = data_directory().join("log-0");
    for name in run(disk.list(&first)).expect("listed") {
        run(disk.remove(&first.join(name))).expect("it is there");
    }
    run(disk.remove_directory(&first)).expect("it is empty");
    assert_corrupt(read(&disk), &data_directory().join("log-1").join(segment::segment_name(1)), BLOCK);
}

/// A flush is dropped, the member starts again, and only then the write arrives, over what the new start has written.
#[test]
fn an_abandoned_write_poisons_the_log_and_never_comes_back() {
    let disk = records(3);
    let recovered = read(&disk).expect("whole");
    let open = |recovered: Recovered, nonce| {
        let log = run(Log::open(disk.clone(), recovered.logs[&0].clone(), options(nonce))).expect("room");
        log.adopt(GroupId(1), recovered.groups[&GroupId(1)].cursor.clone());
        log
    };
    let log = open(recovered, 2);
    log.append(vec![update(1, 4, 100)]).expect("room");
    disk.hold(true);
    let mut flush = Box::pin(log.flush());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(flush.as_mut().poll(&mut context).is_pending());
    drop(flush);
    disk.hold(false);
    assert!(matches!(log.append(vec![update(1, 5, 100)]), Err(Error::Poisoned { .. })));
    assert!(matches!(run(log.flush()), Err(Error::Poisoned { .. })));

    let log = open(read(&disk).expect("whole"), 3);
    log.append(vec![update(1, 4, 200)]).expect("room");
    run(log.flush()).expect("durable");
    disk.crash(Crash::Power);
    disk.restart();
    let recovered = read(&disk).expect("whole");
    assert_eq!(recovered.groups[&GroupId(1)].entries[3].payload.len(), 200, "the new start's record");
    assert_eq!(recovered.groups[&GroupId(1)].cursor, {
        let mut cursor = GroupCursor::default();
        for (index, bytes) in [(1, 100), (2, 100), (3, 100), (4, 200)] {
            cursor.accept(&update(1, index, bytes)).expect("valid");
        }
        cursor
    });
}
