//! Nothing leaves a member before what it attests is durable, and nothing that was durable is lost.
//!
//! A message that says "I have entries up to here" or "you have my vote" is compared with what the member's disk had
//! completed at that moment; so is the term that every message names. What a start finds is compared with it too.

use super::{Violation, promise};
use campanile_core::group::GroupStart;
use campanile_storage::ids::{GroupId, Index, MemberId, Term};
use campanile_storage::log::{Batch, Update};
use raft::eraftpb::{Message, MessageType};
use std::collections::BTreeMap;

const PROMISE: &str = "nothing leaves before what it attests is durable";
const LOST: &str = "what was durable is never lost";

/// What one member's disk has of one group.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    term: Term,
    vote: MemberId,
    /// A checkpoint stands for everything up to here.
    cut: Index,
    cut_term: Term,
    /// The terms of the entries behind the cut.
    terms: Vec<Term>,
}

impl Kept {
    fn last(&self) -> Index {
        Index(self.cut.0 + self.terms.len() as u64)
    }

    fn take(&mut self, update: &Update) {
        if let Some(state) = update.hard_state {
            (self.term, self.vote) = (state.term, state.vote);
        }
        if let Some(first) = update.entries.first() {
            self.terms.truncate((first.index.0 - self.cut.0) as usize - 1);
            self.terms.extend(update.entries.iter().map(|entry| entry.term));
        }
    }

    /// Whether the entry is there.
    #[must_use]
    pub fn has(&self, index: Index, term: Term) -> bool {
        index <= self.cut || self.terms.get((index.0 - self.cut.0) as usize - 1) == Some(&term)
    }
}

/// What all members' disks have.
#[derive(Debug, Default)]
pub struct Durability {
    kept: BTreeMap<(usize, GroupId), Kept>,
    /// By member and executor: the batch that is being written.
    writing: BTreeMap<(usize, u16), (u64, Batch)>,
}

impl Durability {
    /// An executor's batch is on its way to the disk.
    pub fn write(&mut self, member: usize, executor: u16, batch: u64, appends: &Batch) {
        self.writing.insert((member, executor), (batch, appends.clone()));
    }

    /// The disk says that it is durable.
    pub fn durable(&mut self, member: usize, executor: u16, batch: u64) {
        let (number, appends) = self.writing.remove(&(member, executor)).expect("what is durable was written");
        assert_eq!(number, batch, "batches become durable one after the other");
        for update in &appends {
            self.kept.entry((member, update.group)).or_default().take(update);
        }
    }

    /// The batch of an executor that is on its way to the disk.
    #[must_use]
    pub fn writing(&self, member: usize, executor: u16) -> Option<&Batch> {
        self.writing.get(&(member, executor)).map(|(_, batch)| batch)
    }

    /// Whether a member's disk has an entry.
    #[must_use]
    pub fn has(&self, member: usize, group: GroupId, index: Index, term: Term) -> bool {
        self.kept.get(&(member, group)).is_some_and(|kept| kept.has(index, term))
    }

    /// A member starts from what it found.
    ///
    /// # Errors
    /// If anything that was durable is missing.
    pub fn found<'a>(
        &mut self,
        member: usize,
        groups: impl Iterator<Item = (&'a GroupId, &'a GroupStart)>,
    ) -> Result<(), Violation> {
        self.writing.retain(|(at, _), _| *at != member);
        let mut before: BTreeMap<GroupId, Kept> = BTreeMap::new();
        self.kept.retain(|(at, group), kept| {
            if *at == member {
                before.insert(*group, kept.clone());
            }
            *at != member
        });
        for (&group, start) in groups {
            let state = start.hard_state;
            let terms = start.entries.iter().map(|entry| entry.term).collect();
            let found = Kept {
                term: state.term.max(start.cut.term),
                vote: state.vote,
                cut: start.cut.index,
                cut_term: start.cut.term,
                terms,
            };
            if let Some(kept) = before.remove(&group) {
                found.holds_all_of(&kept, member, group)?;
            }
            self.kept.insert((member, group), found);
        }
        let lost = before.iter().find(|(_, kept)| kept.term > Term(0));
        promise!(LOST, lost.is_none(), "member {member} finds nothing of {lost:?}");
        Ok(())
    }

    /// A Raft message leaves.
    ///
    /// # Errors
    /// If it attests what the member's disk does not have.
    pub fn send(&self, member: usize, group: GroupId, message: &Message) -> Result<(), Violation> {
        let nothing = Kept::default();
        let kept = self.kept.get(&(member, group)).unwrap_or(&nothing);
        let kind = message.get_msg_type();
        let names_term = !matches!(kind, MessageType::MsgRequestPreVote | MessageType::MsgRequestPreVoteResponse);
        promise!(
            PROMISE,
            !names_term || message.term <= kept.term.0,
            "member {member}, group {group}: {kind:?} of term {} while the disk has {}",
            message.term,
            kept.term
        );
        match kind {
            // What a member did in a term goes to its disk before a later term does. If the disk is in one, the entry is
            // there, or was replaced, perhaps by the same write.
            MessageType::MsgAppendResponse if !message.reject => promise!(
                PROMISE,
                message.term < kept.term.0 || message.index <= kept.last().0,
                "member {member}, group {group}: acknowledges entry {} while the disk ends at {}",
                message.index,
                kept.last()
            ),
            // Who is in a later term by now can give no other vote in this one.
            MessageType::MsgRequestVoteResponse if !message.reject => promise!(
                PROMISE,
                message.term < kept.term.0 || message.to == kept.vote.0,
                "member {member}, group {group}: gives {} a vote in term {} that the disk does not have",
                message.to,
                message.term
            ),
            _ => {}
        }
        Ok(())
    }
}

impl Kept {
    /// A start may find more than was known to be durable, and entries that replace those, never less.
    fn holds_all_of(&self, kept: &Kept, member: usize, group: GroupId) -> Result<(), Violation> {
        promise!(LOST, self.term >= kept.term, "member {member}, group {group}: the term went back to {}", self.term);
        let same_vote = self.term > kept.term || self.vote == kept.vote || kept.vote == MemberId::NONE;
        promise!(LOST, same_vote, "member {member}, group {group}: the vote for {} is forgotten", kept.vote);
        for (index, &term) in (kept.cut.0 + 1..).map(Index).zip(&kept.terms) {
            let replaced = *self.terms.last().unwrap_or(&self.cut_term) > term;
            promise!(
                LOST,
                self.has(index, term) || replaced,
                "member {member}, group {group}: entry {index} of term {term} is gone"
            );
        }
        Ok(())
    }
}
