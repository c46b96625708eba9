//! The end of an executor's life, before a checkpoint of another member is installed.
//!
//! From the poll in which it is asked to halt nothing is taken in any more. What was gathered is made durable, so that
//! the log is what the groups have in memory; then the executor says what the checkpoint leaves of each log, and is
//! silent for good: nothing is appended, and no message leaves. The member begins anew, as after a crash.

use super::Executor;
use super::effect::{CONTROL_EXECUTOR, Effect, Input, Replacement};
use super::message::Message;
use crate::group::Group;
use crate::planted::planted;
use campanile_storage::ids::{GroupId, MemberId};
use campanile_storage::log::{Cut, HardState};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The cuts of the checkpoint that is to be installed, for every group.
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
    /// Silent.
    Done,
}

impl Executor {
    pub(super) fn is_halting(&self) -> bool {
        matches!(self.halt, Halt::Settling(_) | Halt::Done)
    }

    /// What an executor that halts still takes: the end of what is under way.
    pub(super) fn step_halting(&mut self, input: Input) {
        match input {
            Input::Persisted { batch } => self.batches.persisted(batch),
            Input::LogCut(floors) => self.out.tell(CONTROL_EXECUTOR, Message::LogsCut(floors)),
            Input::Message { message: Message::LogsCut(floors), .. } => self.replaced(floors),
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
            let hosted =
                self.groups().map(|group| (group.id(), cuts[&group.id()], replacement(group, cuts[&group.id()])));
            let replacements = hosted.collect();
            self.out.push(Effect::ReplaceLog(replacements));
            self.halt = Halt::Done;
        }
        while let Some(message) = self.out.next_local() {
            let Message::LogsCut(floors) = message else { continue };
            self.replaced(floors);
        }
        self.out.drain(effects);
    }

    fn replaced(&mut self, floors: campanile_storage::log::Floors) {
        let control = self.control.as_mut().expect("only the control executor is told so");
        control.logs_cut(floors, &mut self.out);
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
