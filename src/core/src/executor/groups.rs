//! Drives the Raft groups of an executor: hands messages in, takes what they hand out, and gathers what must be durable
//! into one batch. One batch is under way at a time; the next gathers meanwhile.

use super::Executor;
use super::effect::{CONTROL_EXECUTOR, Effect};
use super::message::Message;
use crate::codec::Malformed;
use crate::group::Collected;
use crate::peer::PeerMessage;
use crate::planted::planted;
use crate::shard::Shard;
use crate::time::Instant;
use campanile_storage::ids::{GroupId, MemberId};
use campanile_storage::log::Update;
use raft::eraftpb::MessageType;

/// The durable batches of one executor.
#[derive(Debug)]
pub struct Batches {
    /// The batch that gathers.
    gathering: u64,
    appends: Vec<Update>,
    under_way: bool,
}

impl Default for Batches {
    fn default() -> Batches {
        Batches { gathering: 1, appends: Vec::new(), under_way: false }
    }
}

impl Batches {
    /// Whether one is on its way to the disk.
    pub fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// Adds a group's entries and hard state. Later entries of a group follow its earlier ones in the same record, and
    /// replace those from their first index on, as when the log is read again.
    fn add(&mut self, append: Update) {
        let Some(earlier) = self.appends.iter_mut().find(|earlier| earlier.group == append.group) else {
            self.appends.push(append);
            return;
        };
        if let Some(first) = append.entries.first() {
            let kept = earlier.entries.partition_point(|entry| entry.index < first.index);
            earlier.entries.truncate(kept);
        }
        earlier.entries.extend(append.entries);
        earlier.hard_state = append.hard_state;
    }

    /// The batch under way is durable.
    pub fn persisted(&mut self, batch: u64) {
        assert!(self.under_way && batch + 1 == self.gathering, "batch {batch} was not under way");
        self.under_way = false;
    }

    /// Whether everything that was gathered is durable.
    pub fn are_done(&self) -> bool {
        !self.under_way && self.appends.is_empty()
    }
}

impl Executor {
    pub(super) fn take_peer(&mut self, from: MemberId, message: PeerMessage, now: Instant) {
        let host = message.group().shard().map_or(CONTROL_EXECUTOR, |shard| self.config.host(shard));
        if host != self.config.executor {
            return self.out.tell(host, Message::Peer { from, message });
        }
        let shard = match message.group().shard() {
            None => {
                if let Some(control) = &mut self.control {
                    control.peer(from, message, now, &mut self.out);
                }
                return;
            }
            Some(shard) => shard,
        };
        match message {
            PeerMessage::Raft { epoch, message, .. } => {
                if message.from != from.0 {
                    return;
                }
                let kind = message.get_msg_type();
                let asks_vote = matches!(kind, MessageType::MsgRequestVote | MessageType::MsgRequestPreVote);
                let is_old = epoch < self.epoch || epoch <= self.opens.newest_epoch();
                if asks_vote && is_old && !planted!(LaterLeaderCounts) {
                    return;
                }
                if let Some(shard) = self.shards.get_mut(&shard) {
                    shard.group.step(*message);
                }
            }
            PeerMessage::WinFor { epoch, .. } => self.win_for(shard, epoch, from),
            _ => {}
        }
    }

    /// A batch is durable: the messages that waited for it leave.
    pub(super) fn persisted(&mut self, batch: u64) {
        self.batches.persisted(batch);
        let mut messages = Vec::new();
        for shard in self.shards.values_mut() {
            messages.push((shard.group.id(), shard.group.persisted(batch)));
        }
        if let Some(control) = &mut self.control {
            messages.push((GroupId::CONTROL, control.group.persisted(batch)));
        }
        self.fill_windows();
        for (group, messages) in messages {
            self.send_raft(group, messages);
        }
        self.release_memory();
    }

    /// Proposes what was evaluated in this poll. A group that refuses what it had promised to take ends the reign.
    pub(super) fn flush(&mut self) {
        let refused = self.shards.values_mut().fold(false, |refused, shard| !shard.flush() | refused);
        if let (true, Some(reign)) = (refused, &self.reign) {
            let epoch = reign.epoch();
            self.out.tell(CONTROL_EXECUTOR, Message::Lost { epoch });
        }
    }

    pub(super) fn has_unflushed(&self) -> bool {
        self.shards.values().any(Shard::has_unflushed)
    }

    /// Takes what the groups hand out. Says whether there was anything that may lead to more.
    pub(super) fn collect(&mut self, now: Instant) -> Result<bool, Malformed> {
        let mut progressed = false;
        let batch = self.batches.gathering;
        let ids: Vec<_> = self.shards.keys().copied().collect();
        for id in ids {
            let shard = self.shards.get_mut(&id).expect("shards are never removed");
            let mut collected = Collected::default();
            shard.group.collect(batch, &mut collected);
            self.fill_windows();
            progressed |= !collected.committed.is_empty();
            self.hand_on(id.group(), &mut collected);
            let shard = self.shards.get_mut(&id).expect("shards are never removed");
            let applied = shard.apply(collected.committed, self.visible, &self.opens)?;
            self.tell_applied(id.group(), applied);
        }
        if let Some(control) = &mut self.control {
            let mut collected = Collected::default();
            control.group.collect(batch, &mut collected);
            progressed |= !collected.committed.is_empty() || !collected.confirmed.is_empty();
            control.fill_window();
            control.collected(&mut collected, now, &mut self.out)?;
            self.hand_on(GroupId::CONTROL, &mut collected);
        }
        Ok(progressed)
    }

    fn hand_on(&mut self, group: GroupId, collected: &mut Collected) {
        if let Some(append) = collected.append.take() {
            self.batches.add(append);
        }
        self.send_raft(group, std::mem::take(&mut collected.messages));
    }

    fn send_raft(&mut self, group: GroupId, messages: Vec<raft::eraftpb::Message>) {
        for message in messages {
            let to = MemberId(message.to);
            let message = PeerMessage::Raft { group, epoch: self.epoch, message: Box::new(message) };
            self.out.send(to, message);
        }
    }

    fn tell_applied(&mut self, group: GroupId, applied: crate::shard::Applied) {
        if !applied.committed.is_empty() {
            self.out.tell(CONTROL_EXECUTOR, Message::Committed { group, committed: applied.committed });
        }
        if let Some(epoch) = applied.fenced {
            self.out.tell(CONTROL_EXECUTOR, Message::Fenced { group, epoch });
        }
    }

    /// Sends the gathered batch on its way, if none is under way.
    pub(super) fn persist(&mut self) {
        if self.batches.under_way || self.batches.appends.is_empty() {
            return;
        }
        let batch = self.batches.gathering;
        self.batches.gathering += 1;
        self.batches.under_way = true;
        let appends = std::mem::take(&mut self.batches.appends);
        self.checkpointing.note_growth(&appends);
        self.out.push(Effect::Persist { batch, appends });
    }
}
