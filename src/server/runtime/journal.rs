//! Makes an executor's batches durable, one after the other, and says so.
//!
//! A batch of the core is one record of the log. One that is too large for a record becomes several; the commit index
//! then stands with the last, so that it never points behind what is there.

use super::signal::Signal;
use bytes::Bytes;
use campanile_core::clock::batch::ENTRY_BYTES_MAX;
use campanile_core::executor::effect::Replacement;
use campanile_storage::bounds::{PAYLOAD_BYTES_MAX, RECORD_BYTES_MAX};
use campanile_storage::disk::Disk;
use campanile_storage::error::Error;
use campanile_storage::ids::{GroupId, Index};
use campanile_storage::log::{Batch, Cut, Entry, Floors, GroupCursor, HardState, Log, Update, batch_bytes};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one record leaves for its own header and its sections'.
const RECORD_HEADROOM_BYTES: usize = 64 * 1024;

const _: () = {
    assert!(ENTRY_BYTES_MAX <= PAYLOAD_BYTES_MAX, "the log holds any entry");
    assert!(PAYLOAD_BYTES_MAX + RECORD_HEADROOM_BYTES <= RECORD_BYTES_MAX, "a record holds any entry");
};

/// A batch that is durable.
#[derive(Clone, Copy, Debug)]
pub struct Durable {
    pub batch: u64,
    /// As handed to the log; its own headers and padding are not among them.
    pub bytes: usize,
    /// From its submission until it was durable.
    pub took: Duration,
}

pub struct Journal<D: Disk> {
    log: Rc<Log<D>>,
    /// What a record holds of batches, in bytes.
    record_bytes_max: usize,
    /// Groups that this log has taken in.
    adopted: RefCell<BTreeSet<GroupId>>,
    next: RefCell<Option<(u64, Batch)>>,
    wake: Signal,
    /// Where the groups begin, as the manifest says: what lies before is to go.
    floors: RefCell<Option<Arc<Floors>>>,
    wake_release: Signal,
}

impl<D: Disk> Journal<D> {
    /// Goes on where recovery found the groups' logs to end, and gives back what lies before their beginnings: the member
    /// may have ended before it came to that, or may begin anew from a checkpoint that it was sent. A batch of more than
    /// `record_bytes_max` is several records, as is one that is larger than the log's own bound.
    #[must_use]
    pub fn new(
        log: Rc<Log<D>>,
        cursors: BTreeMap<GroupId, GroupCursor>,
        floors: Arc<Floors>,
        record_bytes_max: usize,
    ) -> Rc<Journal<D>> {
        let adopted = RefCell::new(cursors.keys().copied().collect());
        for (group, cursor) in cursors {
            log.adopt(group, cursor);
        }
        let record_bytes_max = record_bytes_max.min(log.record_bytes_max() - RECORD_HEADROOM_BYTES);
        let journal = Journal {
            log,
            record_bytes_max,
            adopted,
            next: RefCell::new(None),
            wake: Signal::default(),
            floors: RefCell::new(None),
            wake_release: Signal::default(),
        };
        journal.release(floors);
        Rc::new(journal)
    }

    /// Takes a batch. The core gives the next one when this one is durable.
    pub fn write(&self, number: u64, batch: Batch) {
        let before = self.next.replace(Some((number, batch)));
        assert!(before.is_none(), "one batch is under way at a time");
        self.wake.set();
    }

    /// Writes what comes, for ever. `durable` is told of each batch.
    ///
    /// # Errors
    /// The first one of the disk. Nothing may be acknowledged after it: the member must stop.
    pub async fn run(self: Rc<Self>, durable: impl Fn(Durable)) -> Result<(), Error> {
        loop {
            self.wake.wait().await;
            let Some((number, batch)) = self.next.take() else { continue };
            batch.iter().for_each(|update| self.adopt_if_new(update.group));
            let (bytes, begin) = (batch_bytes(&batch), Instant::now());
            for record in split(batch, self.record_bytes_max) {
                // One after the other: a batch may be more than the log lets wait.
                let ticket = self.log.append(record)?;
                while self.log.flush().await? < ticket {}
            }
            durable(Durable { batch: number, bytes, took: begin.elapsed() });
        }
    }
}

impl<D: Disk> Journal<D> {
    /// A group that writes for the first time begins its log here.
    fn adopt_if_new(&self, group: GroupId) {
        if self.adopted.borrow_mut().insert(group) {
            self.log.adopt(group, GroupCursor::default());
        }
    }

