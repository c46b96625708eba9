//! Inputs into the core, and effects out of it, one arm each.
//!
//! Inputs are stepped as they come. The effects of all inputs of a round are taken together, when the tasks that were
//! ready before have had their turn: so the requests of one read of a socket, and of several sockets, become one batch.

use super::checkpoints::Checkpoints;
use super::journal::Journal;
use super::mesh::Mesh;
use super::offers::{Offers, Wanted};
use super::signal::Signal;
use super::tasks::Tasks;
use super::time::Clock;
use crate::metrics::{Metrics, Registry};
use crate::peers::Peers;
use crate::rpc::{Services, Sizes};
use campanile_core::error::UserError;
use campanile_core::executor::Executor;
use campanile_core::executor::effect::{Effect, Event, Input, Ticket};
use campanile_core::executor::watching::WatchCommand;
use campanile_core::request::Request;
use campanile_core::response::Response;
use campanile_core::watch::{StreamId, WatchResponse};
use campanile_storage::disk::uring::UringDisk;
use campanile_storage::ids::{MemberId, Term};
use rustc_hash::FxHashMap;
use slab::Slab;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What etcd calls a slow apply.
const SLOW_POLL_NANOSECONDS: i64 = 100_000_000;

/// Takes the answer to a request.
pub type Answer = Box<dyn FnOnce(Answered)>;

/// How a request ended here.
pub enum Answered {
    Response(Result<Response, UserError>),
    /// Another member must answer it: send it on, once.
    Relay(MemberId),
}

/// One executor's core, and all that performs its effects.
pub struct Driver {
    core: RefCell<Executor>,
    clock: Clock,
    mesh: OnceCell<Mesh>,
    peers: Rc<Peers>,
    journal: Rc<Journal<UringDisk>>,
    /// On the control executor.
    files: Option<Files>,
    begin_anew: Box<dyn Fn()>,
    tasks: Tasks,
    answers: RefCell<Slab<Answer>>,
    streams: RefCell<FxHashMap<StreamId, Rc<dyn Fn()>>>,
    next_stream: Cell<u64>,
    round: Signal,
    effects: RefCell<Vec<Effect>>,
    /// Who leads the control group, as of the last round.
    leader: Cell<Option<MemberId>>,
    /// Whoever accepts connections owns them: they know this driver, and would keep it for ever.
    services: OnceCell<Weak<Services>>,
    registry: Arc<Registry>,
    metrics: Rc<Metrics>,
    quota_bytes: u64,
}

/// Checkpoints, and what of them is offered to other members.
#[derive(Clone)]
pub struct Files {
    pub checkpoints: Rc<Checkpoints<UringDisk>>,
    pub offers: Rc<Offers<UringDisk>>,
}

/// What a driver is made of beside the core.
pub struct Parts {
    pub clock: Clock,
    pub peers: Rc<Peers>,
    pub journal: Rc<Journal<UringDisk>>,
    pub files: Option<Files>,
    /// Called when the member is to begin anew.
    pub begin_anew: Box<dyn Fn()>,
    pub tasks: Tasks,
    pub registry: Arc<Registry>,
    pub metrics: Rc<Metrics>,
    pub quota_bytes: u64,
}

impl Driver {
    #[must_use]
    pub fn new(core: Executor, parts: Parts) -> Rc<Driver> {
        let Parts { clock, peers, journal, files, begin_anew, tasks, registry, metrics, quota_bytes } = parts;
        Rc::new(Driver {
            core: RefCell::new(core),
            clock,
            mesh: OnceCell::new(),
            peers,
            journal,
            files,
            begin_anew,
            tasks,
            answers: RefCell::default(),
            streams: RefCell::default(),
            next_stream: Cell::new(0),
            round: Signal::default(),
            effects: RefCell::default(),
            leader: Cell::new(None),
            services: OnceCell::new(),
            registry,
            metrics,
            quota_bytes,
        })
    }

    /// The other executors can be spoken to. Before that no round may end.
    pub fn join(&self, mesh: Mesh) {
        assert!(self.mesh.set(mesh).is_ok(), "an executor joins once");
    }

