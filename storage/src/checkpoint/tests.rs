//! Checkpoints on a disk that crashes, rots, fails and fills up.

use std::io;
use std::path::Path;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::bounds::{BLOCK_BYTES, VERSION_BYTES_MAX};
use crate::disk::Disk;
use crate::disk::simulated::{Crash, SimulatedDisk, data_directory, run};
use crate::error::{Error, Result};
use crate::ids::{LeaseId, Position, Revision, ShardId};
use crate::log::Floors;

const HEADER: Header = Header { cluster: 0xcafe, revision: Revision(77), shards: 3 };
const FIRST: Number = Number(1);

/// A version, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    key: Vec<u8>,
    value: Vec<u8>,
    revision: i64,
    tombstone: bool,
}

impl Owned {
    fn version(&self) -> Version<'_> {
        Version {
            key: &self.key,
            value: &self.value,
            create_revision: Revision(self.revision - 1),
            position: Position { revision: Revision(self.revision), sub: 3 },
            version: 2,
            lease: LeaseId(-5),
            tombstone: self.tombstone,
        }
    }
}

fn disk(seed: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(seed, &data_directory());
    run(create_directory(&disk, &data_directory())).expect("nothing fails yet");
    disk
}

fn versions(seed: u64, count: usize, value_bytes_max: usize) -> Vec<Owned> {
    let mut random = StdRng::seed_from_u64(seed);
    let owned = |number: usize| Owned {
        key: format!("key-{number:08}").into_bytes(),
        value: (0..random.random_range(0..=value_bytes_max)).map(|_| random.random()).collect(),
        revision: random.random_range(2..1 << 40),
        tombstone: random.random_bool(0.1),
    };
    (0..count).map(owned).collect()
}

/// Writes the versions to all three shards in turns.
async fn write(disk: &SimulatedDisk, number: Number, meta: &[u8], all: &[Owned]) -> Result<u64> {
    let mut writer = Writer::begin(disk.clone(), &data_directory(), number, HEADER, meta).await?;
    let mut encoders: Vec<ChunkEncoder> = (0..3).map(|shard| ChunkEncoder::new(ShardId(shard))).collect();
    for (number, owned) in all.iter().enumerate() {
        let encoder = &mut encoders[number % 3];
        encoder.add(&owned.version())?;
        if encoder.is_full() {
            writer.write_chunk(&encoder.finish().expect("it is full")).await?;
        }
    }
    for encoder in &mut encoders {
        if let Some(chunk) = encoder.finish() {
            writer.write_chunk(&chunk).await?;
        }
    }
    writer.finish().await
}

/// Reads it all back, a list for each shard.
async fn read(disk: &SimulatedDisk, path: &Path) -> Result<(Bytes, Vec<Vec<Owned>>)> {
    let mut reader = Reader::open(disk, path).await?;
    assert_eq!(reader.header(), &HEADER);
    let mut shards = vec![Vec::new(); 3];
    while let Some(chunk) = reader.next_chunk().await? {
        let decoded = chunk.decode()?;
        for version in decoded.versions() {
            let version = version?;
            let owned = Owned {
                key: version.key.to_vec(),
                value: version.value.to_vec(),
                revision: version.position.revision.0,
                tombstone: version.tombstone,
            };
            assert_eq!(owned.version(), version);
            shards[chunk.shard().0 as usize].push(owned);
        }
    }
    assert!(reader.next_chunk().await?.is_none(), "it stays at its end");
    Ok((reader.meta().clone(), shards))
}

fn path(number: Number) -> std::path::PathBuf {
    checkpoint_path(&data_directory(), number)
}

#[test]
fn comes_back_as_it_went() {
    for (count, value_bytes) in [(0, 0), (1, 0), (3000, 600), (5, 2 << 20)] {
        let disk = disk(1);
        let all = versions(2, count, value_bytes);
        let meta: Vec<u8> = (0..600_000_u32).map(|number| number as u8).collect();
        run(write(&disk, FIRST, &meta, &all)).expect("written");
        let (found_meta, shards) = run(read(&disk, &path(FIRST))).expect("whole");
        assert_eq!(found_meta, meta);
        for (shard, found) in shards.iter().enumerate() {
            let expected: Vec<Owned> = all.iter().skip(shard).step_by(3).cloned().collect();
            assert_eq!(found, &expected, "shard {shard} of {count} versions");
        }
    }
}