    /// Where these groups begin once a checkpoint with these cuts is live.
    #[must_use]
    pub fn cut(&self, cuts: &[(GroupId, Cut)]) -> Floors {
        let state = |&(group, cut): &(GroupId, Cut)| {
            self.adopt_if_new(group);
            (group, self.log.cut(group, cut))
        };
        cuts.iter().map(state).collect()
    }

    /// Where these groups begin once an installed checkpoint stands for everything up to these cuts. Nothing is written
    /// to them after this question.
    #[must_use]
    pub fn replace(&self, replacements: &[(GroupId, Cut, Replacement)]) -> Floors {
        let state = |&(group, cut, replacement): &(GroupId, Cut, Replacement)| {
            self.adopt_if_new(group);
            let state = match replacement {
                Replacement::Keep => self.log.cut(group, cut),
                Replacement::Reset(hard_state) => self.log.reset(group, cut, hard_state),
            };
            (group, state)
        };
        replacements.iter().map(state).collect()
    }

    /// The manifest says where the groups begin: what lies before may go.
    pub fn release(&self, floors: Arc<Floors>) {
        self.floors.replace(Some(floors));
        self.wake_release.set();
    }

    /// Gives back what may go, for ever.
    pub async fn run_release(self: Rc<Self>) {
        loop {
            self.wake_release.wait().await;
            let Some(floors) = self.floors.take() else { continue };
            if let Err(error) = self.log.release(&floors).await {
                tracing::warn!(%error, "cannot give back what a checkpoint made superfluous; the next one tries again");
            }
        }
    }
}

/// Cuts a batch into records of at most so many bytes, if it is larger.
fn split(batch: Batch, bytes_max: usize) -> Vec<Batch> {
    if batch_bytes(&batch) <= bytes_max {
        return vec![batch];
    }
    let mut records: Vec<Batch> = vec![Vec::new()];
    let mut bytes = 0;
    for update in batch {
        for part in parts(update, bytes_max / 2) {
            let part_bytes = batch_bytes(std::slice::from_ref(&part));
            if bytes + part_bytes > bytes_max && bytes > 0 {
                records.push(Vec::new());
                bytes = 0;
            }
            bytes += part_bytes;
            records.last_mut().expect("there is a record").push(part);
        }
    }
    records
}

/// Cuts one group's update between entries. Term and vote stand with every part; the commit index is no part's own
/// entries' before they are there.
fn parts(update: Update, bytes_max: usize) -> Vec<Update> {
    let mut chunks: Vec<Vec<Entry>> = vec![Vec::new()];
    let mut bytes = 0;
    for entry in update.entries {
        let entry_bytes = Bytes::len(&entry.payload);
        if bytes + entry_bytes > bytes_max && bytes > 0 {
            chunks.push(Vec::new());
            bytes = 0;
        }
        bytes += entry_bytes;
        chunks.last_mut().expect("there is a chunk").push(entry);
    }
    let count = chunks.len();
    let with_commit = |(number, entries): (usize, Vec<Entry>)| {
        let end = entries.last().map_or(Index(0), |entry| entry.index);
        let up_to_end = |hard_state: HardState| match number + 1 == count {
            true => hard_state,
            false => HardState { commit: hard_state.commit.min(end), ..hard_state },
        };
        Update { group: update.group, hard_state: update.hard_state.map(up_to_end), entries }
    };
    chunks.into_iter().enumerate().map(with_commit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_storage::ids::{MemberId, Term};

    fn entry(index: u64, bytes: usize) -> Entry {
        Entry { index: Index(index), term: Term(1), kind: 0, payload: Bytes::from(vec![0; bytes]) }
    }

    #[test]
    fn a_large_batch_becomes_several_records_in_order() {
        let hard_state = HardState { term: Term(1), vote: MemberId(1), commit: Index(4) };
        let entries = (1..=6).map(|index| entry(index, 1000)).collect();
        let batch = vec![Update { group: GroupId(1), hard_state: Some(hard_state), entries }];
        let records = split(batch.clone(), 4000);
        assert!(records.len() > 1);
        let mut seen = 0;
        for update in records.iter().flatten() {
            for entry in &update.entries {
                seen += 1;
                assert_eq!(entry.index.0, seen);
            }
            assert!(update.hard_state.is_some_and(|state| state.commit.0 <= seen), "no commit points behind the end");
        }
        assert_eq!(seen, 6);
        assert_eq!(split(batch.clone(), 1 << 20), [batch]);
    }
}
