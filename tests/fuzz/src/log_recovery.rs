//! A log that was whole, damaged as the input says: recovery gives back a beginning of it, or refuses it, and never anything
//! that was not written.
//!
//! The input is a list of damages: u16 block, u16 offset, u8 what is done there.

use std::path::PathBuf;

use bytes::Bytes;
use campanile_storage::bounds::{BLOCK_BYTES, SEGMENT_BYTES_MIN};
use campanile_storage::disk::simulated::{SimulatedDisk, data_directory, run as finish};
use campanile_storage::disk::{Access, Disk, File};
use campanile_storage::error::Error;
use campanile_storage::ids::{GroupId, Index, MemberId, Term};
use campanile_storage::log::segment::segment_name;
use campanile_storage::log::{Entry, GroupCursor, HardState, Log, LogRemains, Options, Update, recover};

use crate::disk;

const GROUP: GroupId = GroupId(1);
const ENTRIES: u64 = 24;
const DAMAGE_BYTES: usize = 5;
const DAMAGES_MAX: usize = 16;

pub fn run(input: &[u8]) {
    let disk = written();
    let path = damaged(&disk, input);
    let before = disk.contents(&path);
    match finish(recover(&disk, &data_directory(), &Default::default())) {
        Ok(recovered) => {
            let entries = recovered.groups.get(&GROUP).map(|group| &group.entries[..]).unwrap_or_default();
            for (entry, index) in entries.iter().zip(1..) {
                assert_eq!(entry, &entry_of(index), "what comes back is what was written");
            }
            let again = finish(recover(&disk, &data_directory(), &Default::default())).expect("it was sealed");
            let again = again.groups.get(&GROUP).map(|group| &group.entries[..]).unwrap_or_default();
            assert_eq!(again, entries, "the next recovery finds the same");
        }
        Err(Error::Corrupt { .. } | Error::Foreign { .. }) => {
            assert_eq!(disk.contents(&path), before, "what is refused stays as it is");
        }
        Err(error) => panic!("damage is told as something else: {error}"),
    }
}

fn entry_of(index: u64) -> Entry {
    let payload = Bytes::from(vec![index as u8; (index as usize * 397) % 6_000]);
    Entry { index: Index(index), term: Term(1), kind: 0, payload }
}

/// A log of one group, some records of one block and some of several.
fn written() -> SimulatedDisk {
    let disk = disk::empty();
    let remains = finish(LogRemains::create(&disk, &data_directory(), 0)).expect("there is room");
    let options = Options { segment_bytes: SEGMENT_BYTES_MIN, nonce: 7 };
    let log = finish(Log::open(disk.clone(), remains, options)).expect("there is room");
    log.adopt(GROUP, GroupCursor::default());
    for index in 1..=ENTRIES {
        let hard_state = Some(HardState { term: Term(1), vote: MemberId(1), commit: Index(index - 1) });
        log.append(vec![Update { group: GROUP, hard_state, entries: vec![entry_of(index)] }]).expect("it is taken");
        if index % 3 == 0 {
            finish(log.flush()).expect("it becomes durable");
        }
    }
    drop(log);
    disk
}

fn damaged(disk: &SimulatedDisk, input: &[u8]) -> PathBuf {
    let path = data_directory().join("log-0").join(segment_name(1));
    let content = disk.contents(&path).expect("the log has a segment");
    let mut content = content.to_vec();
    let blocks = content.len() / BLOCK_BYTES;
    for damage in input.chunks_exact(DAMAGE_BYTES).take(DAMAGES_MAX) {
        let block = usize::from(u16::from_le_bytes([damage[0], damage[1]])) % blocks * BLOCK_BYTES;
        let at = block + usize::from(u16::from_le_bytes([damage[2], damage[3]])) % BLOCK_BYTES;
        match damage[4] {
            0 => content[block..block + BLOCK_BYTES].fill(0),
            1 => content[block..at].fill(0),
            2 => content[at..block + BLOCK_BYTES].fill(0),
            3 => content.copy_within(at / BLOCK_BYTES * BLOCK_BYTES..block + BLOCK_BYTES, 0),
            change => content[at] ^= change,
        }
    }
    let file = finish(disk.open(&path, Access::Write)).expect("it is there");
    let mut buffer = file.buffer(content.len());
    buffer.copy_from_slice(&content);
    finish(file.write(buffer, 0)).expect("there is room");
    finish(file.sync()).expect("nothing fails");
    path
}