#[test]
fn rot_anywhere_is_reported_with_the_file() {
    let original = disk(1);
    run(write(&original, FIRST, b"meta", &versions(3, 40, 300))).expect("written");
    let bytes = original.contents(&path(FIRST)).expect("it is there");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("it is not empty") as u64;
    for at in 0..used {
        let disk = disk(1);
        run(write(&disk, FIRST, b"meta", &versions(3, 40, 300))).expect("written");
        disk.corrupt(&path(FIRST), at..at + 1);
        match run(read(&disk, &path(FIRST))).expect_err("damage") {
            Error::Corrupt { path: found, offset, .. } => assert!(found == path(FIRST) && offset <= at, "byte {at}"),
            other => panic!("byte {at}: {other}"),
        }
    }
}

#[test]
fn a_file_that_was_cut_off_is_reported() {
    let disk = disk(1);
    run(write(&disk, FIRST, b"meta", &versions(3, 400, 300))).expect("written");
    let size = disk.contents(&path(FIRST)).expect("it is there").len();
    for blocks in 0..size / BLOCK_BYTES {
        run(async {
            let file = disk.open(&path(FIRST), crate::disk::Access::Write).await?;
            crate::disk::File::truncate(&file, (size - (blocks + 1) * BLOCK_BYTES) as u64).await
        })
        .expect("cut");
        assert!(run(read(&disk, &path(FIRST))).expect_err("damage").is_corrupt());
    }
}

/// Crashes at every operation of writing a checkpoint and making it live: afterwards it is live and whole, or not there.
#[test]
fn is_live_as_a_whole_or_not_at_all() {
    for how in [Crash::Power, Crash::Process] {
        for operation in 1.. {
            let disk = disk(operation);
            let all = versions(1, 200, 3000);
            run(write(&disk, FIRST, b"first", &all)).expect("written");
            let old = Manifest::default().advance(FIRST, Revision(5), Floors::new());
            run(old.write(&disk, &data_directory())).expect("live");
            disk.crash_at(disk.operations() + operation, how);
            let new = old.advance(Number(2), Revision(9), Floors::new());
            let done = run(async {
                write(&disk, Number(2), b"second", &all).await?;
                new.write(&disk, &data_directory()).await?;
                remove_older(&disk, &data_directory(), &new).await
            });
            let crashed = disk.has_crashed();
            disk.crash(Crash::Power);
            disk.restart();
            let found = run(Manifest::read(&disk, &data_directory())).expect("whole");
            assert!(found == new || (found == old && done.is_err()), "operation {operation}");
            run(tidy(&disk, &data_directory(), &found)).expect("tidied");
            let live = found.live.as_ref().expect("one is live").number;
            let (meta, _) = run(read(&disk, &path(live))).expect("the live one is whole");
            assert_eq!(meta, if live == FIRST { "first" } else { "second" });
            let kept = run(disk.list(&data_directory().join("checkpoints"))).expect("listed").len() as u64;
            assert_eq!(kept, live.0, "nothing is left over");
            if !crashed {
                break;
            }
        }
    }
}

#[test]
fn a_failing_disk_leaves_the_old_one_live() {
    for kind in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
        for operation in 1.. {
            let disk = disk(operation);
            disk.fail_at(disk.operations() + operation, kind);
            let written = run(write(&disk, FIRST, b"meta", &versions(1, 200, 3000)));
            let Err(error) = written else { break };
            assert_eq!(error.is_full(), kind == io::ErrorKind::StorageFull, "operation {operation}: {error}");
            run(write(&disk, FIRST, b"again", &versions(1, 20, 30))).expect("the next attempt does it");
            assert_eq!(run(read(&disk, &path(FIRST))).expect("whole").0, "again");
        }
    }
}

