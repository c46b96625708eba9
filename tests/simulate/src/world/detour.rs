//! Leaves the order that a seed gives for a moment: the next few happenings come in another order, and a member ends among
//! them. And says where that is worth while: at each step of an opening, a transaction over several shards, a revoke, a
//! checkpoint, and a checkpoint's installation.

use super::World;
use crate::check::Violation;
use crate::moment::Moment;
use campanile_core::control::record::Record;
use campanile_core::executor::effect::Event;
use campanile_core::executor::message::Message;
use campanile_storage::disk::simulated::Crash;
use std::time::Duration;

/// How long a member is down that a detour ends.
const DOWN: Duration = Duration::from_millis(700);

/// A kind of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Opening,
    Transaction,
    Revoke,
    Checkpoint,
    Installation,
}

impl Step {
    pub const ALL: [Step; 5] = [Step::Opening, Step::Transaction, Step::Revoke, Step::Checkpoint, Step::Installation];

    /// The kind of steps that a message between executors belongs to.
    fn of(message: &Message) -> Option<Step> {
        match message {
            Message::AskEnds { .. }
            | Message::AwaitWin { .. }
            | Message::Ends { .. }
            | Message::Win { .. }
            | Message::Fenced { .. }
            | Message::Opened(_)
            | Message::Serve { .. }
            | Message::Cease { .. } => Some(Step::Opening),
            Message::Gather { .. } | Message::Gathered { .. } | Message::Write { .. } | Message::Resume => {
                Some(Step::Transaction)
            }
            Message::Condemn { .. } | Message::AskKeys { .. } | Message::Keys { .. } => Some(Step::Revoke),
            Message::PrepareCheckpoint { .. }
            | Message::CheckpointPrepared { .. }
            | Message::TakeSlice(_)
            | Message::SliceTaken(_)
            | Message::CutLogs { .. }
            | Message::LogsCut(_)
            | Message::CheckpointLive { .. } => Some(Step::Checkpoint),
            Message::Behind { .. }
            | Message::HoldExceeded
            | Message::OfferEnded { .. }
            | Message::Halt { .. }
            | Message::LogsReplaced { .. } => Some(Step::Installation),
            _ => None,
        }
    }

    /// The kind of steps that has come to its end with a message between executors: the changes of a transaction over
    /// several shards are written, a revoke is in force.
    fn ended_by(message: &Message) -> Option<Step> {
        match message {
            Message::Write { head, .. } if head.groups > 1 => Some(Step::Transaction),
            Message::Adopt { records, .. } => {
                let revokes = records.iter().any(|record| matches!(record, Record::Revoke { .. }));
                revokes.then_some(Step::Revoke)
            }
            _ => None,
        }
    }

    /// The same with what a member reports.
    fn ended_with(event: &Event) -> Option<Step> {
        match event {
            Event::Opened { .. } => Some(Step::Opening),
            Event::Checkpoint { .. } => Some(Step::Checkpoint),
            Event::Installed { .. } => Some(Step::Installation),
            _ => None,
        }
    }
}

/// Another way from one happening on.
#[derive(Clone, Debug)]
pub struct Detour {
    /// After so many happenings.
    pub after: u64,
    /// The order of the next ones.
    pub order: Vec<usize>,
    /// After so many of these a member ends.
    pub crash: Option<(usize, usize)>,
}

impl World {
    /// A message between executors is told.
    pub(super) fn mark(&mut self, message: &Message) {
        if let Some(step) = Step::of(message)
            && self.marks.last() != Some(&(step, self.happened))
        {
            self.marks.push((step, self.happened));
        }
        self.ends.extend(Step::ended_by(message).map(|step| (step, self.happened)));
    }

    /// A member reports something.
    pub(super) fn mark_end(&mut self, event: &Event) {
        self.ends.extend(Step::ended_with(event).map(|step| (step, self.happened)));
    }

    /// Goes the other way, if its turn has come.
    pub(super) fn take_detour(&mut self, until: Moment) -> Result<(), Violation> {
        let Some(detour) = self.detour.take_if(|detour| detour.after <= self.happened) else { return Ok(()) };
        let mut next = Vec::new();
        while next.len() < detour.order.len()
            && let Some((at, happening)) = self.queue.pop(until)
        {
            self.now = at;
            next.push(Some(happening));
        }
        for (number, &place) in detour.order.iter().enumerate() {
            self.crash_on_the_way(&detour, number);
            if let Some(happening) = next.get_mut(place).and_then(Option::take) {
                self.happened += 1;
                self.happen(happening)?;
            }
        }
        self.crash_on_the_way(&detour, detour.order.len());
        Ok(())
    }

    fn crash_on_the_way(&mut self, detour: &Detour, number: usize) {
        if let Some((after, member)) = detour.crash
            && after == number
            && self.members[member].is_up()
        {
            self.end(member, Crash::Power);
            self.start_again(member, DOWN);
        }
    }
}
