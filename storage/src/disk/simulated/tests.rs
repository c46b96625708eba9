//! The simulated disk keeps its word: what was made durable survives, and everything else reaches every fate.

use std::collections::BTreeSet;

use super::*;
use crate::bounds::BLOCK_BYTES;
use crate::disk::{Access, Disk, File};

const BLOCKS: usize = 2;

fn path() -> PathBuf {
    data_directory().join("file")
}

/// A durable file of zeros.
fn with_zeros(seed: u64) -> (SimulatedDisk, SimulatedFile) {
    let disk = SimulatedDisk::new(seed, &data_directory());
    let file = run(async {
        let file = disk.create(&path(), Access::Write).await?;
        file.write(file.buffer(BLOCKS * BLOCK_BYTES), 0).await?;
        file.sync().await?;
        disk.sync_directory(&data_directory()).await?;
        Ok::<_, Error>(file)
    });
    (disk, file.expect("nothing fails"))
}

fn ones() -> Vec<u8> {
    vec![1; BLOCKS * BLOCK_BYTES]
}

/// How many bytes of the file are ones after a loss of power.
fn ones_after_power_loss(disk: &SimulatedDisk) -> usize {
    disk.crash(Crash::Power);
    disk.restart();
    disk.contents(&path()).expect("its name is durable").iter().filter(|byte| **byte == 1).count()
}

#[test]
fn what_is_durable_survives() {
    for seed in 0..50 {
        let (disk, file) = with_zeros(seed);
        run(file.write(ones(), 0)).expect("written");
        run(file.sync()).expect("synced");
        assert_eq!(ones_after_power_loss(&disk), ones().len());
        let (disk, _) = with_zeros(seed);
        let file = run(disk.open(&path(), Access::WriteDurably)).expect("it is there");
        run(file.write(ones(), 0)).expect("written");
        assert_eq!(ones_after_power_loss(&disk), ones().len());
    }
}

#[test]
fn what_is_not_durable_is_kept_lost_or_torn() {
    let fates: BTreeSet<usize> = (0..200)
        .map(|seed| {
            let (disk, file) = with_zeros(seed);
            run(file.write(ones(), 0)).expect("written");
            assert_eq!(run(file.read(0, ones().len())).expect("read"), ones(), "it is seen at once");
            ones_after_power_loss(&disk)
        })
        .collect();
    assert!(fates.contains(&0) && fates.contains(&ones().len()), "{fates:?}");
    assert!(fates.contains(&BLOCK_BYTES) && fates.iter().any(|bytes| bytes % BLOCK_BYTES != 0), "{fates:?}");
}

#[test]
fn a_killed_process_loses_nothing_that_it_saw_and_makes_nothing_durable() {
    let mut fates = BTreeSet::new();
    for seed in 0..50 {
        let (disk, file) = with_zeros(seed);
        run(file.write(ones(), 0)).expect("written");
        disk.crash(Crash::Process);
        disk.restart();
        assert_eq!(disk.contents(&path()).expect("it is there"), ones());
        fates.insert(ones_after_power_loss(&disk));
    }
    assert!(fates.len() > 2, "{fates:?}");
}

#[test]
fn a_loss_of_power_may_lose_all_or_nothing() {
    for (how, bytes, names) in
        [(Crash::PowerLosingAll, 0, "file"), (Crash::PowerKeepingAll, ones().len(), "file second")]
    {
        let (disk, file) = with_zeros(1);
        run(file.write(ones(), 0)).expect("written");
        disk.crash_at(disk.operations() + 1, how);
        assert!(run(disk.create(&data_directory().join("second"), Access::Write)).is_err());
        disk.restart();
        assert_eq!(run(disk.list(&data_directory())).expect("listed").join(" "), names);
        for _ in 0..2 {
            let kept = disk.contents(&path()).expect("its name is durable");
            assert_eq!(kept.iter().filter(|byte| **byte == 1).count(), bytes, "{how:?}");
            // What is there after a loss of power is durable.
            disk.crash(Crash::PowerLosingAll);
            disk.restart();
        }
    }
}

#[test]
fn what_is_asked_for_is_recorded() {
    let (disk, file) = with_zeros(1);
    disk.record();
    run(file.write(ones(), 0)).expect("written");
    disk.crash_at(disk.operations() + 1, Crash::Power);
    assert!(run(file.sync()).is_err());
    let record: Vec<_> = disk.take_record().into_iter().map(|operation| (operation.what, operation.path)).collect();
    assert_eq!(record, [("write", path()), ("sync", path())]);
    assert!(disk.take_record().is_empty());
}

#[test]
fn names_survive_in_order() {
    let mut fates = BTreeSet::new();
    for seed in 0..100 {
        let (disk, _) = with_zeros(seed);
        let name = |name: &str| data_directory().join(name);
        run(disk.rename(&path(), &name("second"))).expect("renamed");
        run(disk.create(&name("third"), Access::Write)).expect("created");
        disk.crash(Crash::Power);
        disk.restart();
        fates.insert(run(disk.list(&data_directory())).expect("listed").join(" "));
    }
    assert_eq!(fates.into_iter().collect::<Vec<_>>(), ["file", "second", "second third"]);
}

#[test]
fn a_failed_sync_forgets_what_it_did_not_write() {
    let (disk, file) = with_zeros(1);
    run(file.write(ones(), 0)).expect("written");
    disk.fail_at(disk.operations() + 1, io::ErrorKind::Other);
    assert!(run(file.sync()).is_err());
    run(file.sync()).expect("the next one says nothing of it");
    assert_eq!(ones_after_power_loss(&disk), 0);
}

#[test]
fn held_operations_end_in_the_order_that_is_chosen() {
    let (disk, file) = with_zeros(1);
    disk.hold(true);
    let mut first = Box::pin(file.write(ones(), 0));
    let mut second = Box::pin(file.write(vec![2; BLOCK_BYTES], 0));
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending() && second.as_mut().poll(&mut context).is_pending());
    assert_eq!(disk.held(), 2);
    disk.complete(1);
    assert!(first.as_mut().poll(&mut context).is_pending() && second.as_mut().poll(&mut context).is_ready());
    disk.complete(0);
    assert!(first.as_mut().poll(&mut context).is_ready());
    assert_eq!(disk.contents(&path()).expect("it is there"), ones(), "the last one to end wins");
}