#[test]
fn a_full_disk_is_told_and_gets_its_room_back() {
    let disk = disk(1);
    disk.set_capacity(300_000);
    let mut writer = run(Writer::begin(disk.clone(), &data_directory(), FIRST, HEADER, b"")).expect("room");
    let all = versions(1, 1200, 3000);
    let mut encoder = ChunkEncoder::new(ShardId(0));
    let mut refused = None;
    for owned in &all {
        encoder.add(&owned.version()).expect("small");
        if encoder.is_full()
            && let Err(error) = run(writer.write_chunk(&encoder.finish().expect("full")))
        {
            refused = Some(error);
            break;
        }
    }
    assert!(refused.expect("it does not fit").is_full());
    run(writer.abandon()).expect("removed");
    assert!(run(disk.list(&data_directory().join("checkpoints"))).expect("listed").is_empty());
}

#[test]
fn goes_to_another_member_in_pieces() {
    let (here, there) = (disk(1), disk(2));
    run(write(&here, FIRST, b"meta", &versions(1, 900, 3000))).expect("written");
    let source = run(Source::open(&here, &path(FIRST))).expect("it is there");
    run(here.remove(&path(FIRST))).expect("removed while it is sent");
    let number = Number(9);
    let mut receiver = run(Receiver::begin(there.clone(), &data_directory(), number, source.bytes())).expect("room");
    loop {
        let piece = run(source.read_chunk(receiver.received(), 100_001)).expect("still readable");
        if piece.is_empty() {
            break;
        }
        let wrong = run(receiver.write(receiver.received() + 1, &piece)).expect_err("out of order");
        assert!(matches!(wrong, Error::Foreign { .. }));
        run(receiver.write(receiver.received(), &piece)).expect("in order");
    }
    assert!(matches!(run(receiver.write(receiver.received(), b"more")), Err(Error::Foreign { .. })));
    let (header, meta) = run(receiver.finish()).expect("whole");
    assert_eq!((header, &meta[..]), (HEADER, &b"meta"[..]));
    assert_eq!(run(read(&there, &path(number))).expect("whole").1.concat().len(), 900);
}

#[test]
fn what_arrives_damaged_or_short_is_not_kept() {
    let (here, there) = (disk(1), disk(2));
    run(write(&here, FIRST, b"meta", &versions(1, 20, 3000))).expect("written");
    let bytes = here.contents(&path(FIRST)).expect("it is there");
    let receive = |bytes: &[u8], announced: usize| {
        run(async {
            let mut receiver = Receiver::begin(there.clone(), &data_directory(), FIRST, announced as u64).await?;
            receiver.write(0, bytes).await?;
            receiver.finish().await
        })
    };
    let mut damaged = bytes.to_vec();
    damaged[500] ^= 1;
    assert!(receive(&damaged, damaged.len()).expect_err("damaged").is_corrupt());
    assert!(receive(&bytes[..BLOCK_BYTES], bytes.len()).expect_err("short").is_corrupt());
    assert!(matches!(receive(&bytes, bytes.len() + 1), Err(Error::Foreign { .. })));
    assert!(matches!(receive(&bytes, 1 << 50), Err(Error::TooLarge { .. })));
    assert!(run(there.list(&data_directory().join("checkpoints"))).expect("listed").is_empty());
    assert!(receive(&bytes, bytes.len()).is_ok());
}

#[test]
fn bounds_are_refused() {
    let huge = Owned { key: vec![0; VERSION_BYTES_MAX], value: Vec::new(), revision: 2, tombstone: false };
    let refused = ChunkEncoder::new(ShardId(0)).add(&huge.version());
    assert!(matches!(refused, Err(Error::TooLarge { what: "a version", .. })));
    let disk = disk(1);
    run(write(&disk, FIRST, b"", &[])).expect("written");
    let source = run(Source::open(&disk, &path(FIRST))).expect("it is there");
    assert!(matches!(run(source.read_chunk(0, 5 << 20)), Err(Error::TooLarge { .. })));
    assert!(run(source.read_chunk(1 << 60, 10)).expect("behind the end").is_empty());
}
