//! Messages between executors of one member, each to the part that it is for.

use super::Executor;
use super::effect::{CONTROL_EXECUTOR, ExecutorId};
use super::halt::Halt;
use super::message::Message;
use crate::time::Instant;

impl Executor {
    pub(super) fn take_message(&mut self, from: ExecutorId, message: Message, now: Instant) {
        if self.shards_total.is_none() && message.concerns_a_shard() {
            return self.early.push((from, message));
        }
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
            | Message::LogsReplaced { .. }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::Bounds;
    use crate::control::CheckpointPolicy;
    use crate::evaluate::Limits;
    use crate::executor::effect::{Effect, Input, Origin, Ticket};
    use crate::executor::{Config, Start};
    use campanile_storage::ids::{MemberId, Revision, ShardId};
    use campanile_storage::store::UNCOMPACTED;
    use std::sync::Arc;

    fn second_of_two() -> Executor {
        let config = Config {
            executor: 1,
            executors: 2,
            member: MemberId(1),
            voters: vec![MemberId(1)],
            members: Vec::new(),
            shards_for_new_cluster: 2,
            election_ticks: 10,
            request_ticks_max: 60,
            lease_ttl_min_seconds: 1,
            limits: Limits { txn_operations_max: 128 },
            bounds: Bounds::default(),
            checkpoint: CheckpointPolicy { transactions: 1, log_bytes: 1 },
            seed: 1,
            reign: |epoch, base, window| Arc::new(crate::clock::AtomicReign::new(epoch, base, window)),
        };
        Executor::new(config, Start::default(), Instant::default())
    }

    #[test]
    fn what_is_asked_of_a_shard_before_its_executor_knows_of_it_is_answered_then() {
        let mut executor = second_of_two();
        let now = Instant::default();
        let origin = Origin { executor: 0, ticket: Ticket(1) };
        let ask = Message::HashAsk { origin, shard: ShardId(1), at: Revision(0), compacted: UNCOMPACTED, after: None };
        let mut effects = Vec::new();
        executor.step(Input::Message { from: 0, message: ask }, now);
        executor.finish(now, &mut effects).expect("there is no log yet");
        assert!(effects.is_empty(), "{effects:?}");
        executor.step(Input::Message { from: 0, message: Message::Shards(2) }, now);
        executor.finish(now, &mut effects).expect("there is no log yet");
        let is_answered = |effect: &Effect| matches!(effect, Effect::Tell { to: 0, message: Message::HashPart { .. } });
        assert!(effects.iter().any(is_answered), "{effects:?}");
    }
}
