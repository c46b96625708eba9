//! A whole cluster in one thread, on virtual time: members, network, disks, clients, and what strikes them.
//!
//! One queue of happenings, ordered by their moment. Nothing here decides by itself: each delay and each choice comes from
//! dice of the seed. The core and the storage are the server's own crates; what is here is what the server's runtime is
//! there: one arm for each effect, and no branch on the protocol's state.
//!
//! | file | what |
//! | --- | --- |
//! | `queue` | what will happen |
//! | `lives` | members start, end, start again |
//! | `rounds` | executors take what comes, and end their rounds |
//! | `effects` | what the core wants done, one arm each |
//! | `network` | links between members |
//! | `asking` | clients ask, are answered, and lose patience |
//! | `watching` | watch streams |
//! | `ambush` | faults that wait for their moment |
//! | `detour` | another order of what comes next, for the systematic mode |
//! | `interruption` | one operation of a disk that does not come to its end |
//! | `strikes`, `ruin` | faults, and their ends |
//! | `situations` | whether the run came into what the traces are about |
//! | `settling` | the faults stop: everybody comes back, and all is compared |

pub mod ambush;
mod asking;
pub mod detour;
mod effects;
pub mod interruption;
mod lives;
pub mod network;
pub mod queue;
mod rounds;
mod ruin;
mod settling;
mod situations;
mod strikes;
mod watching;

use crate::check::Violation;
use crate::check::durability::Durability;
use crate::check::epochs::Epochs;
use crate::check::leases::Clocks;
use crate::check::shown::Shown;
use crate::client::Client;
use crate::client::watcher::Watcher;
use crate::dice::{Dice, Part};
use crate::member::{Charter, Member, State};
use crate::moment::{Clock, Moment};
use crate::plan::Plan;
use crate::plan::shape::{ELECTION_TICKS, LEASE_TTL_MIN_SECONDS};
use crate::record::watching::Watched;
use crate::record::{CallId, Calls, Counts, Ledger, Trace};
use ambush::Ambush;
use campanile_core::executor::effect::Ticket;
use campanile_storage::disk::simulated::{SimulatedDisk, data_directory};
use campanile_storage::ids::MemberId;
use detour::{Detour, Step};
use interruption::Interruption;
use network::Network;
use queue::{Happening, Queue};
use situations::Situations;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use strikes::Relief;

/// For whom a member's ticket stands.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Client(CallId),
    /// Another member sent it on.
    Relayed {
        by: usize,
        call: CallId,
    },
}

pub struct World {
    pub plan: Plan,
    pub now: Moment,
    queue: Queue,
    pub members: Vec<Member>,
    charter: Charter,
    network: Network,
    clients: Vec<Client>,
    watchers: Vec<Watcher>,
    dice: Dice,
    interleaving: Dice,
    tickets: BTreeMap<(usize, Ticket), Asked>,
    /// Which client waits for a call.
    askers: BTreeMap<CallId, usize>,
    tickets_drawn: u64,
    streams_drawn: u64,
    reliefs: Vec<Relief>,
    pauses: BTreeMap<(usize, u16), u32>,
    /// Members of which an executor stands still for good. Nobody waits for them.
    lame: BTreeSet<usize>,
    pub ambush: Option<Ambush>,
    ambush_rests_until: Moment,
    /// How many happenings there were, and at which of them something stepped on.
    pub happened: u64,
    pub marks: Vec<(Step, u64)>,
    /// The same for what came to its end.
    pub ends: Vec<(Step, u64)>,
    pub detour: Option<Detour>,
    pub interruption: Option<Interruption>,
    /// Whether the faults have stopped.
    is_calm: bool,
    // What is written down.
    pub calls: Calls,
    pub watches: Vec<Watched>,
    pub ledger: Ledger,
    durability: Durability,
    epochs: Epochs,
    shown: Shown,
    clocks: Clocks,
    situations: Situations,
    pub trace: Trace,
    pub counts: Counts,
    pub faults_struck: u64,
}

