//! The services' view of an executor: requests, watches, health and metrics, carried out by its [`Driver`].

use super::driver::{Answered, Driver};
use super::tallies::{self, Class};
use crate::metrics;
use crate::peers::{RelayError, RelayRequest};
use crate::rpc::{Done, Executor, Relayed, Responder, Sizes, status};
use campanile_core::error::UserError;
use campanile_core::executor::watching::WatchCommand;
use campanile_core::request::Request;
use campanile_core::watch::{StreamId, WatchResponse};
use campanile_rpc::{Code, HttpReply, HttpResponse, Status};
use campanile_storage::ids::MemberId;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long the primary gets for a request whose client named no deadline.
const RELAY_DEADLINE: Duration = Duration::from_secs(7);

impl Executor for Driver {
    fn request(&self, request: Request, relayed: bool, responder: Responder) {
        let metrics = Rc::clone(Driver::metrics(self));
        let class = Class::of(&request);
        let begin = Instant::now();
        let answer = move |answered| match answered {
            Answered::Response(result) => {
                match &result {
                    Ok(response) => tallies::count(&metrics, response),
                    Err(error) => tallies::count_failure(&metrics, class, error),
                }
                tallies::count_slow(&metrics, class, begin.elapsed());
                responder.answer(result);
            }
            Answered::Relay(to) => responder.relay(to),
        };
        self.ask(request, relayed, Box::new(answer));
    }

    fn relay(&self, to: MemberId, request: Relayed, done: Done) {
        let Relayed { method, message, deadline } = request;
        let request = RelayRequest { method, message, deadline: Some(deadline.unwrap_or(RELAY_DEADLINE)) };
        self.peers().relay(to, request, move |result| done(result.map_err(relay_status)));
    }

    fn open_watch_stream(&self, ready: Rc<dyn Fn()>) -> StreamId {
        self.name_watch_stream(ready)
    }

    fn watch(&self, stream: StreamId, command: WatchCommand) {
        self.command_watch(stream, command);
    }

    fn next_watch_response(&self, stream: StreamId) -> Option<WatchResponse> {
        let response = self.take_watch_response(stream)?;
        Driver::metrics(self).watch_events.add(response.events.len() as u64);
        Some(response)
    }

    fn accepts_watch_commands(&self, stream: StreamId) -> bool {
        self.with_core(|core| core.accepts_watch_commands(stream))
    }

    fn has_leader(&self) -> bool {
        self.leader().is_some()
    }

    fn sizes(&self) -> Sizes {
        self.member_sizes()
    }

    fn checked(&self, is_healthy: bool) {
        let metrics = Driver::metrics(self);
        let counter = if is_healthy { &metrics.health_successes } else { &metrics.health_failures };
        counter.increment();
    }

    fn metrics(&self, reply: HttpReply) {
        reply.send(HttpResponse::new(200, metrics::CONTENT_TYPE, self.registry().render()));
    }
}

/// What a client is told of a request that was sent on in vain.
fn relay_status(error: RelayError) -> Status {
    match error {
        RelayError::Status(refused) => {
            let code = Code::ALL.into_iter().find(|&code| code as u32 == refused.code);
            Status::new(code.unwrap_or(Code::Unknown), refused.text)
        }
        RelayError::Lost => status(UserError::TimeoutDueToConnectionLost),
        RelayError::NotSent => status(UserError::LeaderChanged),
    }
}
