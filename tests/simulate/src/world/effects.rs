//! What an executor wants done, one arm each, in its order: the simulator's side of what the server's driver does.

use super::network::{Load, Packet};
use super::queue::{Happening, Place};
use super::{Asked, World};
use crate::check::Violation;
use crate::record::{counts, situations};
use crate::server::offers::Wanted;
use bytes::Bytes;
use campanile_core::error::UserError;
use campanile_core::executor::effect::{Effect, Event, FileWork, Input, Replacement, Ticket};
use campanile_core::executor::message::Message;
use campanile_core::peer::PeerMessage;
use campanile_core::response::Response;
use campanile_storage::ids::{GroupId, MemberId};
use campanile_storage::log::{Batch, Cut};

const READABLE: &str = "what a member says can be read by the others";

impl World {
    pub(super) fn perform(&mut self, place: Place, effects: Vec<Effect>) -> Result<(), Violation> {
        for effect in effects {
            match effect {
                Effect::Persist { batch, appends } => self.persist(place, batch, appends)?,
                Effect::Checkpoint(work) => {
                    if let FileWork::Install { amendment: Some(_), .. } = &work {
                        self.counts.note(counts::AMENDED);
                    }
                    self.notice_file_work(place.member, &work);
                    self.process(place).keeping.work(work);
                    self.run_disk(place.member)?;
                }
                Effect::CutLog(cuts) => {
                    let floors = self.process(place).keeping.cut(place.executor, &cuts);
                    self.arrive(place, Input::LogCut(floors))?;
                }
                Effect::ReleaseLog(floors) => {
                    self.process(place).keeping.release(place.executor, floors);
                    self.run_disk(place.member)?;
                }
                Effect::ReplaceLog(replacements) => {
                    self.note_replacements(&replacements);
                    let floors = self.process(place).keeping.replace(place.executor, &replacements);
                    self.arrive(place, Input::LogCut(floors))?;
                }
                Effect::BeginOffer => self.process(place).keeping.begin_offer(),
                Effect::EndOffer => self.process(place).keeping.end_offer(),
                Effect::ReadOffer { to, offer, offset, bytes_max } => {
                    self.process(place).keeping.read_offer(Wanted { to, offer, offset, bytes_max });
                    self.run_disk(place.member)?;
                }
                Effect::BeginAnew => self.begin_anew(place.member),
                Effect::Tell { to, message } => self.tell(place, to, message)?,
                Effect::Send { to, message } => self.send(place, to, &message)?,
                Effect::Respond { ticket, result } => self.respond(place, ticket, result)?,
                Effect::Relay { ticket, to } => self.relay(place, ticket, to),
                Effect::WatchReady(stream) => self.watch_is_ready(place, stream),
                Effect::Report(event) => self.report(place, &event),
            }
            if !self.lives(place) {
                // The member ended in the middle of what it wanted done.
                return Ok(());
            }
        }
        Ok(())
    }

    fn note_replacements(&mut self, replacements: &[(GroupId, Cut, Replacement)]) {
        for (_, _, replacement) in replacements {
            self.counts.note(match replacement {
                Replacement::Keep => situations::KEPT_ITS_LOG,
                Replacement::Reset(_) => "installation: a group's log is replaced",
            });
        }
    }

    fn lives(&self, place: Place) -> bool {
        let member = &self.members[place.member];
        member.life == place.life && member.is_up()
    }

    fn process(&mut self, place: Place) -> &mut crate::member::Process {
        self.members[place.member].process_mut().expect("effects are performed while the member is up")
    }

    fn persist(&mut self, place: Place, batch: u64, appends: Batch) -> Result<(), Violation> {
        for update in &appends {
            self.notice_written(place.member, update);
            for entry in &update.entries {
                let parts = self.ledger.write(update.group, entry, self.now)?;
                self.counts.add("log: parts of a fragment", parts);
            }
        }
        self.durability.write(place.member, place.executor, batch, &appends);
        self.process(place).keeping.write(place.executor, batch, appends);
        self.run_disk(place.member)
    }

    fn tell(&mut self, place: Place, to: u16, message: Message) -> Result<(), Violation> {
        self.notice_message(place, &message);
        self.notice_attempt(place, &message)?;
        self.mark(&message);
        let delay = self.dice.time(self.plan.shape.round.clone());
        let arrival = self.now + delay;
        let lane = self.process(place).lanes.entry((place.executor, to)).or_default();
        let arrival = lane.push(message, arrival);
        let to = Place { executor: to, ..place };
        self.queue.push(arrival, Happening::Lane { to, from: place.executor });
        Ok(())
    }