impl World {
    /// A cluster that is about to start for the first time.
    #[must_use]
    pub fn new(plan: Plan, trace: Trace) -> World {
        let (seed, shape) = (plan.seed, plan.shape.clone());
        let member = |number: usize| Member {
            id: MemberId(number as u64 + 1),
            clock: Clock { skew_ppm: shape.skew_ppm[number], ahead: Duration::ZERO },
            disk: SimulatedDisk::new(Dice::of(seed, Part::Disk(number as u64)).draw(), &data_directory()),
            state: State::Down,
            life: 0,
            is_disk_faulty: false,
            is_full: false,
            was_full: false,
            is_ruined: false,
            slow_disk: 1,
            again: Vec::new(),
            down: Duration::ZERO,
        };
        let charter = Charter {
            voters: (1..=shape.members as u64).map(MemberId).collect(),
            shards: shape.shards,
            election_ticks: ELECTION_TICKS,
            lease_ttl_min_seconds: LEASE_TTL_MIN_SECONDS,
            checkpoint_transactions: shape.checkpoint_transactions,
            bounds: shape.bounds,
            record_bytes_max: shape.record_bytes_max,
            announces: shape.announces,
        };
        let fastest_ppm = shape.skew_ppm.iter().copied().max().unwrap_or(0);
        let mut world = World {
            now: Moment(0),
            queue: Queue::default(),
            members: (0..shape.members).map(member).collect(),
            charter,
            network: Network::new(seed, &shape),
            clients: (0..shape.clients).map(|number| Client::new(seed, number, shape.members)).collect(),
            watchers: (0..shape.watchers).map(|number| Watcher::new(seed, number, &shape)).collect(),
            dice: Dice::of(seed, Part::World),
            interleaving: Dice::of(seed, Part::Interleaving),
            tickets: BTreeMap::new(),
            askers: BTreeMap::new(),
            tickets_drawn: 0,
            streams_drawn: 0,
            reliefs: Vec::new(),
            pauses: BTreeMap::new(),
            lame: BTreeSet::new(),
            ambush: None,
            ambush_rests_until: Moment(0),
            happened: 0,
            marks: Vec::new(),
            ends: Vec::new(),
            detour: None,
            interruption: None,
            is_calm: false,
            calls: Calls::default(),
            watches: Vec::new(),
            ledger: Ledger::default(),
            durability: Durability::default(),
            epochs: Epochs::default(),
            shown: Shown::new(shape.members),
            clocks: Clocks { fastest_ppm, jumps: Vec::new() },
            situations: Situations::default(),
            trace,
            counts: Counts::default(),
            faults_struck: 0,
            plan,
        };
        world.schedule_all();
        world
    }

    fn schedule_all(&mut self) {
        for member in 0..self.members.len() {
            let at = Moment(self.dice.below(100_000));
            self.queue.push(at, Happening::Start { member, life: 0 });
        }
        for client in 0..self.clients.len() {
            self.queue.push(Moment(self.dice.below(500_000)), Happening::Client(client));
        }
        for watcher in 0..self.watchers.len() {
            self.queue.push(Moment(self.dice.below(5_000_000)), Happening::Watcher(watcher));
        }
        for (number, planned) in self.plan.faults.iter().enumerate() {
            self.queue.push(planned.at, Happening::Strike(number));
        }
    }

    /// The whole run: faults strike, then stop, and everything is compared.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn run(&mut self) -> Result<(), Violation> {
        self.run_until(Moment(0) + self.plan.shape.safety)?;
        self.settle()?;
        self.compare()
    }

    /// Lets everything happen up to a moment.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn run_until(&mut self, until: Moment) -> Result<(), Violation> {
        while let Some((at, happening)) = self.queue.pop(until) {
            self.now = at;
            self.happened += 1;
            self.happen(happening)?;
            self.take_detour(until)?;
        }
        self.now = until;
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Round(place) => self.round(place),
            Happening::Tick(place) => self.tick(place),
            Happening::Lane { to, from } => self.lane(to, from),
            Happening::Disk { member, life } => self.complete_disk(member, life),
            Happening::Maintain(place) => self.maintain(place),
            Happening::Packet(packet) => self.receive(packet),
            Happening::Client(client) => self.client_asks(client),
            Happening::Patience { client, call } => {
                self.client_gives_up(client, call);
                Ok(())
            }
            Happening::Lost { call } => self.connection_lost(call),
            Happening::Watcher(watcher) => self.watcher_acts(watcher),
            Happening::Strike(number) => self.strike(number),
            Happening::Relief(number) => {
                self.relieve(number);
                Ok(())
            }
            Happening::Start { member, life } => self.start(member, life),
        }
    }

    /// Who serves an open reign.
    #[must_use]
    pub fn primary(&self) -> Option<usize> {
        self.members.iter().position(Member::is_primary)
    }
}
