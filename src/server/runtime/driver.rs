//! Inputs into the core, and effects out of it, one arm each.
//!
//! Inputs are stepped as they come. The effects of all inputs of a round are taken together, when the tasks that were
//! ready before have had their turn: so the requests of one read of a socket, and of several sockets, become one batch.

use super::journal::Journal;
use super::mesh::Mesh;
use super::signal::Signal;
use super::time::Clock;
use crate::peers::Peers;
use campanile_core::error::UserError;
use campanile_core::executor::Executor;
use campanile_core::executor::effect::{Effect, Event, Input, Ticket};
use campanile_core::executor::watching::WatchCommand;
use campanile_core::request::Request;
use campanile_core::response::Response;
use campanile_core::watch::{StreamId, WatchResponse};
use campanile_storage::disk::uring::UringDisk;
use campanile_storage::ids::MemberId;
use rustc_hash::FxHashMap;
use slab::Slab;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

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
    answers: RefCell<Slab<Answer>>,
    streams: RefCell<FxHashMap<StreamId, Rc<dyn Fn()>>>,
    next_stream: Cell<u64>,
    round: Signal,
    effects: RefCell<Vec<Effect>>,
    /// What the member may show, and who leads it, as of the last round.
    seen: Cell<Seen>,
}

/// What headers and health checks need without asking the core.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub leader: Option<MemberId>,
}

impl Driver {
    #[must_use]
    pub fn new(
        core: Executor,
        clock: Clock,
        peers: Rc<Peers>,
        journal: Rc<Journal<UringDisk>>,
    ) -> Rc<Driver> {
        Rc::new(Driver {
            core: RefCell::new(core),
            clock,
            mesh: OnceCell::new(),
            peers,
            journal,
            answers: RefCell::default(),
            streams: RefCell::default(),
            next_stream: Cell::new(0),
            round: Signal::default(),
            effects: RefCell::default(),
            seen: Cell::default(),
        })
    }

    /// The other executors can be spoken to. Before that no round may end.
    pub fn join(&self, mesh: Mesh) {
        assert!(self.mesh.set(mesh).is_ok(), "an executor joins once");
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
    pub fn request(&self, request: Request, relayed: bool, answer: Answer) {
        let ticket = Ticket(self.answers.borrow_mut().insert(answer) as u64);
        self.input(Input::Request { ticket, request, relayed });
    }

    /// A client opens a watch stream. `ready` is called whenever responses begin to wait on it.
    pub fn open_watch_stream(&self, ready: Rc<dyn Fn()>) -> StreamId {
        let stream = StreamId(self.next_stream.get());
        self.next_stream.set(stream.0 + 1);
        self.streams.borrow_mut().insert(stream, ready);
        stream
    }

    pub fn watch(&self, stream: StreamId, command: WatchCommand) {
        if matches!(command, WatchCommand::Close) {
            self.streams.borrow_mut().remove(&stream);
        }
        self.input(Input::Watch { stream, command });
    }

    /// The next response on a watch stream.
    pub fn next_watch_response(&self, stream: StreamId) -> Option<WatchResponse> {
        let response = self.core.borrow_mut().next_watch_response(stream);
        self.round.set();
        response
    }

    #[must_use]
    pub fn accepts_watch_commands(&self, stream: StreamId) -> bool {
        self.core.borrow().accepts_watch_commands(stream)
    }

    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen.get()
    }

    /// Looks into the core, for status and metrics.
    pub fn with_core<R>(&self, look: impl FnOnce(&Executor) -> R) -> R {
        look(&self.core.borrow())
    }

    /// Ends rounds, for ever.
    ///
    /// # Errors
    /// If the log holds what its format does not; the member must stop.
    pub async fn run(&self) -> Result<(), campanile_core::codec::Malformed> {
        loop {
            self.round.wait().await;
            let mut effects = self.effects.take();
            let more = self.core.borrow_mut().finish(self.clock.now(), &mut effects)?;
            effects.drain(..).for_each(|effect| self.perform(effect));
            self.effects.replace(effects);
            self.mesh().flush();
            if more {
                self.round.set();
                glommio::yield_if_needed().await;
            }
        }
    }

    fn perform(&self, effect: Effect) {
        match effect {
            Effect::Persist { batch, appends } => self.journal.write(batch, appends),
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

    fn answer(&self, ticket: Ticket, answered: Answered) {
        let answer = self.answers.borrow_mut().remove(usize::try_from(ticket.0).expect("tickets are slab keys"));
        answer(answered);
    }

    fn report(&self, event: &Event) {
        match event {
            Event::Leader(leader) => {
                self.seen.set(Seen { leader: *leader });
                match leader {
                    Some(leader) => tracing::info!(leader = %format_args!("{:x}", leader.0), "found a leader"),
                    None => tracing::warn!("there is no leader"),
                }
            }
            Event::Opened { epoch, base } => tracing::info!(%epoch, %base, "this member is the primary"),
            Event::Ceased { epoch } => tracing::warn!(%epoch, "this member is the primary no more"),
            Event::Shards(shards) => tracing::info!(shards, "the cluster's number of shards is known"),
        }
    }
}
