//! Chooses the next event: a message, a write, a tick, a client, a fault.

use super::checks;
use super::client::{Call, draw};
use super::member::{Member, Outside};
use campanile_core::executor::effect::{Input, Ticket};
use campanile_core::peer::PeerMessage;
use campanile_core::random::Random;
use campanile_core::request::Request;
use campanile_core::time::Instant;
use campanile_storage::ids::{MemberId, Revision};
use std::collections::{BTreeSet, HashMap};

/// What may go wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub crashes: bool,
    pub losses: bool,
    pub partitions: bool,
}

/// Ticks that a cluster without faults gets to agree on everything.
const SETTLE_TICKS: u32 = 400;

/// Ticks in which a settled cluster answers.
const ANSWER_TICKS: u32 = 5;

pub struct Simulation {
    seed: u64,
    random: Random,
    now: Instant,
    voters: Vec<MemberId>,
    executors: u16,
    shards: u32,
    members: Vec<Member>,
    network: Vec<(MemberId, MemberId, PeerMessage)>,
    cut_off: BTreeSet<MemberId>,
    calls: Vec<Call>,
    /// Which call a member's ticket stands for.
    tickets: HashMap<(MemberId, Ticket), usize>,
    /// The newest revision that anybody was shown.
    shown: Revision,
}

impl Simulation {
    pub fn new(seed: u64, members: usize, executors: u16, shards: u32) -> Simulation {
        let voters: Vec<MemberId> = (1..=members as u64).map(MemberId).collect();
        let mut simulation = Simulation {
            seed,
            random: Random::new(seed),
            now: Instant::default(),
            members: voters.iter().map(|&id| Member::new(id)).collect(),
            voters,
            executors,
            shards,
            network: Vec::new(),
            cut_off: BTreeSet::new(),
            calls: Vec::new(),
            tickets: HashMap::new(),
            shown: Revision::EMPTY,
        };
        for member in 0..members {
            simulation.start(member);
        }
        simulation
    }

    /// Runs so many events.
    pub fn run(&mut self, events: u64, faults: Faults) {
        for _ in 0..events {
            self.fault(faults);
            self.event(faults);
        }
    }

    /// Without faults, everything that is up comes to an agreement.
    pub fn settle(&mut self) {
        self.cut_off.clear();
        for member in 0..self.members.len() {
            if !self.members[member].is_up() {
                self.start(member);
            }
        }
        self.rest(SETTLE_TICKS);
        // Whatever happened, every member answers now.
        let first = self.calls.len();
        for member in 0..self.members.len() {
            let request = super::client::put("settled".into(), self.calls.len() as u64);
            self.ask(member, request);
        }
        self.rest(ANSWER_TICKS);
        for call in &self.calls[first..] {
            assert!(matches!(call.result, Some(Ok(_))), "seed {}: {:?} after the faults", self.seed, call.result);
        }
    }

    /// So many ticks in which everything is delivered.
    fn rest(&mut self, ticks: u32) {
        for _ in 0..ticks {
            for member in 0..self.members.len() {
                self.tick(member);
            }
            self.drain();
        }
    }

    /// Checks what must hold at the end.
    pub fn check(&mut self) {
        let seed = self.seed;
        let guard = PrintSeed(seed);
        if std::env::var_os("CAMPANILE_TRACE").is_some() {
            for executor in self.members.iter().flat_map(|member| &member.executors) {
                eprintln!("{executor:#?}");
            }
        }
        let first = &self.members[0];
        let visible = first.executors[0].visible();
        let history = checks::history(first, visible);
        for member in &self.members {
            for executor in &member.executors {
                assert_eq!(executor.visible(), visible, "member {} stands elsewhere", member.id);
            }
            assert_eq!(checks::history(member, visible), history, "member {} differs", member.id);
        }
        assert!(visible >= self.shown, "{} was shown, and the cluster stands at {visible}", self.shown);
        checks::writes(&history, &self.calls);
        checks::answers(&history, &self.calls);
        std::mem::forget(guard);
    }

    fn start(&mut self, member: usize) {
        let seed = self.random.draw();
        self.members[member].start(seed, &self.voters, self.executors, self.shards, self.now);
        // What starting leaves to be done is taken with the first step.
        self.tick(member);
    }

    fn tick(&mut self, member: usize) {
        self.now = self.now + std::time::Duration::from_millis(100) / u32::try_from(self.members.len()).expect("few");
        for executor in 0..self.executors {
            if self.members[member].is_up() {
                let outside = self.members[member].step(executor, Input::Tick, self.now);
                self.perform(member, outside);
            }
        }
    }

    fn fault(&mut self, faults: Faults) {
        let member = self.random.below(self.members.len() as u64) as usize;
        let id = self.members[member].id;
        if faults.crashes && self.random.below(300) == 0 && self.members[member].is_up() {
            let keep = self.random.below(2) == 0;
            if std::env::var_os("CAMPANILE_TRACE").is_some() {
                eprintln!("member {id} crashes, shown {}", self.shown);
            }
            self.members[member].crash(keep);
            self.tickets.retain(|&(at, _), _| at != id);
        } else if !self.members[member].is_up() && self.random.below(60) == 0 {
            self.start(member);
        }
        if faults.partitions && self.random.below(200) == 0 && !self.cut_off.remove(&id) {
            self.cut_off.insert(id);
        }
    }

