//! On the machine's own device: what is promised of it, and the log on top.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use glommio::LocalExecutor;

use super::*;
use crate::ids::{GroupId, Index, MemberId, Term};
use crate::log::{Entry, GroupCursor, HardState, Log, LogRemains, Options, Update, recover};

const SEGMENT_BYTES: u64 = 1 << 20;
const WRITES: u64 = 64;

/// A fresh directory beside the build's own files: /tmp may be without a device.
fn directory(name: &str) -> PathBuf {
    let executable = std::env::current_exe().expect("a test knows its own file");
    let directory = executable.parent().expect("it lies in a directory").join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).expect("the build's directory can be written");
    directory
}

fn on_executor<T>(directory: &Path, work: impl AsyncFnOnce(UringDisk) -> T) -> T {
    LocalExecutor::default().run(async { work(UringDisk::new(directory).await.expect("a disk")).await })
}

/// The counters of the device below a directory: flushes, and whether it can force a single write instead.
fn device(directory: &Path) -> Option<(u64, bool)> {
    let number = fs::metadata(directory).ok()?.dev();
    let mut device = PathBuf::from(format!("/sys/dev/block/{}:{}", libc::major(number), libc::minor(number)));
    if device.join("partition").exists() {
        device = device.canonicalize().ok()?.parent()?.to_owned();
    }
    let statistics = fs::read_to_string(device.join("stat")).ok()?;
    let flushes = statistics.split_whitespace().nth(15)?.parse().ok()?;
    let forces = fs::read_to_string(device.join("queue/fua")).ok()?.trim() == "1";
    Some((flushes, forces))
}

async fn zeroed(disk: UringDisk, path: &Path) {
    let file = disk.create(path, Access::Write).await.expect("created");
    file.write(file.buffer(SEGMENT_BYTES as usize), 0).await.expect("zeroed");
    file.sync().await.expect("synced");
}

#[test]
fn every_durable_write_reaches_the_medium() {
    let directory = directory("durable");
    let path = directory.join("file");
    let Some((before, forces)) = device(&directory) else {
        eprintln!("no block device below {}: nothing to count", directory.display());
        return;
    };
    on_executor(&directory, async |disk| {
        zeroed(disk, &path).await;
        let file = disk.open(&path, Access::WriteDurably).await.expect("opened");
        for number in 0..WRITES {
            file.write(file.buffer(BLOCK_BYTES), number * BLOCK_BYTES as u64).await.expect("written");
        }
    });
    let (after, _) = device(&directory).expect("the device is still there");
    println!("{WRITES} durable writes, {} flushes, forced writes: {forces}", after - before);
    assert!(forces || after - before >= WRITES, "{} flushes for {WRITES} durable writes", after - before);
    fs::remove_dir_all(directory).expect("removed");
}

#[test]
fn writes_and_reads_what_it_is_told() {
    let directory = directory("reads");
    on_executor(&directory, async |disk| {
        let (first, second) = (directory.join("first"), directory.join("second"));
        let file = disk.create(&first, Access::Write).await.expect("created");
        let mut buffer = file.buffer(2 * BLOCK_BYTES);
        assert!(buffer.as_bytes().iter().all(|byte| *byte == 0));
        buffer.as_bytes_mut()[BLOCK_BYTES..].fill(7);
        file.write(buffer, 0).await.expect("written");
        file.sync().await.expect("synced");
        assert!(disk.create(&first, Access::Write).await.is_err(), "the name is taken");
        disk.rename(&first, &second).await.expect("renamed");
        disk.sync_directory(&directory).await.expect("synced");
        assert_eq!(disk.list(&directory).await.expect("listed"), ["second"]);
        assert_eq!(file.size().await.expect("known"), 2 * BLOCK_BYTES as u64);
        let unaligned = file.read(BLOCK_BYTES as u64 - 2, 4).await.expect("read");
        assert_eq!(&unaligned[..], [0, 0, 7, 7]);
        assert_eq!(file.read(2 * BLOCK_BYTES as u64 - 1, 100).await.expect("read").len(), 1, "fewer at the end");
        assert!(file.read(1 << 20, 100).await.expect("read").is_empty());
        file.truncate(BLOCK_BYTES as u64).await.expect("cut");
        assert_eq!(file.size().await.expect("known"), BLOCK_BYTES as u64);
        disk.remove(&second).await.expect("removed");
        assert!(!disk.exists(&second).await.expect("known"));
        let missing = disk.open(&second, Access::Read).await.err().expect("it is gone");
        assert!(matches!(&missing, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound), "{missing}");
    });
    fs::remove_dir_all(directory).expect("removed");
}

#[test]
fn the_log_comes_back() {
    let directory = directory("log");
    let entry = |index| Entry { index: Index(index), term: Term(1), kind: 0, payload: Bytes::from(vec![7; 3000]) };
    let hard_state = HardState { term: Term(1), vote: MemberId(1), commit: Index(0) };
    on_executor(&directory, async |disk| {
        let remains = LogRemains::create(&disk, &directory, 0).await.expect("created");
        let options = Options { segment_bytes: SEGMENT_BYTES, nonce: 1 };
        let log = Log::open(disk, remains, options).await.expect("opened");
        log.adopt(GroupId(1), GroupCursor::default());
        for index in 1..=600 {
            let update = Update { group: GroupId(1), hard_state: Some(hard_state), entries: vec![entry(index)] };
            log.append(vec![update]).expect("there is room");
            if index % 3 == 0 {
                log.flush().await.expect("durable");
            }
        }
        log.maintain().await.expect("a spare");
        let recovered = recover(&disk, &directory, &BTreeMap::new()).await.expect("whole");
        let group = &recovered.groups[&GroupId(1)];
        assert_eq!((group.hard_state, group.entries.len()), (hard_state, 600));
        assert!(recovered.logs[&0].segments.len() > 2, "several segments");
    });
    fs::remove_dir_all(directory).expect("removed");
}
