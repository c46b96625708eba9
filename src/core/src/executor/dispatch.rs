//! Messages between executors of one member, each to the part that it is for.

use super::Executor;
use super::effect::{CONTROL_EXECUTOR, ExecutorId};
use super::halt::Halt;
use super::message::Message;
use crate::time::Instant;

impl Executor {
    pub(super) fn take_message(&mut self, from: ExecutorId, message: Message, now: Instant) {
        match message {
            Message::Evaluate { origin, shard, operation } => self.evaluate(origin, shard, operation),
            Message::Answer { origin, result } => self.out.answer(origin, result),
            Message::Find { origin, at, needs } => self.find(origin, at, needs),
            Message::Found { origin, found } => self.found(origin, found),
            Message::Peer { from, message } => self.take_peer(from, message, now),
            Message::HashAsk { origin, shard, at, compacted, after } => {
                self.hash_part(origin, shard, at, compacted, after);
            }
            Message::HashPart { origin, part } => self.take_hash_part(origin, part),
            Message::Confirmed { round, result } => self.confirmed(round, result),

            Message::Gather { round, needs, lease } => self.gather(round, needs, lease),
            Message::AskKeys { request, lease } => self.keys_of_lease(request, lease),
            Message::Inspect { origin, request } => self.inspect(origin, request),
            Message::Write { head, changes } => self.write_fragments(head, changes),
            Message::Condemn { lease } => self.leases.condemn(lease),
            Message::Resume => self.resume(),

            Message::ToShard { shard, message } => self.tell_watchers(shard, message),
            Message::FromShard(message) => self.tell_stream(message),

            Message::AskEnds { asker, epoch } => self.report_ends(asker, epoch),
            Message::Win { group, epoch } => self.win(group, epoch),
            Message::AwaitWin { group, epoch } => self.await_win(group, epoch),
            Message::Serve { reign, base } => self.serve(reign, base),
            Message::Cease { visible, resign } => self.cease(visible, resign),
            Message::Opened(open) => self.open(open),
            Message::Visible(visible) => self.show(visible),
            Message::WindowMoved => self.refresh_visible(),
            Message::Shards(total) => self.host_shards(total, now),
            Message::Adopt { index, records } => self.adopt(index, &records),
            Message::Leader { leader, term } => self.follow_leader(leader, term),

            Message::PrepareCheckpoint { offered } => self.prepare_checkpoint(offered),
            Message::TakeSlice(wanted) => self.take_slice(wanted),
            Message::CutLogs { cuts } => self.cut_logs(&cuts),
            Message::CheckpointLive { revision, groups } => self.checkpoint_is_live(revision, groups),
            Message::CheckpointGivenUp => self.checkpoint_is_given_up(),
            Message::OfferEnded { taken } => self.held_logs.offer_ended(taken),
            Message::Halt { cuts } => self.halt = Halt::Asked(cuts),

            Message::Control { .. }
            | Message::Confirm { .. }
            | Message::Keys { .. }
            | Message::Gathered { .. }
            | Message::Ends { .. }
            | Message::Fenced { .. }
            | Message::Lost { .. }
            | Message::Committed { .. }
            | Message::LogGrown { .. }
            | Message::CheckpointPrepared { .. }
            | Message::SliceTaken(_)
            | Message::LogsCut(_)
            | Message::Behind { .. }
            | Message::HoldExceeded
            | Message::Adopted { .. } => {
                assert_eq!(self.config.executor, CONTROL_EXECUTOR, "only the control executor is told so");
                let control = self.control.as_mut().expect("the control executor hosts the control group");
                control.message(from, message, now, &mut self.out);
            }
        }
    }
}
