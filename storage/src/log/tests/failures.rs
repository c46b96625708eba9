//! A disk that is full, that fails, that forgets: nothing is acknowledged that is not there.

use std::io;

use super::super::{Floors, GroupCursor, Log, LogRemains, recover};
use super::{cut, entry, one_log, options, update};
use crate::bounds::{BLOCK_BYTES, GATHERED_BYTES_MAX, PAYLOAD_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::disk::Disk;
use crate::disk::simulated::{Crash, SimulatedDisk, data_directory, run};
use crate::error::{Error, Result};
use crate::ids::GroupId;
use crate::log::Ticket;

/// Appends and flushes one entry at a time until something fails; answers with how many are acknowledged, and why it ended.
fn fill(log: &Log<SimulatedDisk>, entries: std::ops::RangeInclusive<u64>) -> (u64, Option<Error>) {
    let mut acknowledged = entries.start() - 1;
    for index in entries {
        log.append(vec![update(1, index, 3000)]).expect("the log has not failed yet");
        match run(log.flush()) {
            Ok(_) => acknowledged = index,
            Err(error) => return (acknowledged, Some(error)),
        }
    }
    (acknowledged, None)
}

fn recovered_entries(disk: &SimulatedDisk) -> u64 {
    let recovered = run(recover(disk, &data_directory(), &Floors::new())).expect("whole");
    recovered.groups.get(&GroupId(1)).map_or(0, |group| group.entries.len() as u64)
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    let (disk, log) = one_log(1);
    disk.set_capacity(3 * SEGMENT_BYTES_MIN);
    let (acknowledged, error) = fill(&log, 1..=1000);
    assert_eq!(acknowledged, 3 * (SEGMENT_BYTES_MIN / BLOCK_BYTES as u64 - 1), "three segments");
    assert!(error.expect("it is full").is_full());
    let poisoned = log.append(vec![update(1, acknowledged + 2, 10)]).expect_err("it failed");
    assert!(matches!(&poisoned, Error::Poisoned { first, .. } if first.contains("no space left")), "{poisoned}");
    disk.crash(Crash::Power);
    disk.restart();
    assert_eq!(recovered_entries(&disk), acknowledged);
}

#[test]
fn room_is_missed_one_segment_ahead_and_may_come_back() {
    let (disk, log) = one_log(1);
    disk.set_capacity(SEGMENT_BYTES_MIN + 1000);
    assert!(run(log.maintain()).expect_err("no room for a spare").is_full());
    let left = run(disk.list(log.directory())).expect("listed");
    assert_eq!(left.len(), 1, "what was begun is gone: {left:?}");
    assert_eq!(fill(&log, 1..=10).0, 10, "the segment in use has its room");
    disk.set_capacity(u64::MAX);
    run(log.maintain()).expect("there is room now");
    assert_eq!(fill(&log, 11..=20).0, 20);
}

/// Lets each operation of a load fail in turn, with each kind of error, and starts again.
#[test]
fn any_operation_may_fail() {
    for kind in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
        for operation in 1.. {
            let disk = SimulatedDisk::new(operation, &data_directory());
            disk.fail_at(operation, kind);
            let mut acknowledged = 0;
            let opened = open(&disk);
            let failed = opened.is_err();
            let mut error = None;
            if let Ok(log) = opened {
                (acknowledged, error) = fill(&log, 1..=40);
                if error.is_some() {
                    assert!(matches!(run(log.flush()), Err(Error::Poisoned { .. })), "operation {operation}");
                }
            }
            disk.crash(if operation % 2 == 0 { Crash::Power } else { Crash::Process });
            disk.restart();
            let back = recovered_entries(&disk);
            assert!((acknowledged..=acknowledged + 1).contains(&back), "operation {operation}: {back} came back");
            if !failed && error.is_none() {
                break;
            }
        }
    }
}

fn open(disk: &SimulatedDisk) -> Result<Log<SimulatedDisk>> {
    run(async {
        let remains = LogRemains::create(disk, &data_directory(), 0).await?;
        let log = Log::open(disk.clone(), remains, options(1)).await?;
        log.adopt(GroupId(1), GroupCursor::default());
        Ok(log)
    })
}

