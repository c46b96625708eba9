//! A naive model of what the logs of a member must bring back: every state that each group ever had, and which of them
//! were acknowledged.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::super::{Cut, Entry, GroupState, HardState, RecoveredGroup, Stamp, Update};
use crate::ids::{Index, MemberId};

/// One group as it was after some update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) hard_state: HardState,
    /// With the stamp of the update that wrote it.
    pub(super) entries: BTreeMap<Index, (Stamp, Entry)>,
    /// The newest index, entry or cut.
    pub(super) last: Index,
}

/// All moments of one group since its base, which the first of them is.
#[derive(Clone, Debug)]
pub(super) struct GroupModel {
    /// The stamp of the update that made the second moment.
    pub(super) base: Stamp,
    pub(super) moments: Vec<Moment>,
    /// How many updates are known to be durable.
    pub(super) acknowledged: usize,
}

impl Default for GroupModel {
    fn default() -> Self {
        GroupModel { base: Stamp::FIRST, moments: vec![Moment::default()], acknowledged: 0 }
    }
}

impl GroupModel {
    pub(super) fn newest(&self) -> &Moment {
        self.moments.last().expect("the base is always there")
    }

    /// Notes an update, and answers with how many there are now.
    pub(super) fn note(&mut self, update: &Update) -> usize {
        let mut moment = self.newest().clone();
        let stamp = Stamp(self.base.0 + self.moments.len() as u64 - 1);
        if let Some(first) = update.entries.first() {
            moment.entries.retain(|index, _| *index < first.index);
            for entry in &update.entries {
                moment.last = entry.index;
                moment.entries.insert(entry.index, (stamp, entry.clone()));
            }
        }
        moment.hard_state = update.hard_state.unwrap_or(moment.hard_state);
        self.moments.push(moment);
        self.moments.len() - 1
    }

    /// An installed checkpoint has replaced the log.
    pub(super) fn reset(&mut self, state: &GroupState) {
        let moment = Moment { hard_state: state.hard_state, entries: BTreeMap::new(), last: state.cut.index };
        *self = GroupModel { base: state.floor, moments: vec![moment], acknowledged: 0 };
    }

    /// Compares what was recovered with the moment that it claims to be, and goes on from there. Answers with how many
    /// updates came back.
    pub(super) fn compare(&mut self, recovered: &RecoveredGroup, state: &GroupState, told: &str) -> usize {
        let back = (recovered.cursor.next().0 - self.base.0) as usize;
        assert!(back >= self.acknowledged, "{told}: {back} of {} acknowledged updates came back", self.acknowledged);
        assert!(back < self.moments.len(), "{told}: an update came back that nobody made");
        let expected = &self.moments[back];
        assert_eq!(recovered.cut, state.cut, "{told}: the cut");
        assert_eq!(recovered.hard_state, expected.hard_state_after(state.cut), "{told}: the hard state");
        let (kept, gone): (Vec<_>, Vec<_>) = expected
            .entries
            .values()
            .filter(|(_, entry)| entry.index > state.cut.index)
            .partition(|(writer, _)| *writer >= state.floor);
        let kept: Vec<&Entry> = kept.into_iter().map(|(_, entry)| entry).collect();
        assert_eq!(recovered.entries.iter().collect::<Vec<_>>(), kept, "{told}: entries behind {:?}", state.cut);
        for written in gone {
            assert!(self.is_replaced_after(back, written), "{told}: an entry below the floor was still needed");
        }
        let mut moment = expected.clone();
        moment.entries.retain(|index, (writer, _)| *index > state.cut.index && *writer >= state.floor);
        moment.hard_state = recovered.hard_state;
        moment.last = recovered.cursor.last();
        *self = GroupModel { base: recovered.cursor.next(), moments: vec![moment], acknowledged: 0 };
        back
    }

    /// Whether a later update, which did not come back, put another entry in the place of this one.
    fn is_replaced_after(&self, moment: usize, written: &(Stamp, Entry)) -> bool {
        self.moments[moment..].iter().any(|later| later.entries.get(&written.1.index) != Some(written))
    }
}

impl Moment {
    /// The hard state that recovery answers with when the group begins at this cut.
    fn hard_state_after(&self, cut: Cut) -> HardState {
        let commit = self.hard_state.commit.max(cut.index);
        if self.hard_state.term < cut.term {
            return HardState { term: cut.term, vote: MemberId::NONE, commit };
        }
        HardState { commit, ..self.hard_state }
    }

    /// The term of an entry, if it is still there.
    pub(super) fn cut_at(&self, index: Index) -> Option<Cut> {
        self.entries.get(&index).map(|(_, entry)| Cut { index, term: entry.term })
    }
}

pub(super) fn payload(bytes: usize, fill: u8) -> Bytes {
    Bytes::from(vec![fill; bytes])
}
