//! Damages what was durable on the disk of a member: fewer than half of the voters, for nothing helps beyond that.
//!
//! A record in front of others is struck, never the last one of a log: rot there looks like a torn write, and no log can
//! tell the two apart.

use super::World;
use crate::plan::fault::Damage;
use campanile_storage::bounds::BLOCK_BYTES;
use campanile_storage::disk::simulated::{Crash, SimulatedDisk, data_directory, run};
use campanile_storage::disk::{Access, Disk, File};
use campanile_storage::log::record;
use campanile_storage::log::segment::{self, Name};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// How long the member is down.
const DOWN: Duration = Duration::from_millis(100);

impl World {
    /// Power is lost, and something on the disk is damaged meanwhile.
    pub(super) fn ruin(&mut self, member: usize, damage: Damage) {
        let ruined = self.members.iter().filter(|member| member.is_ruined).count();
        if (ruined + 1) * 2 >= self.members.len() || self.members[member].is_ruined || !self.members[member].is_up() {
            return;
        }
        self.end(member, Crash::Power);
        self.start_again(member, DOWN);
        let disk = self.members[member].disk.clone();
        disk.hold(false);
        let records = inner_records(&disk);
        if records.is_empty() {
            return;
        }
        let (path, range) = &records[self.dice.place(records.len())];
        match damage {
            Damage::Rot => disk.corrupt(path, range.end - 1..range.end),
            Damage::Unreadable => disk.make_unreadable(path, range.start..range.start + 1),
            Damage::Misdirected => run(async {
                let file = disk.open(path, Access::Write).await.expect("it was just read");
                let mut other = file.buffer(BLOCK_BYTES);
                other.fill(0x5a);
                file.write(other, range.start).await.expect("there is room");
                file.sync().await.expect("nothing fails");
            }),
        }
        self.members[member].is_ruined = true;
        self.counts.note("durable data damaged");
    }
}

/// Records that stand in front of another one of the same segment: file and range of bytes.
fn inner_records(disk: &SimulatedDisk) -> Vec<(PathBuf, Range<u64>)> {
    let mut found = Vec::new();
    let directory = data_directory();
    for name in run(disk.list(&directory)).expect("the directory is there") {
        if segment::parse_directory_name(&name).is_none() {
            continue;
        }
        let log = directory.join(name);
        for name in run(disk.list(&log)).expect("the directory is there") {
            if matches!(segment::parse_name(&name), Some(Name::Segment(_))) {
                let mut records = records(disk, &log.join(name));
                records.pop();
                found.extend(records);
            }
        }
    }
    found
}

fn records(disk: &SimulatedDisk, path: &std::path::Path) -> Vec<(PathBuf, Range<u64>)> {
    let contents = disk.contents(path).expect("the file is there");
    let Ok(header) = segment::Header::decode(&contents) else { return Vec::new() };
    let mut found = Vec::new();
    let mut offset = segment::HEADER_BYTES as usize;
    while let Some(bytes) = contents.get(offset..)
        && let Some(record) = record::decode_header(bytes)
        && record.position.0 == header.start.0 + (offset as u64 - segment::HEADER_BYTES)
        && bytes.get(..record.length).is_some_and(|whole| record::is_whole(&record, header.salt, whole))
    {
        found.push((path.to_owned(), offset as u64..(offset + record.length) as u64));
        offset += record.length.next_multiple_of(BLOCK_BYTES);
    }
    found
}
