//! One shard on one executor: its versions, its group, and what stands between the two.
//!
//! On the primary a change goes into the index when it is evaluated, and into the log in the same poll. On any other member
//! it is staged when it is committed, and goes into the index when it is visible. A shard never decides what is visible.

mod in_flight;
mod staging;

use crate::bounds::Bounds;
use crate::checkpoint::GroupCut;
use crate::clock::batch::{FragmentBatch, FragmentHead};
use crate::clock::counter::Committed;
use crate::clock::fragment::{self, DataEntry};
use crate::clock::{Change, Epoch, Opens, Reign};
use crate::codec::Malformed;
use crate::group::{CommittedEntry, Group, Place, Role};
use crate::planted::planted;
use crate::watch::ShardWatches;
use campanile_storage::ids::{Index, MemberId, Position, Revision, ShardId, Term};
use campanile_storage::log::Cut;
use campanile_storage::store::Store;
pub use in_flight::InFlight;
use staging::Staging;

/// What a shard has to tell the control executor after it applied entries.
#[derive(Debug, Default)]
pub struct Applied {
    pub committed: Vec<Committed>,
    /// A fence of the epoch that this member is winning was applied while it leads the group in the fence's own term.
    pub fenced: Option<Epoch>,
}

#[derive(Debug)]
pub struct Shard {
    pub id: ShardId,
    pub group: Group,
    pub store: Store,
    pub watches: ShardWatches,
    /// An entry of several changes has at most so many bytes.
    entry_bytes_max: usize,
    staging: Staging,
    in_flight: InFlight,
    /// Fragments evaluated in this poll, not yet proposed.
    batch: Option<FragmentBatch>,
    /// The reign that is served: its epoch, and the group's term in which its fence stands.
    serving: Option<(Epoch, Term)>,
    /// The epoch for which this member is to win the group, with the term in which it proposed the fence.
    winning: Option<(Epoch, Option<Term>)>,
    /// The member for which this one is to win the group, and the epoch.
    helping: Option<(Epoch, MemberId)>,
    /// A reign ended, and what it evaluated above this revision is still to leave the index.
    withdrawing: Option<Revision>,
}

impl Shard {
    #[must_use]
    pub fn new(id: ShardId, group: Group, store: Store, visible: Revision, bounds: &Bounds) -> Shard {
        Shard {
            id,
            group,
            store,
            watches: ShardWatches::new(id, visible, bounds.slices),
            entry_bytes_max: bounds.entry_bytes_max,
            staging: Staging::default(),
            in_flight: InFlight::default(),
            batch: None,
            serving: None,
            winning: None,
            helping: None,
            withdrawing: None,
        }
    }

    // ---- the beginning and the end of a reign ----

    /// Wins the group for this epoch, and fences its log.
    pub fn win(&mut self, epoch: Epoch) {
        self.helping = None;
        self.winning = Some((epoch, None));
        if self.group.role() != Role::Leader {
            self.group.campaign();
        }
    }

    /// Fences the group's log for this epoch once another member, whose log is longer, has won the group and handed it
    /// over. Standing for election meanwhile would only be in its way, and so would leading on: whoever has a longer
    /// log is to be elected now.
    pub fn await_win(&mut self, epoch: Epoch) {
        self.helping = None;
        self.winning = Some((epoch, None));
        if self.group.role() != Role::Follower {
            self.group.resign();
        }
    }

    /// Wins the group for another member, and hands it over.
    pub fn win_for(&mut self, epoch: Epoch, member: MemberId) {
        if self.serving.is_none() {
            self.winning = None;
            self.helping = Some((epoch, member));
            self.group.campaign();
        }
    }

    /// Goes on with what was asked: proposes the fence once the group is led, hands it over if it was won for another.
    ///
    /// # Errors
    /// The epoch of a reign, or of an attempt at one, for which this member had the group and lost it.
    pub fn pursue(&mut self) -> Result<(), Epoch> {
        let leads_in = (self.group.role() == Role::Leader).then(|| self.group.term());
        if let Some((_, member)) = self.helping {
            if self.group.leader() == Some(member) {
                self.helping = None;
            } else if leads_in.is_some() && self.group.can_propose() {
                self.group.transfer_leader(member);
            }
        }
        if let Some((epoch, None)) = self.winning
            && leads_in.is_some()
            && self.group.can_propose()
        {
            let proposed = self.group.propose(fragment::fence(epoch)).is_ok();
            self.winning = Some((epoch, leads_in.filter(|_| proposed)));
        }
        match self.serving.or(self.winning.and_then(|(epoch, term)| Some((epoch, term?)))) {
            Some((epoch, term)) if leads_in != Some(term) => {
                self.winning = None;
                Err(epoch)
            }
            _ => Ok(()),
        }
    }

