//! The part of a group's log that raft-rs reads: the entries behind the newest cut, in memory.
//!
//! The disk is not read here. Entries are dropped from the front once they are applied and the bound is exceeded; a
//! follower that needs older ones is sent a checkpoint.

use campanile_storage::ids::{Index, Term};
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Result, StorageError};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};

#[derive(Debug)]
pub struct GroupStorage {
    hard_state: HardState,
    conf_state: ConfState,
    /// The entry just before the first one that is held.
    cut: (Index, Term),
    entries: VecDeque<Entry>,
    payload_bytes: usize,
    /// Followers that need entries which are gone; they need a checkpoint. raft-rs asks through a shared reference.
    behind: RefCell<BTreeSet<u64>>,
}

impl GroupStorage {
    pub fn new(hard_state: HardState, conf_state: ConfState, cut: (Index, Term), entries: Vec<Entry>) -> GroupStorage {
        let mut storage = GroupStorage {
            hard_state,
            conf_state,
            cut,
            entries: VecDeque::new(),
            payload_bytes: 0,
            behind: RefCell::default(),
        };
        storage.append(entries);
        storage
    }

    /// Appends entries; those that conflict with the first one's index are dropped, as Raft demands.
    pub fn append(&mut self, entries: Vec<Entry>) {
        let Some(first) = entries.first() else { return };
        assert!(first.index > self.cut.0.0, "an entry below the cut is appended");
        assert!(first.index <= self.last().0 + 1, "a gap before entry {}", first.index);
        while self.last().0 >= first.index {
            let dropped = self.entries.pop_back().expect("the last entry is above the cut");
            self.payload_bytes -= dropped.data.len();
        }
        self.payload_bytes += entries.iter().map(|entry| entry.data.len()).sum::<usize>();
        self.entries.extend(entries);
    }

    /// Drops entries from the front while more than `keep_bytes` are held, never beyond `up_to`.
    pub fn trim(&mut self, up_to: Index, keep_bytes: usize) {
        while self.payload_bytes > keep_bytes || keep_bytes == 0 {
            if self.entries.front().is_none_or(|entry| entry.index > up_to.0) {
                return;
            }
            let dropped = self.entries.pop_front().expect("the front was just seen");
            self.payload_bytes -= dropped.data.len();
            self.cut = (Index(dropped.index), Term(dropped.term));
        }
    }

    pub fn last(&self) -> Index {
        self.entries.back().map_or(self.cut.0, |entry| Index(entry.index))
    }

    pub fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// In time that grows with the number of entries behind this one.
    pub fn payload_bytes_up_to(&self, index: Index) -> usize {
        let behind = self.entries.iter().rev().take_while(|entry| entry.index > index.0);
        self.payload_bytes - behind.map(|entry| entry.data.len()).sum::<usize>()
    }

    /// The followers that needed entries which are gone, since this was last asked.
    pub fn take_behind(&self) -> BTreeSet<u64> {
        self.behind.take()
    }

    fn position(&self, index: u64) -> usize {
        usize::try_from(index - self.cut.0.0 - 1).expect("the log in memory is far shorter")
    }
}

impl raft::Storage for GroupStorage {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.conf_state.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        if low <= self.cut.0.0 {
            return Err(StorageError::Compacted.into());
        }
        assert!(high <= self.last().0 + 1, "entries up to {high} asked of a log that ends at {}", self.last());
        let size_max = max_size.into().unwrap_or(u64::MAX);
        let mut size = 0;
        let mut found = Vec::new();
        for entry in self.entries.range(self.position(low)..self.position(high)) {
            size += entry.data.len() as u64;
            if size > size_max && !found.is_empty() {
                break;
            }
            found.push(entry.clone());
        }
        Ok(found)
    }

    fn term(&self, index: u64) -> Result<u64> {
        if index == self.cut.0.0 {
            return Ok(self.cut.1.0);
        }
        if index < self.cut.0.0 {
            return Err(StorageError::Compacted.into());
        }
        self.entries.get(self.position(index)).map(|entry| entry.term).ok_or_else(|| StorageError::Unavailable.into())
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.cut.0.0 + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last().0)
    }

    /// A checkpoint goes to a member as a whole, for all groups at once, and never through one group's messages.
    fn snapshot(&self, _request_index: u64, to: u64) -> Result<Snapshot> {
        self.behind.borrow_mut().insert(to);
        Err(StorageError::SnapshotTemporarilyUnavailable.into())
    }
}