#[test]
fn many_batches_are_one_write() {
    let (disk, log) = one_log(1);
    let before = disk.counts();
    for index in 1..=100 {
        assert_eq!(log.append(vec![update(1, index, 100)]).expect("room"), Ticket(index));
    }
    assert_eq!(run(log.flush()).expect("durable"), Ticket(100));
    assert!(!log.has_gathered());
    assert_eq!(disk.counts().durable_writes - before.durable_writes, 1);
    assert_eq!(disk.counts().syncs, before.syncs);
    assert_eq!(run(log.flush()).expect("nothing to do"), Ticket(100));
}

#[test]
fn what_does_not_fit_into_one_record_goes_into_the_next() {
    let (disk, log) = one_log(1);
    for index in 1..=40 {
        log.append(vec![update(1, index, 3000)]).expect("room");
    }
    let mut flushes = 0;
    while log.has_gathered() {
        run(log.flush()).expect("durable");
        flushes += 1;
    }
    assert_eq!(flushes, 2, "twenty fit into the smallest segment, and no record is larger");
    assert_eq!(recovered_entries(&disk), 40);
}

#[test]
fn bounds_are_refused_before_anything_is_numbered() {
    let (disk, log) = one_log(1);
    let too_large = log.append(vec![update(1, 1, SEGMENT_BYTES_MIN as usize)]);
    assert!(matches!(too_large, Err(Error::TooLarge { what: "a batch", .. })));
    log.append(vec![update(1, 1, 10)]).expect("the one before left no trace");
    let payload = log.record_bytes_max() - 1000;
    let mut index = 1;
    let refused = loop {
        index += 1;
        match log.append(vec![update(1, index, payload)]) {
            Ok(_) => assert!(log.gathered_bytes() <= GATHERED_BYTES_MAX),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::TooLarge { what: "what waits for the log", .. }), "{refused}");
    run(log.flush()).expect("durable");
    log.append(vec![update(1, index, payload)]).expect("there is room again");
    drop(disk);
    let large = entry(1, 1, PAYLOAD_BYTES_MAX + 1);
    let remains = |disk: &SimulatedDisk| run(LogRemains::create(disk, &data_directory(), 0)).expect("room");
    let disk = SimulatedDisk::new(1, &data_directory());
    let options = crate::log::Options { segment_bytes: 16 << 20, nonce: 1 };
    let log = run(Log::open(disk.clone(), remains(&disk), options)).expect("room");
    log.adopt(GroupId(1), GroupCursor::default());
    let mut update = update(1, 1, 0);
    update.entries = vec![large];
    assert!(matches!(log.append(vec![update]), Err(Error::TooLarge { what: "an entry's payload", .. })));
}

/// A log that is cut behind checkpoints goes round in the same few files.
#[test]
fn released_segments_are_used_again() {
    let (disk, log) = one_log(1);
    let mut files = 0;
    for round in 0..40_u64 {
        assert_eq!(fill(&log, round * 20 + 1..=round * 20 + 20).0, round * 20 + 20);
        run(log.maintain()).expect("room");
        let state = log.cut(GroupId(1), cut(round * 20 + 20));
        run(log.release(&Floors::from([(GroupId(1), state)]))).expect("released");
        files = files.max(run(disk.list(log.directory())).expect("listed").len());
    }
    assert!(files <= 4, "{files} files");
}

/// A release that fails at any of its operations is made good by the next one; the log stays one run of segments.
#[test]
fn a_release_may_fail_anywhere() {
    let entries = 3 * (SEGMENT_BYTES_MIN / BLOCK_BYTES as u64);
    let mut failures = 0;
    for after in 1.. {
        let (disk, log) = one_log(1);
        assert_eq!(fill(&log, 1..=entries).0, entries);
        let floors = Floors::from([(GroupId(1), log.cut(GroupId(1), cut(entries)))]);
        disk.fail_at(disk.operations() + after, io::ErrorKind::Other);
        let failed = run(log.release(&floors)).is_err();
        failures += u64::from(failed);
        disk.forgive();
        run(log.release(&floors)).expect("the disk is well again");
        let names = run(disk.list(log.directory())).expect("listed");
        let segments = names.iter().filter(|name| name.ends_with(".segment")).count();
        assert_eq!(segments, 1, "operation {after} failed: {names:?}");
        disk.crash(Crash::Power);
        disk.restart();
        run(recover(&disk, &data_directory(), &floors)).unwrap_or_else(|error| panic!("operation {after}: {error}"));
        if !failed {
            break;
        }
    }
    assert!(failures > 6, "three segments are given back in more than {failures} operations");
}
