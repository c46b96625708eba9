//! How a member that won the control group becomes the primary: the order of steps of one reign's beginning.
//!
//! ```text
//! Follower -> Asking (a majority for the ends of their logs) -> Fencing (win every group, fence every log) -> Opening -> Open
//! ```
//!
//! It says what to do next and never does it. A reign that loses a group, or takes too long, begins again with the next
//! epoch of the same term; after some attempts the control group is given up, for a member that reaches the others better.

use crate::clock::Epoch;
use crate::planted::planted;
use campanile_storage::ids::{GroupId, Index, MemberId, Term};
use std::collections::{BTreeMap, BTreeSet};

/// Attempts within one term before the control group is given up.
const ATTEMPTS_MAX: u32 = 3;

/// The ends of a member's data logs: (term, index) of each last entry.
pub type Ends = BTreeMap<GroupId, (Term, Index)>;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask every member, this one too, for the ends of its logs.
    AskEnds(Epoch),
    /// Fence the control group's own log.
    FenceControl(Epoch),
    /// Win a data group here, or fence it anew if this member leads it.
    Win { group: GroupId, epoch: Epoch },
    /// Ask the holder of the longest log to win a data group and to hand it over.
    AskToWin { member: MemberId, group: GroupId, epoch: Epoch },
    /// All groups are led and fenced: compute the base and commit the open.
    Open(Epoch),
    /// The reign is over: stop serving, settle.
    Cease(Epoch),
    /// Give the control group up.
    Resign,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Follower,
    Asking(BTreeMap<MemberId, Ends>),
    Fencing,
    Opening,
    Open,
}

#[derive(Debug)]
pub struct Succession {
    member: MemberId,
    voters: usize,
    /// Data groups of the cluster; 0 until the number of shards is known.
    data_groups: u32,
    epoch: Epoch,
    stage: Stage,
    /// Groups whose fence of this epoch is in place. The control group's may be before the others are asked for.
    fenced: BTreeSet<GroupId>,
    attempts: u32,
    ticks_in_stage: u32,
    patience_ticks: u32,
}

impl Succession {
    /// `patience_ticks`: how long one attempt may take.
    #[must_use]
    pub fn new(member: MemberId, voters: usize, patience_ticks: u32) -> Succession {
        Succession {
            member,
            voters,
            data_groups: 0,
            epoch: Epoch::NONE,
            stage: Stage::Follower,
            fenced: BTreeSet::new(),
            attempts: 0,
            ticks_in_stage: 0,
            patience_ticks,
        }
    }

    /// The epoch of this member's newest attempt.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Whether the member leads the control group and tries to reign, or does.
    #[must_use]
    pub fn is_trying(&self) -> bool {
        self.stage != Stage::Follower
    }

    /// The number of data groups is known; a candidate that waited for it begins.
    pub fn groups_known(&mut self, data_groups: u32) -> Vec<Action> {
        let waited = self.data_groups == 0 && self.is_trying();
        self.data_groups = data_groups;
        if waited { self.begin(self.epoch) } else { Vec::new() }
    }

    /// This member leads the control group in this term.
    pub fn elected(&mut self, term: Term) -> Vec<Action> {
        assert!(!self.is_trying(), "elected twice in a row");
        self.attempts = 0;
        let first = Epoch::first_of(term);
        self.begin(if self.epoch >= first { self.epoch.again() } else { first })
    }

    /// This member no longer leads the control group.
    pub fn deposed(&mut self) -> Vec<Action> {
        let trying = self.is_trying();
        self.enter(Stage::Follower);
        if trying { vec![Action::Cease(self.epoch)] } else { Vec::new() }
    }

    /// A group was lost, or something that cannot fail failed: a reign goes on only as a new one.
    pub fn lost(&mut self, epoch: Epoch) -> Vec<Action> {
        if epoch != self.epoch || !self.is_trying() {
            return Vec::new();
        }
        self.again()
    }

    /// A member's answer to [`Action::AskEnds`].
    pub fn ends(&mut self, member: MemberId, epoch: Epoch, ends: Ends) -> Vec<Action> {
        let Stage::Asking(answers) = &mut self.stage else { return Vec::new() };
        if epoch != self.epoch || ends.len() != self.data_groups as usize {
            return Vec::new();
        }
        answers.insert(member, ends);
        if answers.len() * 2 <= self.voters || !answers.contains_key(&self.member) {
            return Vec::new();
        }
        let answers = std::mem::take(answers);
        let actions = self.winners(&answers);
        self.enter(Stage::Fencing);
        actions
    }

    /// For each group, who holds the longest log among those that answered; this member if nobody's is longer.
    fn winners(&self, answers: &BTreeMap<MemberId, Ends>) -> Vec<Action> {
        let epoch = self.epoch;
        let own = &answers[&self.member];
        let mut actions = Vec::new();
        for (&group, &own_end) in own {
            let longest = answers.iter().max_by_key(|(_, ends)| ends.get(&group).copied());
            let (&member, ends) = longest.expect("this member answered");
            actions.push(if ends.get(&group).is_some_and(|&end| end > own_end) {
                Action::AskToWin { member, group, epoch }
            } else {
                Action::Win { group, epoch }
            });
        }
        actions
    }

