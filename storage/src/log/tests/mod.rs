//! Crash campaigns over the whole log, and what recovery says of damage.

mod campaign;
mod crashes;
mod damage;
mod failures;
mod fallback;
mod world;

use std::path::PathBuf;

use bytes::Bytes;

use super::{Cut, Entry, GroupCursor, HardState, Log, LogRemains, Options, Update};
use crate::bounds::SEGMENT_BYTES_MIN;
use crate::disk::simulated::{SimulatedDisk, data_directory, run};
use crate::ids::{GroupId, Index, MemberId, Term};

fn entry(index: u64, term: u64, bytes: usize) -> Entry {
    Entry { index: Index(index), term: Term(term), kind: 0, payload: Bytes::from(vec![index as u8; bytes]) }
}

/// An update of one group with one entry.
fn update(group: u32, index: u64, bytes: usize) -> Update {
    let hard_state = Some(HardState { term: Term(1), vote: MemberId(1), commit: Index(0) });
    Update { group: GroupId(group), hard_state, entries: vec![entry(index, 1, bytes)] }
}

fn options(nonce: u64) -> Options {
    Options { segment_bytes: SEGMENT_BYTES_MIN, nonce }
}

/// A new log of one group, number 1, on a new disk.
fn one_log(seed: u64) -> (SimulatedDisk, Log<SimulatedDisk>) {
    let disk = SimulatedDisk::new(seed, &data_directory());
    let remains = run(LogRemains::create(&disk, &data_directory(), 0)).expect("room");
    let log = run(Log::open(disk.clone(), remains, options(seed))).expect("room");
    log.adopt(GroupId(1), GroupCursor::default());
    (disk, log)
}

fn segment_path(sequence: u64) -> PathBuf {
    data_directory().join("log-0").join(super::segment::segment_name(sequence))
}

fn cut(index: u64) -> Cut {
    Cut { index: Index(index), term: Term(1) }
}
