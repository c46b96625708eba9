//! A damaged live checkpoint: the one before does, as long as the logs reach back to it, and not one step further.

use super::super::{Floors, Log, recover};
use super::{cut, one_log, update};
use crate::checkpoint::{Manifest, Number};
use crate::disk::simulated::{SimulatedDisk, data_directory, run};
use crate::ids::{GroupId, Revision};

/// Appends entries and makes a checkpoint of them live; logs are released only if asked to.
fn checkpoint(
    log: &Log<SimulatedDisk>,
    manifest: &Manifest,
    entries: std::ops::RangeInclusive<u64>,
    release: bool,
) -> Manifest {
    let last = *entries.end();
    for index in entries {
        log.append(vec![update(1, index, 3000)]).expect("room");
        run(log.flush()).expect("durable");
    }
    let groups = Floors::from([(GroupId(1), log.cut(GroupId(1), cut(last)))]);
    let next = manifest.advance(Number(manifest.sequence + 1), Revision(last as i64), groups);
    if release {
        run(log.release(&next.states())).expect("released");
    }
    next
}

#[test]
fn the_logs_reach_back_until_a_segment_is_released() {
    for (release, reaches) in [(false, true), (true, false)] {
        let (disk, log) = one_log(1);
        let first = checkpoint(&log, &Manifest::default(), 1..=20, true);
        let second = checkpoint(&log, &first, 21..=60, release);
        let third = update(1, 61, 10);
        log.append(vec![third]).expect("room");
        run(log.flush()).expect("durable");
        let live = run(recover(&disk, &data_directory(), &second.states())).expect("whole");
        assert_eq!(live.groups[&GroupId(1)].entries.len(), 1);
        let fallback = second.fallback().expect("there is one before");
        let back = run(recover(&disk, &data_directory(), &fallback.states()));
        match back {
            Ok(back) => assert!(reaches && back.groups[&GroupId(1)].entries.len() == 41),
            Err(error) => assert!(!reaches && error.is_corrupt(), "{error}"),
        }
    }
}
