//! The end of an executor's life, before a checkpoint of another member is installed.
//!
//! From the poll in which it is asked to halt nothing is taken in any more. What was gathered is made durable, so that
//! the log is what the groups have in memory; then the executor says what the checkpoint leaves of each log, and is
//! silent for good: nothing is appended, and no message leaves. The member begins anew, as after a crash.

use super::Executor;
use super::effect::{CONTROL_EXECUTOR, Effect, Input, Replacement};
use super::message::Message;
use crate::checkpoint::GroupCut;
use crate::group::Group;
use crate::planted::planted;
use campanile_storage::ids::{GroupId, MemberId};
use campanile_storage::log::{Cut, Floors, HardState};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The cuts of the checkpoint that is to be installed, for the groups that do not go on from where they are.
type Cuts = Arc<BTreeMap<GroupId, Cut>>;

/// How far an executor is on its way to its end.
#[derive(Debug, Default)]
pub enum Halt {
    #[default]
    No,
    /// Asked to in this poll, which is ended as any other.
    Asked(Cuts),
    /// Makes durable what was gathered.
    Settling(Cuts),
    /// Silent. These groups go on from where they are.
    Done(Vec<(GroupId, GroupCut)>),
}

impl Executor {
    /// Whether its life ends, because a checkpoint of another member is to be installed.
    #[must_use]
    pub fn is_halting(&self) -> bool {
        matches!(self.halt, Halt::Settling(_) | Halt::Done(_))
    }

    /// What an executor that halts still takes: the end of what is under way.
    pub(super) fn step_halting(&mut self, input: Input) {
        match input {
            Input::Persisted { batch } => self.batches.persisted(batch),
            Input::LogCut(floors) => {
                let Halt::Done(own) = &mut self.halt else { unreachable!("logs are replaced once all is durable") };
                let own = std::mem::take(own);
                self.out.tell(CONTROL_EXECUTOR, Message::LogsReplaced { floors, own });
            }
            Input::Message { message: Message::LogsReplaced { floors, own }, .. } => self.replaced(floors, own),
            Input::CheckpointStep { done } => {
                let control = self.control.as_mut().expect("checkpoints are written by the control executor");
                control.file_step(done, &mut self.out);
            }
            _ => {}
        }
    }

    /// Ends a poll of an executor that halts.
    pub(super) fn finish_halting(&mut self, effects: &mut Vec<Effect>) {
        if let Halt::Asked(cuts) = &self.halt {
            self.halt = Halt::Settling(Arc::clone(cuts));
        }
        self.persist();
        if let Halt::Settling(cuts) = &self.halt
            && self.batches.are_done()
        {
            let own: BTreeMap<GroupId, GroupCut> =
                self.group_cuts().into_iter().filter(|(group, _)| !cuts.contains_key(group)).collect();
            let replacement = |group: &Group| match own.get(&group.id()) {
                Some(own) => (group.id(), own.place.cut, Replacement::Keep),
                None => (group.id(), cuts[&group.id()], replacement(group, cuts[&group.id()])),
            };
            let replacements = self.groups().map(replacement).collect();
            self.out.push(Effect::ReplaceLog(replacements));
            self.halt = Halt::Done(own.into_iter().collect());
        }
        while let Some(message) = self.out.next_local() {
            let Message::LogsReplaced { floors, own } = message else { continue };
            self.replaced(floors, own);
        }
        self.out.drain(effects);
    }

    fn replaced(&mut self, floors: Floors, own: Vec<(GroupId, GroupCut)>) {
        let control = self.control.as_mut().expect("only the control executor is told so");
        control.log_replaced(floors, own, &mut self.out);
    }
}

/// Only a log that does not hold the cut goes: what was once acknowledged behind a cut that is held stays. Term and vote
/// never go back.
fn replacement(group: &Group, cut: Cut) -> Replacement {
    let hard_state = group.hard_state();
    if group.holds(cut) && !planted!(InstallReplacesAll) {
        Replacement::Keep
    } else if hard_state.term >= cut.term {
        Replacement::Reset(HardState { commit: cut.index, ..hard_state })
    } else {
        Replacement::Reset(HardState { term: cut.term, vote: MemberId::NONE, commit: cut.index })
    }
}
