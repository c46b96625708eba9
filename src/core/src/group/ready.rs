//! What a group hands out: what is to be made durable, what is to be sent, and what is committed.
//!
//! A message that attests something stays here until the batch is durable that holds what it attests.

use super::conversion::{from_raft, from_raft_state};
use super::node::Group;
use crate::planted::planted;
use campanile_storage::ids::{Index, MemberId, Term};
use campanile_storage::log::{Entry, HardState, Update};
use raft::eraftpb::Message;

/// An entry that is committed, in log order.
#[derive(Clone, Debug)]
pub struct CommittedEntry {
    pub entry: Entry,
    /// Whether this member saw it committed while the group was still in the entry's own term.
    pub in_own_term: bool,
}

/// What a group wants done. Appends go into the batch that was named to [`Group::collect`].
#[derive(Debug, Default)]
pub struct Collected {
    pub append: Option<Update>,
    pub messages: Vec<Message>,
    pub committed: Vec<CommittedEntry>,
    /// Contexts of read-index questions that a quorum has confirmed.
    pub confirmed: Vec<Vec<u8>>,
}

/// What waits for a batch to be durable.
#[derive(Debug)]
pub(super) struct Unpersisted {
    batch: u64,
    ready: u64,
    term: Term,
    messages: Vec<Message>,
}

impl Group {
    /// Takes what is to be done since the last call. What must be durable belongs to the given batch. A group that has very
    /// much to hand out, as after a restart, hands out a part; the next call goes on.
    pub fn collect(&mut self, batch: u64, collected: &mut Collected) {
        let mut committed_bytes = 0;
        while committed_bytes < self.committed_bytes_max && self.raw.has_ready() {
            let mut ready = self.raw.ready();
            collected.messages.append(&mut ready.take_messages());
            let persisted_messages = ready.take_persisted_messages();
            collected.confirmed.extend(ready.take_read_states().into_iter().map(|state| state.request_ctx));
            let must_persist = ready.must_sync() || !ready.entries().is_empty();
            if let Some(hard_state) = ready.hs() {
                self.hard_state = from_raft_state(hard_state);
            }
            let entries = ready.take_entries();
            if must_persist {
                self.append_to(&entries, collected);
            }
            self.raw.mut_store().append(entries);
            let committed = ready.take_committed_entries();
            let number = ready.number();
            self.raw.advance_append_async(ready);
            self.raw.advance_apply();
            self.await_batch(batch, number, must_persist, persisted_messages, collected);
            for entry in committed {
                committed_bytes += entry.data.len() as u64;
                self.hand_out(&entry, collected);
            }
            self.notice_commit();
        }
    }

    fn append_to(&self, entries: &[raft::eraftpb::Entry], collected: &mut Collected) {
        let append =
            collected.append.get_or_insert_with(|| Update { group: self.id, hard_state: None, entries: Vec::new() });
        append.hard_state = Some(self.hard_state);
        if planted!(VoteForgotten) {
            append.hard_state = Some(HardState { vote: MemberId::NONE, ..self.hard_state });
        }
        append.entries.extend(entries.iter().map(from_raft));
    }

    /// Messages that attest something wait for the batch that makes it durable, or for the newest one under way.
    fn await_batch(
        &mut self,
        batch: u64,
        ready: u64,
        must_persist: bool,
        messages: Vec<Message>,
        collected: &mut Collected,
    ) {
        if planted!(SendBeforeDurable) {
            collected.messages.extend(messages.iter().cloned());
        }
        let batch = match self.unpersisted.back() {
            _ if must_persist => batch,
            Some(newest) => newest.batch,
            None => {
                self.raw.on_persist_ready(ready);
                collected.messages.extend(messages);
                return;
            }
        };
        self.unpersisted.push_back(Unpersisted { batch, ready, term: self.hard_state.term, messages });
    }

    /// Everything up to this batch is durable. Returns the messages that waited for it.
    pub fn persisted(&mut self, batch: u64) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(unpersisted) = self.unpersisted.pop_front_if(|unpersisted| unpersisted.batch <= batch) {
            self.raw.on_persist_ready(unpersisted.ready);
            self.durable_term = unpersisted.term;
            messages.extend(unpersisted.messages);
        }
        self.notice_commit();
        messages
    }

    fn hand_out(&mut self, entry: &raft::eraftpb::Entry, collected: &mut Collected) {
        let in_own_term = self.commits.noticed_in(Index(entry.index)) == Some(Term(entry.term));
        collected.committed.push(CommittedEntry { entry: from_raft(entry), in_own_term });
    }
}
