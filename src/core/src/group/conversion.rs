//! Entries and hard states as raft-rs has them, and as the log has them.

use campanile_storage::ids::{Index, MemberId, Term};
use campanile_storage::log::{Entry, HardState};
use raft::eraftpb::EntryType;

/// An entry whose payload is ours to read. An empty one is Raft's own, written by a new leader.
pub const NORMAL: u8 = 0;
/// An entry that changes the group's configuration, in raft-rs's encoding.
pub const CONFIGURATION: u8 = 2;

pub(super) fn to_raft(entry: Entry) -> raft::eraftpb::Entry {
    let mut raft_entry =
        raft::eraftpb::Entry { index: entry.index.0, term: entry.term.0, data: entry.payload, ..Default::default() };
    if entry.kind == CONFIGURATION {
        raft_entry.set_entry_type(EntryType::EntryConfChangeV2);
    }
    raft_entry
}

pub(super) fn from_raft(entry: &raft::eraftpb::Entry) -> Entry {
    let kind = match entry.get_entry_type() {
        EntryType::EntryNormal => NORMAL,
        EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => CONFIGURATION,
    };
    Entry { index: Index(entry.index), term: Term(entry.term), kind, payload: entry.data.clone() }
}

pub(super) fn from_raft_state(state: &raft::eraftpb::HardState) -> HardState {
    HardState { term: Term(state.term), vote: MemberId(state.vote), commit: Index(state.commit) }
}