    /// The services that ask this driver, and are told of what it sees.
    pub fn serve(&self, services: &Rc<Services>) {
        assert!(self.services.set(Rc::downgrade(services)).is_ok(), "an executor has one set of services");
    }

    #[must_use]
    pub fn services(&self) -> Rc<Services> {
        let services = self.services.get().and_then(Weak::upgrade);
        services.expect("there are services from before the first round until after the last")
    }

    /// Lets go of everybody who waits here; nobody is answered any more.
    pub fn forget_clients(&self) {
        let (answers, streams) = (self.answers.take(), self.streams.take());
        drop((answers, streams));
    }

    fn files(&self) -> &Files {
        self.files.as_ref().expect("the control executor looks after checkpoints")
    }

    #[must_use]
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    fn mesh(&self) -> &Mesh {
        self.mesh.get().expect("rounds end only after the executor has joined the others")
    }

    /// Something happened.
    pub fn input(&self, input: Input) {
        self.core.borrow_mut().step(input, self.clock.now());
        self.round.set();
    }

    /// A client asks, or another member for one of its clients.
    pub fn ask(&self, request: Request, relayed: bool, answer: Answer) {
        let ticket = Ticket(self.answers.borrow_mut().insert(answer) as u64);
        self.input(Input::Request { ticket, request, relayed });
    }

    /// Names a new watch stream. `ready` is called when responses begin to wait on it, until it is closed.
    pub fn name_watch_stream(&self, ready: Rc<dyn Fn()>) -> StreamId {
        let stream = StreamId(self.next_stream.get());
        self.next_stream.set(stream.0 + 1);
        self.streams.borrow_mut().insert(stream, ready);
        stream
    }

    pub fn command_watch(&self, stream: StreamId, command: WatchCommand) {
        if matches!(command, WatchCommand::Close) {
            let closed = self.streams.borrow_mut().remove(&stream);
            drop(closed);
        }
        self.input(Input::Watch { stream, command });
    }

    /// The next response on a watch stream.
    pub fn take_watch_response(&self, stream: StreamId) -> Option<WatchResponse> {
        let response = self.core.borrow_mut().next_watch_response(stream);
        self.round.set();
        response
    }

    /// Requests that wait for their answers, and watch streams that are open.
    #[must_use]
    pub fn under_way(&self) -> (usize, usize) {
        (self.answers.borrow().len(), self.streams.borrow().len())
    }

    #[must_use]
    pub fn leader(&self) -> Option<MemberId> {
        self.leader.get()
    }

    #[must_use]
    pub fn metrics(&self) -> &Rc<Metrics> {
        &self.metrics
    }

    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// How large the member is, as of each executor's last tick.
    #[must_use]
    pub fn member_sizes(&self) -> Sizes {
        let (total, in_use) = self.registry.store_bytes();
        Sizes { total, in_use, quota: self.quota_bytes }
    }

    /// Looks into the core, for status and metrics.
    pub fn with_core<R>(&self, look: impl FnOnce(&Executor) -> R) -> R {
        look(&self.core.borrow())
    }

    /// Ends rounds, for ever.
    ///
    /// # Errors
    /// If the log holds what its format does not; the member must stop.
    pub async fn run(self: Rc<Self>) -> Result<(), campanile_core::codec::Malformed> {
        loop {
            self.round.wait().await;
            let begin = Instant::now();
            let mut effects = self.effects.take();
            let more = self.core.borrow_mut().finish(self.clock.now(), &mut effects)?;
            effects.drain(..).for_each(|effect| self.perform(effect));
            self.effects.replace(effects);
            self.mesh().flush();
            self.note_poll(begin.elapsed());
            if more {
                self.round.set();
                glommio::yield_if_needed().await;
            }
        }
    }

    fn note_poll(&self, took: Duration) {
        let longest = &self.metrics.poll_longest_nanoseconds;
        let took = i64::try_from(took.as_nanos()).unwrap_or(i64::MAX);
        if took > longest.get() {
            longest.set(took);
        }
        if took > SLOW_POLL_NANOSECONDS {
            self.metrics.slow_applies.increment();
        }
    }