    /// A group's fence of this epoch is committed and everything before it is applied here.
    pub fn fenced(&mut self, group: GroupId, epoch: Epoch) -> Vec<Action> {
        if epoch != self.epoch || !self.is_trying() {
            return Vec::new();
        }
        self.fenced.insert(group);
        // The data groups are fenced last: they are won only when the ends of the logs are known.
        if self.stage != Stage::Fencing
            || self.fenced.len() + usize::from(planted!(BaseBeforeControlFence)) <= self.data_groups as usize
        {
            return Vec::new();
        }
        self.enter(Stage::Opening);
        vec![Action::Open(epoch)]
    }

    /// The open of this epoch is applied. False if it is not the one awaited.
    pub fn opened(&mut self, epoch: Epoch) -> bool {
        let awaited = epoch == self.epoch && self.stage == Stage::Opening;
        if awaited {
            self.enter(Stage::Open);
        }
        awaited
    }

    /// Time goes on.
    pub fn tick(&mut self) -> Vec<Action> {
        if !self.is_trying() || self.is_open() || self.data_groups == 0 {
            return Vec::new();
        }
        self.ticks_in_stage += 1;
        if self.ticks_in_stage >= self.patience_ticks {
            return self.again();
        }
        match self.stage {
            Stage::Asking(_) => vec![Action::AskEnds(self.epoch)],
            _ => Vec::new(),
        }
    }

    fn again(&mut self) -> Vec<Action> {
        let mut actions = vec![Action::Cease(self.epoch)];
        self.attempts += 1;
        if self.attempts >= ATTEMPTS_MAX && self.voters > 1 && !planted!(NeverGivesUp) {
            self.enter(Stage::Follower);
            actions.push(Action::Resign);
        } else {
            let next = if planted!(EpochAgain) { self.epoch } else { self.epoch.again() };
            actions.extend(self.begin(next));
        }
        actions
    }

    fn begin(&mut self, epoch: Epoch) -> Vec<Action> {
        self.epoch = epoch;
        self.fenced.clear();
        self.enter(Stage::Asking(BTreeMap::new()));
        if self.data_groups == 0 {
            return Vec::new();
        }
        vec![Action::FenceControl(epoch), Action::AskEnds(epoch)]
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.ticks_in_stage = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: MemberId = MemberId(1);
    const OTHER: MemberId = MemberId(2);
    const GROUP: GroupId = GroupId(1);

    fn ends(term: u64, index: u64) -> Ends {
        Ends::from([(GROUP, (Term(term), Index(index)))])
    }

    fn elected() -> (Succession, Epoch) {
        let mut succession = Succession::new(ME, 3, 10);
        succession.groups_known(1);
        let epoch = Epoch::first_of(Term(4));
        let actions = succession.elected(Term(4));
        assert_eq!(actions, [Action::FenceControl(epoch), Action::AskEnds(epoch)]);
        (succession, epoch)
    }

    #[test]
    fn the_longest_log_of_a_majority_wins_its_group() {
        let (mut succession, epoch) = elected();
        assert_eq!(succession.ends(ME, epoch, ends(3, 5)), []);
        let actions = succession.ends(OTHER, epoch, ends(3, 6));
        assert_eq!(actions, [Action::AskToWin { member: OTHER, group: GROUP, epoch }]);
    }

    #[test]
    fn this_member_wins_if_nobody_is_ahead() {
        let (mut succession, epoch) = elected();
        assert_eq!(succession.ends(OTHER, epoch, ends(2, 9)), []);
        assert_eq!(succession.ends(ME, epoch, ends(3, 5)), [Action::Win { group: GROUP, epoch }]);
    }

    #[test]
    fn it_opens_when_every_group_is_fenced_the_control_group_too() {
        let (mut succession, epoch) = elected();
        succession.ends(OTHER, epoch, ends(1, 1));
        succession.ends(ME, epoch, ends(1, 1));
        assert_eq!(succession.fenced(GROUP, epoch), []);
        assert_eq!(succession.fenced(GroupId::CONTROL, epoch), [Action::Open(epoch)]);
        assert!(succession.opened(epoch));
        assert!(succession.is_open());
    }

    #[test]
    fn the_control_group_may_be_fenced_first() {
        let (mut succession, epoch) = elected();
        assert_eq!(succession.fenced(GroupId::CONTROL, epoch), []);
        succession.ends(OTHER, epoch, ends(1, 1));
        succession.ends(ME, epoch, ends(1, 1));
        assert_eq!(succession.fenced(GROUP, epoch), [Action::Open(epoch)]);
    }

    #[test]
    fn a_lost_group_begins_the_next_epoch_of_the_term() {
        let (mut succession, epoch) = elected();
        let next = epoch.again();
        let actions = succession.lost(epoch);
        assert_eq!(actions, [Action::Cease(epoch), Action::FenceControl(next), Action::AskEnds(next)]);
        assert_eq!(succession.lost(epoch), [], "an old notice");
    }

    #[test]
    fn a_member_that_cannot_win_gives_up() {
        let (mut succession, _) = elected();
        let mut actions = Vec::new();
        for _ in 0..30 {
            actions = succession.tick();
            if actions.contains(&Action::Resign) {
                break;
            }
        }
        assert!(actions.contains(&Action::Resign));
        assert!(!succession.is_trying());
    }

    #[test]
    fn an_epoch_is_never_used_twice_in_one_term() {
        let (mut succession, epoch) = elected();
        succession.deposed();
        let actions = succession.elected(Term(4));
        assert_eq!(actions[0], Action::FenceControl(epoch.again()));
    }
}