    /// The beginning and the end of an attempt at a reign are told to all executors.
    fn notice_attempt(&mut self, place: Place, message: &Message) -> Result<(), Violation> {
        let member = place.member;
        match message {
            Message::AskEnds { asker, epoch } if *asker == self.members[member].id => {
                self.epochs.begin(member, place.life, *epoch)
            }
            Message::Cease { .. } => {
                self.epochs.end(member);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn send(&mut self, place: Place, to: MemberId, message: &PeerMessage) -> Result<(), Violation> {
        if let PeerMessage::Raft { group, message, .. } = message {
            self.durability.send(place.member, *group, message)?;
        }
        if let PeerMessage::AskEnds { epoch } = message {
            self.epochs.begin(place.member, place.life, *epoch)?;
        }
        let mut bytes = Vec::new();
        if message.encode(&mut bytes) {
            let to = (to.0 - 1) as usize;
            self.transmit(Packet { from: place.member, to, load: Load::Peer(bytes.into()) });
        }
        Ok(())
    }

    pub(super) fn transmit(&mut self, packet: Packet) {
        for arrival in self.network.send(&packet, self.now, &mut self.counts) {
            self.queue.push(arrival, Happening::Packet(packet.clone()));
        }
    }

    /// A packet arrives, at whichever executor of the member has the connection.
    pub(super) fn receive(&mut self, packet: Packet) -> Result<(), Violation> {
        let Packet { from, to, load } = packet;
        if self.network.is_cut(from, to) {
            self.counts.note("message lost");
            return Ok(());
        }
        match load {
            Load::Peer(bytes) => self.receive_from_peer(from, to, bytes),
            Load::Ask { call, request } => {
                let Some(place) = self.any_executor(to) else { return self.connection_lost(call) };
                self.counts.note("request sent on");
                self.ask_executor(place, Asked::Relayed { by: from, call }, request, true)
            }
            Load::Answer { call, result } => {
                // The member that took the request from the client must be alive to answer it.
                if self.members[to].is_up() {
                    self.answer(call, result)?;
                }
                Ok(())
            }
        }
    }

    fn receive_from_peer(&mut self, from: usize, to: usize, bytes: Bytes) -> Result<(), Violation> {
        let Some(place) = self.any_executor(to) else { return Ok(()) };
        let sum = bytes.iter().fold(0u64, |sum, &byte| sum.rotate_left(5) ^ u64::from(byte));
        let message = match PeerMessage::decode(bytes) {
            Ok(message) => message,
            Err(malformed) => return Err(Violation::new(READABLE, malformed.to_string())),
        };
        self.trace.note(self.now, "message", &[from as u64, to as u64, sum], || {
            format!("from member {from} to {to}: {message:?}")
        });
        self.notice_peer(to, &message);
        self.arrive(place, Input::Peer { from: self.members[from].id, message })
    }

    /// Some executor of a member that is up.
    pub(super) fn any_executor(&mut self, member: usize) -> Option<Place> {
        let executors = self.members[member].process()?.executors();
        let executor = self.dice.below(executors.into()) as u16;
        Some(Place { member, life: self.members[member].life, executor })
    }

    fn respond(&mut self, place: Place, ticket: Ticket, result: Result<Response, UserError>) -> Result<(), Violation> {
        if let Ok(response) = &result {
            self.shown.show(response.revision(), &self.ledger, &self.durability)?;
        }
        match self.tickets.remove(&(place.member, ticket)) {
            Some(Asked::Client(call)) => self.answer(call, result),
            Some(Asked::Relayed { by, call }) => {
                self.transmit(Packet { from: place.member, to: by, load: Load::Answer { call, result } });
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The primary must answer: the request is sent on, once.
    fn relay(&mut self, place: Place, ticket: Ticket, to: MemberId) {
        if let Some(Asked::Client(call)) = self.tickets.remove(&(place.member, ticket)) {
            let request = self.calls.list[call.0].request.clone();
            let to = (to.0 - 1) as usize;
            self.transmit(Packet { from: place.member, to, load: Load::Ask { call, request } });
        }
    }

    fn report(&mut self, place: Place, event: &Event) {
        self.trace.tell(self.now, "report", &(place.member, event));
        self.notice_event(place.member, event);
        self.mark_end(event);
        self.counts.note(match event {
            Event::Leader { .. } => "leader known",
            Event::Opened { .. } => "reign opened",
            Event::Ceased { .. } => "reign ended",
            Event::Shards(_) => "shards known",
            Event::LeaseExpired(_) => "lease expired",
            Event::Checkpoint { .. } => "checkpoint live",
            Event::CheckpointFailed => "checkpoint failed",
            Event::Sending { .. } => "checkpoint sent",
            Event::Receiving { .. } => "checkpoint received",
            Event::ReceivingFailed => "checkpoint not received",
            Event::Installed { .. } => "checkpoint installed",
            Event::NotInstalled => "checkpoint not installed",
        });
    }
}