    fn event(&mut self, faults: Faults) {
        let member = self.random.below(self.members.len() as u64) as usize;
        match self.random.below(16) {
            0 => self.tick(member),
            1..3 => self.ask_anything(member),
            3..8 => self.deliver_from_network(faults),
            8..12 => self.deliver_within(member),
            12..15 => self.complete_write(member),
            _ => self.complete_work(member, faults),
        }
    }

    fn ask_anything(&mut self, member: usize) {
        if self.members[member].is_up() {
            let request = draw(&mut self.random, self.calls.len() as u64);
            self.ask(member, request);
        }
    }

    fn ask(&mut self, member: usize, request: Request) {
        let number = self.calls.len();
        self.calls.push(Call { request: request.clone(), shown_before: self.shown, result: None });
        let ticket = Ticket(number as u64);
        self.tickets.insert((self.members[member].id, ticket), number);
        let executor = self.random.below(u64::from(self.executors)) as u16;
        let outside = self.members[member].request(executor, ticket, request, false, self.now);
        self.perform(member, outside);
    }

    fn deliver_from_network(&mut self, faults: Faults) {
        if self.network.is_empty() {
            return;
        }
        let chosen = self.random.below(self.network.len() as u64) as usize;
        let (from, to, message) = if faults.losses && self.random.below(10) == 0 {
            self.network[chosen].clone()
        } else {
            self.network.swap_remove(chosen)
        };
        let lost = faults.losses && self.random.below(12) == 0;
        if lost || self.cut_off.contains(&from) || self.cut_off.contains(&to) {
            return;
        }
        self.receive(from, to, message);
    }

    fn receive(&mut self, from: MemberId, to: MemberId, message: PeerMessage) {
        let member = (to.0 - 1) as usize;
        if self.members[member].is_up() {
            let executor = self.members[member].host(message.group());
            let outside = self.members[member].step(executor, Input::Peer { from, message }, self.now);
            self.perform(member, outside);
        }
    }

    fn deliver_within(&mut self, member: usize) {
        let queues: Vec<_> = self.members[member].queues.keys().copied().collect();
        if !queues.is_empty() {
            let (from, to) = queues[self.random.below(queues.len() as u64) as usize];
            let outside = self.members[member].deliver(from, to, self.now);
            self.perform(member, outside);
        }
    }

    fn complete_write(&mut self, member: usize) {
        let writing: Vec<_> = self.members[member].writing.keys().copied().collect();
        if !writing.is_empty() {
            let executor = writing[self.random.below(writing.len() as u64) as usize];
            let outside = self.members[member].complete_write(executor, self.now);
            self.perform(member, outside);
        }
    }

    /// Does what is under way of a checkpoint.
    fn complete_work(&mut self, member: usize, faults: Faults) {
        let fails = faults.crashes && self.random.below(50) == 0;
        if self.members[member].work.is_some() {
            let outside = self.members[member].complete_work(fails, self.now);
            self.perform(member, outside);
        } else if let Some(&executor) = self.members[member].cutting.keys().next() {
            let outside = self.members[member].complete_cut(executor, self.now);
            self.perform(member, outside);
        }
    }

    /// Delivers everything until nothing is under way.
    fn drain(&mut self) {
        let mut deliveries = 0;
        loop {
            deliveries += 1;
            assert!(deliveries < 1_000_000, "seed {}: the cluster never comes to rest", self.seed);
            let busy = (0..self.members.len()).find(|&member| {
                let member = &self.members[member];
                let busy = !member.queues.is_empty() || !member.writing.is_empty();
                busy || member.work.is_some() || !member.cutting.is_empty()
            });
            if let Some(member) = busy {
                self.deliver_within(member);
                self.complete_write(member);
                self.complete_work(member, Faults::default());
            } else if let Some((from, to, message)) = self.network.pop() {
                self.receive(from, to, message);
            } else {
                return;
            }
        }
    }

    fn perform(&mut self, member: usize, outside: Vec<Outside>) {
        let id = self.members[member].id;
        self.shown = self.shown.max(self.members[member].shown);
        for effect in outside {
            match effect {
                Outside::Send { to, message } => self.network.push((id, to, message)),
                Outside::Respond { ticket, result } => {
                    if let Some(call) = self.tickets.remove(&(id, ticket)) {
                        if let Ok(response) = &result {
                            self.shown = self.shown.max(response.revision());
                        }
                        self.calls[call].result = Some(result);
                    }
                }
                Outside::Relay { ticket, to } => self.relay(id, ticket, to),
            }
        }
    }

    /// The runtime's part: another member gets the request, once; its answer goes back (here at once).
    fn relay(&mut self, from: MemberId, ticket: Ticket, to: MemberId) {
        let Some(call) = self.tickets.remove(&(from, ticket)) else { return };
        let member = (to.0 - 1) as usize;
        if self.members[member].is_up() && !self.cut_off.contains(&from) && !self.cut_off.contains(&to) {
            let request = self.calls[call].request.clone();
            self.tickets.insert((to, ticket), call);
            let outside = self.members[member].request(0, ticket, request, true, self.now);
            self.perform(member, outside);
        }
    }
}

/// Names the seed when a check panics.
struct PrintSeed(u64);

impl Drop for PrintSeed {
    fn drop(&mut self) {
        eprintln!("replay with CAMPANILE_SEED={}", self.0);
    }
}