    /// Serves the reign whose fence is in the log. Everything up to its base is in the index, everything else is void.
    pub fn serve(&mut self, epoch: Epoch, base: Revision, opens: &Opens) {
        assert!(self.withdrawing.is_none(), "what a dead reign wrote has left the index");
        assert!(self.integrate(base, opens, &mut 0), "everything up to the base is shown");
        self.staging.clear();
        let fence = self.group.place.fence;
        assert_eq!(fence.epoch, epoch, "a reign is served behind its own fence");
        self.serving = Some((epoch, fence.term));
        self.winning = None;
    }

    /// The reign is over: what it evaluated above `visible` leaves the index, from now on and in slices, and what of it is
    /// committed is staged.
    ///
    /// Returns what is staged of this reign, for the counter. Of others it heard when they were staged.
    pub fn cease(&mut self, visible: Revision) -> Vec<Committed> {
        self.winning = None;
        self.helping = None;
        let Some((epoch, _)) = self.serving.take() else { return Vec::new() };
        self.batch = None;
        self.in_flight.clear();
        self.withdrawing = (!planted!(VersionsStay)).then_some(visible);
        self.staging.drop_up_to(visible);
        if planted!(WithdrawCommitted) {
            self.staging.clear();
        }
        self.staging.report(epoch)
    }

    #[must_use]
    pub fn is_withdrawing(&self) -> bool {
        self.withdrawing.is_some()
    }

    /// Withdraws as many versions as are left of a slice. Says whether none is left of the dead reign's.
    fn withdraw(&mut self, left: &mut usize) -> bool {
        let Some(visible) = self.withdrawing else { return true };
        let withdrawn = self.store.withdraw_above(visible, *left);
        if withdrawn < *left {
            self.withdrawing = None;
        }
        *left -= withdrawn;
        self.withdrawing.is_none()
    }

    /// Whether the shard may evaluate a modifying transaction now, so that its proposal cannot fail. How large its effect
    /// will be is not asked: whatever a request changes can be logged once there is room.
    #[must_use]
    pub fn can_write(&self) -> bool {
        let waiting_bytes = self.batch.as_ref().map_or(0, FragmentBatch::bytes);
        self.serving.is_some() && self.group.can_propose_behind(waiting_bytes)
    }

    // ---- writing, on the primary ----

    /// Puts the changes of one transaction into the index and into this poll's batch.
    pub fn write(&mut self, head: FragmentHead, changes: &[Change]) {
        self.written(head.revision, changes).push(head, changes);
        self.in_flight.push(head.revision);
    }

    /// The same of the next changes of a transaction that takes several polls, as parts from this number on. Returns the
    /// number of the next part.
    pub fn write_slice(&mut self, head: FragmentHead, changes: &[Change], next_part: u32, is_last: bool) -> u32 {
        let next_part = self.written(head.revision, changes).push_slice(head, changes, next_part, is_last);
        if is_last {
            self.in_flight.push(head.revision);
        }
        next_part
    }

    /// Puts changes into the index; they are to be pushed into the batch that it returns.
    fn written(&mut self, revision: Revision, changes: &[Change]) -> &mut FragmentBatch {
        let (epoch, _) = self.serving.expect("only a shard that serves is written to");
        for change in changes {
            apply(&mut self.store, revision, change);
        }
        self.batch.get_or_insert_with(|| FragmentBatch::new(epoch, self.entry_bytes_max))
    }

    #[must_use]
    pub fn has_unflushed(&self) -> bool {
        self.batch.is_some()
    }

    /// Proposes this poll's batch, all entries of it.
    ///
    /// Returns false if the group refused what it had promised to take: the reign must end.
    #[must_use]
    pub fn flush(&mut self) -> bool {
        let Some(batch) = self.batch.take() else { return true };
        for entry in batch.finish() {
            let index = match self.group.propose(entry.payload) {
                Ok(index) => index,
                Err(_) if planted!(HoleFilled) => Index(0),
                Err(_) => return false,
            };
            self.in_flight.proposed_at(index, entry.completes);
        }
        assert!(self.in_flight.is_proposed(), "a batch holds everything that was evaluated");
        true
    }

    /// Tells the window of the reign what is committed. Asked before any message of the same step leaves.
    ///
    /// Returns whether the visible revision moved.
    pub fn fill(&mut self, reign: &dyn Reign) -> bool {
        let Some((_, term)) = self.serving else { return false };
        let leads = self.group.role() == Role::Leader && self.group.term() == term;
        let commit = match leads {
            true if planted!(CountByApplied) => self.group.place.cut.index,
            true => self.group.commit(),
            false if planted!(FillAsFollower) => self.group.commit(),
            false if planted!(HoleFilled) => Index(0),
            false => return false,
        };
        let mut moved = false;
        while let Some(revision) = self.in_flight.pop_committed(commit) {
            moved |= reign.fill(revision);
        }
        moved
    }

    // ---- applying, on every member ----

