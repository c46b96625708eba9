//! Carries the steps of a succession out: asks, wins, fences, opens, and ends a reign.

use super::Control;
use super::record::{ControlEntry, Record};
use super::succession::{Action, Ends};
use crate::clock::Epoch;
use crate::clock::opens::Open;
use crate::executor::effect::Event;
use crate::executor::message::Message;
use crate::executor::outbox::Outbox;
use crate::group::Role;
use crate::peer::PeerMessage;
use crate::planted::planted;
use crate::time::Instant;
use campanile_storage::ids::MemberId;

impl Control {
    /// Performs actions in their order; what they cause is performed too.
    pub(super) fn perform(&mut self, actions: Vec<Action>, now: Instant, out: &mut Outbox) {
        for action in actions {
            match action {
                Action::AskEnds(epoch) => self.ask_ends(epoch, out),
                Action::FenceControl(epoch) => self.propose_or_lose(ControlEntry::Fence(epoch), epoch, out),
                Action::Win { group, epoch } => out.tell(self.host(group), Message::Win { group, epoch }),
                Action::AskToWin { member, group, epoch } => {
                    out.tell(self.host(group), Message::AwaitWin { group, epoch });
                    out.send(member, PeerMessage::WinFor { group, epoch });
                }
                Action::Open(epoch) => {
                    let open = Open { epoch, base: self.counter.base() };
                    self.propose_or_lose(ControlEntry::Open(open), epoch, out);
                }
                Action::Cease(epoch) => self.cease(epoch, now, out),
                Action::Resign => self.group.resign(),
            }
        }
    }

    /// A proposal that the reign cannot do without: if it fails, the reign ends.
    pub(super) fn propose_or_lose(&mut self, entry: ControlEntry, epoch: Epoch, out: &mut Outbox) {
        if self.group.propose(entry.encode()).is_err() {
            out.tell(out.executor, Message::Lost { epoch });
        }
    }

    /// The first primary of a cluster says how many shards it has, once.
    pub(super) fn propose_shards(&mut self) {
        let term = Some(self.group.term());
        if self.requests.shards_proposed_in != term && self.group.can_propose() {
            let record = Record::Shards(self.config.shards_for_new_cluster);
            if self.group.propose(ControlEntry::Record(record).encode()).is_ok() {
                self.requests.shards_proposed_in = term;
            }
        }
    }

    /// The number of shards is known: from a checkpoint, or from the log.
    pub(super) fn learn_shards(&mut self, shards: u32, out: &mut Outbox) {
        if self.shards.is_some() {
            return;
        }
        self.shards = Some(shards);
        out.broadcast(&Message::Shards(shards));
        out.report(Event::Shards(shards));
        let actions = self.succession.groups_known(shards);
        assert!(actions.iter().all(|action| !matches!(action, Action::Cease(_))), "nothing was opened before");
        for action in actions {
            match action {
                Action::FenceControl(epoch) => self.propose_or_lose(ControlEntry::Fence(epoch), epoch, out),
                Action::AskEnds(epoch) => self.ask_ends(epoch, out),
                _ => unreachable!("a succession begins with asking"),
            }
        }
    }

    fn ask_ends(&mut self, epoch: Epoch, out: &mut Outbox) {
        out.broadcast(&Message::AskEnds { asker: self.config.member, epoch });
        for &voter in &self.config.voters {
            if voter != self.config.member {
                out.send(voter, PeerMessage::AskEnds { epoch });
            }
        }
    }

    /// An executor reports where its groups' logs end; the answer goes out when all have.
    pub(super) fn gather_ends(&mut self, asker: MemberId, epoch: Epoch, ends: Ends, now: Instant, out: &mut Outbox) {
        let gathered = self.ends.entry(asker).or_insert_with(|| (epoch, Ends::new()));
        if epoch > gathered.0 {
            *gathered = (epoch, Ends::new());
        }
        if epoch < gathered.0 {
            return;
        }
        gathered.1.extend(ends);
        if self.shards.is_none_or(|shards| gathered.1.len() < shards as usize) {
            return;
        }
        let ends = std::mem::take(&mut gathered.1);
        if asker == self.config.member {
            let actions = self.succession.ends(asker, epoch, ends);
            self.perform(actions, now, out);
        } else {
            out.send(asker, PeerMessage::Ends { epoch, ends });
        }
    }

    /// The open of this member's own epoch is applied: the reign begins.
    pub(super) fn begin_reign(&mut self, open: Open, now: Instant, out: &mut Outbox) {
        assert_eq!(self.counter.visible(), open.base, "everything up to the base is complete and counted");
        let reign = (self.config.reign)(open.epoch, open.base, self.config.bounds.window_revisions);
        self.show(open.base, out);
        if !planted!(LeasesNotRenewed) {
            self.leases.renew_all(now);
        }
        out.broadcast(&Message::Serve { reign: reign.clone(), base: open.base });
        self.reign = Some(reign);
        out.report(Event::Opened { epoch: open.epoch, base: open.base });
    }

    /// Ends this member's reign, or the attempt at one. The window stays where it is, and every executor settles there.
    fn cease(&mut self, epoch: Epoch, _now: Instant, out: &mut Outbox) {
        if let Some(reign) = self.reign.take() {
            let visible = reign.close();
            self.counter.settle(visible);
            self.shown = visible;
            out.report(Event::Ceased { epoch });
            self.report_own_fragments(reign.epoch());
        }
        let resign = self.group.role() != Role::Leader;
        let visible = self.counter.visible();
        out.broadcast(&Message::Cease { visible, resign });
        self.leases.pardon_all();
        self.abandon_work(out);
        self.abandon_records(out);
        self.abandon_requests(out);
        self.confirmations.retry();
    }
}