    fn perform(self: &Rc<Self>, effect: Effect) {
        match effect {
            Effect::Persist { batch, appends } => self.journal.write(batch, appends),
            Effect::Checkpoint(work) => self.files().checkpoints.work(work),
            Effect::CutLog(cuts) => self.input(Input::LogCut(self.journal.cut(&cuts))),
            Effect::ReplaceLog(replacements) => self.input(Input::LogCut(self.journal.replace(&replacements))),
            Effect::ReleaseLog(floors) => self.journal.release(floors),
            Effect::BeginOffer => {
                let live = self.files().checkpoints.live_path();
                self.files().offers.begin(live.expect("a checkpoint is offered when it is live"));
            }
            Effect::ReadOffer { to, offer, offset, bytes_max } => {
                self.read_offer(Wanted { to, offer, offset, bytes_max });
            }
            Effect::EndOffer => self.files().offers.end(),
            Effect::BeginAnew => (self.begin_anew)(),
            Effect::Tell { to, message } => self.mesh().tell(to, message),
            Effect::Send { to, message } => self.peers.send(to, &message),
            Effect::Respond { ticket, result } => self.answer(ticket, Answered::Response(result)),
            Effect::Relay { ticket, to } => self.answer(ticket, Answered::Relay(to)),
            Effect::WatchReady(stream) => {
                let ready = self.streams.borrow().get(&stream).cloned();
                if let Some(ready) = ready {
                    ready();
                }
            }
            Effect::Report(event) => self.report(&event),
        }
    }

    fn read_offer(self: &Rc<Self>, wanted: Wanted) {
        let (driver, offers) = (Rc::clone(self), Rc::clone(&self.files().offers));
        self.tasks.spawn(async move { driver.input(offers.read(wanted).await) });
    }

    fn answer(&self, ticket: Ticket, answered: Answered) {
        let answer = self.answers.borrow_mut().remove(usize::try_from(ticket.0).expect("tickets are slab keys"));
        answer(answered);
    }

    fn report(&self, event: &Event) {
        match event {
            Event::Leader { leader, term } => {
                self.leader.set(*leader);
                self.services().headers().set_term(*term);
                self.report_leader(*leader, *term);
            }
            Event::Opened { epoch, base } => tracing::info!(%epoch, %base, "this member is the primary"),
            Event::Ceased { epoch } => tracing::warn!(%epoch, "this member is the primary no more"),
            Event::Shards(shards) => tracing::info!(shards, "the cluster's number of shards is known"),
            Event::LeaseExpired(_) => self.metrics.leases_expired.increment(),
            Event::Checkpoint { revision } => tracing::info!(%revision, "a checkpoint is live"),
            Event::CheckpointFailed => tracing::warn!("a checkpoint failed; it is tried again later"),
            Event::Sending { to, revision } => {
                let remote_peer_id = format_args!("{:x}", to.0);
                tracing::info!(%remote_peer_id, %revision, "a member fell behind the log; sending it a checkpoint");
                self.metrics.checkpoints_sent.increment();
            }
            Event::Receiving { from, file_bytes } => {
                let remote_peer_id = format_args!("{:x}", from.0);
                tracing::info!(%remote_peer_id, bytes = file_bytes, "fell behind the log; receiving a checkpoint");
            }
            Event::ReceivingFailed => self.metrics.checkpoint_receive_failures.increment(),
            Event::Installed { .. } => self.metrics.checkpoints_installed.increment(),
            Event::NotInstalled => {
                self.metrics.checkpoint_receive_failures.increment();
                tracing::warn!("the checkpoint that was received is not live; the member begins anew without it");
            }
        }
    }

    fn report_leader(&self, leader: Option<MemberId>, term: Term) {
        if self.with_core(Executor::is_control) {
            self.metrics.leader_changes.increment();
            match leader {
                Some(leader) => tracing::info!(leader = %format_args!("{:x}", leader.0), %term, "found a leader"),
                None => tracing::warn!(%term, "there is no leader"),
            }
        }
    }
}