    /// Applies committed entries in log order: notes fences, and stages what is valid.
    ///
    /// # Errors
    /// If an entry is not what its format says; the log is corrupt then, and the member must stop.
    pub fn apply(
        &mut self,
        entries: Vec<CommittedEntry>,
        visible: Revision,
        opens: &Opens,
    ) -> Result<Applied, Malformed> {
        let mut applied = Applied::default();
        for CommittedEntry { entry, in_own_term } in entries {
            let before = self.group.place;
            self.group.place.cut = Cut { index: entry.index, term: entry.term };
            if entry.payload.is_empty() {
                continue;
            }
            match fragment::decode(entry.payload)? {
                DataEntry::Fence(epoch) => {
                    self.group.place.fence.pass(epoch, entry.term);
                    if self.winning == Some((epoch, Some(entry.term))) && self.group.term() == entry.term {
                        applied.fenced = Some(epoch);
                    }
                }
                DataEntry::Fragments(epoch, fragments) => {
                    if !before.fence.admits(epoch, entry.term) {
                        continue;
                    }
                    let own = self.serving.is_some_and(|(serving, _)| serving == epoch);
                    for fragment in fragments {
                        if fragment.revision <= visible || opens.is_void(epoch, fragment.revision) {
                            continue;
                        }
                        let complete = self.staging.insert(epoch, fragment, in_own_term, before);
                        applied.committed.extend(complete.filter(|_| !own));
                    }
                }
            }
        }
        Ok(applied)
    }

    /// The member may show everything up to `visible`: moves staged fragments into the index, once what a dead reign
    /// wrote has left it, as many changes as are left of a slice. Says whether all are there.
    pub fn show(&mut self, visible: Revision, opens: &Opens, left: &mut usize) -> bool {
        if self.serving.is_some() {
            self.staging.drop_up_to(visible);
            return true;
        }
        self.withdraw(left) && self.integrate(visible, opens, left)
    }

    /// An epoch opened: staged fragments above its base are void.
    pub fn drop_void(&mut self, opens: &Opens) {
        self.staging.drop_void(opens);
    }

    fn integrate(&mut self, visible: Revision, opens: &Opens, left: &mut usize) -> bool {
        let store = &mut self.store;
        self.staging.take_up_to(visible, left, |epoch, revision, change| {
            assert_eq!(opens.owner(revision), Some(epoch), "a fragment of another reign becomes visible");
            apply(store, revision, change);
        })
    }

    /// Where a checkpoint at the visible revision may cut the group's log: just before the first entry of which something
    /// is staged, never between the parts of a fragment above it. Everything up to there is visible, or void.
    #[must_use]
    pub fn cut(&self) -> Place {
        let staged = self.staging.first_place().filter(|_| !planted!(CutAtApplied));
        staged.unwrap_or(self.group.place)
    }

    /// The same, with who votes there.
    #[must_use]
    pub fn group_cut(&self) -> GroupCut {
        GroupCut { place: self.cut(), voters: self.group.voters() }
    }

    /// Whether changes wait here to be dropped.
    #[must_use]
    pub fn has_discarded(&self) -> bool {
        !self.staging.discarded.is_empty()
    }

    /// Drops as many of them as are left of a slice.
    pub fn shed(&mut self, left: &mut usize) {
        self.staging.discarded.shed(left);
    }

    /// Fragments that are committed and not yet in the index, in bytes of keys and values.
    #[must_use]
    pub fn staged_bytes(&self) -> usize {
        self.staging.bytes()
    }
}

fn apply(store: &mut Store, revision: Revision, change: &Change) {
    match change {
        Change::Put { sub, key, value, lease } => {
            store.put(Position { revision, sub: *sub }, key, value, *lease);
        }
        Change::Delete { sub, key } => {
            let deleted = store.delete(Position { revision, sub: *sub }, key);
            assert!(deleted.is_some(), "revision {revision} deletes a key that is not there");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{Collected, GroupBounds, GroupConfig, GroupStart};

    const EPOCH: Epoch = Epoch { term: Term(1), attempt: 0 };

    fn shard() -> Shard {
        let member = MemberId(1);
        let bounds = GroupBounds::default();
        let config =
            GroupConfig { member, voters: vec![member], heartbeat_ticks: 1, election_ticks: 10, seed: 1, bounds };
        let id = ShardId(0);
        let group = Group::new(id.group(), &config, GroupStart::default());
        Shard::new(id, group, Store::new(), Revision::EMPTY, &Bounds::default())
    }

    #[test]
    fn a_group_that_is_handed_over_is_fenced_at_once() {
        let mut shard = shard();
        shard.await_win(EPOCH);
        assert_eq!(shard.pursue(), Ok(()));
        assert_eq!((shard.group.role(), shard.group.end().1), (Role::Follower, Index(0)), "it does not campaign");
        shard.group.campaign();
        shard.group.collect(1, &mut Collected::default());
        shard.group.persisted(1);
        assert_eq!(shard.group.role(), Role::Leader);
        let before = shard.group.end().1;
        assert_eq!(shard.pursue(), Ok(()));
        assert_eq!(shard.group.end().1, Index(before.0 + 1), "the fence");
    }
}
